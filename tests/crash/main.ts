/**
 * `deno task crash [--kills N] [--seed N] [--pack-cache on|off]`: kills a working server again and again and
 * holds it to everything it acknowledged. Exit code 1 at the first broken promise.
 */
import { parseArgs } from "node:util";
import { crash } from "./crash.ts";

const { values } = parseArgs({
  args: Deno.args,
  options: {
    kills: { type: "string", default: "200" },
    "pack-cache": { type: "string", default: "on" },
    seed: { type: "string", default: String(Date.now() % 1_000_000_000) },
  },
});
const [kills, seed] = [values.kills, values.seed].map(Number);
if (![kills, seed].every((value) => Number.isSafeInteger(value) && value! >= 0)) {
  console.error("--kills and --seed take whole numbers");
  Deno.exit(2);
}
const packCache = values["pack-cache"];
if (packCache !== "on" && packCache !== "off") {
  console.error("--pack-cache takes on or off");
  Deno.exit(2);
}

console.log(`seed ${seed}`);
try {
  const answers = await crash({
    seed: seed!,
    kills: kills!,
    packCache: packCache === "on",
    progress: (kill, answers, repositories) =>
      console.log(`kill ${kill} of ${kills}: ${answers} answers kept, ${repositories} repositories`),
  });
  console.log(`${kills} kills, ${answers} acknowledged answers, none lost`);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  console.error(`again: deno task crash --seed ${seed} --kills ${kills} --pack-cache ${packCache}`);
  Deno.exit(1);
}
