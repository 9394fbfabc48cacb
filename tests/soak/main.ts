/**
 * `deno task soak [--minutes N] [--seed N] [--users N] [--heal-minutes N]
 * [--keep DIRECTORY]`: three servers behind proxies, random faults and users for so long; then they have
 * to agree within the time to heal. Exit code 1 when they do not.
 */
import { parseArgs } from "node:util";
import { withTempDirectory } from "../support/temp.ts";
import { soak, type SoakFigures } from "./soak.ts";

const { values } = parseArgs({
  args: Deno.args,
  options: {
    minutes: { type: "string", default: "60" },
    seed: { type: "string", default: String(Date.now() % 1_000_000_000) },
    users: { type: "string", default: "4" },
    "heal-minutes": { type: "string", default: "10" },
    keep: { type: "string" },
  },
});
const [minutes, seed, users] = [values.minutes, values.seed, values.users].map(Number);
if (!(minutes! > 0) || !Number.isSafeInteger(seed) || !Number.isSafeInteger(users) || users! < 1) {
  console.error("--minutes takes a number above 0, --seed and --users take whole numbers");
  Deno.exit(2);
}

function run(directory: string): Promise<SoakFigures> {
  return soak({
    seed: seed!,
    users: users!,
    directory,
    disturbedMs: minutes! * 60_000,
    convergenceMs: Number(values["heal-minutes"]) * 60_000,
    progress: (text) => console.log(text),
  });
}

async function runIn(directory: string): Promise<SoakFigures> {
  await Deno.mkdir(directory, { recursive: true });
  return await run(await Deno.realPath(directory));
}

console.log(`seed ${seed}`);
try {
  const figures = await (values.keep === undefined ? withTempDirectory(run) : runIn(values.keep));
  const { tally, faults, repositories, convergenceSeconds, maxResidentMiB, redundantIds } = figures;
  console.log([
    `${tally.events} events and ${tally.pushes} pushes acknowledged, ${tally.retries} attempts repeated`,
    `faults: ${Object.entries(faults).map(([name, count]) => `${count} ${name}`).join(", ")}`,
    `${repositories} repositories sound`,
    `equal ${convergenceSeconds.toFixed(1)} s after the last fault`,
    `${redundantIds} events fetched although they were here`,
    `most resident memory: ${maxResidentMiB.join(", ")} MiB`,
  ].join("\n"));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  console.error(
    `again: deno task soak --minutes ${minutes} --seed ${seed} --users ${users} --keep DIRECTORY`,
  );
  Deno.exit(1);
}
