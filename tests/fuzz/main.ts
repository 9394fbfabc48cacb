/**
 * `deno task fuzz [--filters N] [--seed N] [--world N]`: random events and filters, answered by the
 * product and by a plain array. Stops at the first difference, exit code 1, with the command that
 * shows it again.
 */
import { parseArgs } from "node:util";
import { describe, fuzz } from "./fuzz.ts";

const { values } = parseArgs({
  args: Deno.args,
  options: {
    filters: { type: "string", default: "100000" },
    seed: { type: "string", default: String(Date.now() % 1_000_000_000) },
    world: { type: "string", default: "0" },
  },
});
const [filters, seed, world] = [values.filters, values.seed, values.world].map(Number);
if (![filters, seed, world].every((value) => Number.isSafeInteger(value) && value! >= 0)) {
  console.error("--filters, --seed and --world take whole numbers");
  Deno.exit(2);
}

console.log(`seed ${seed}`);
const difference = await fuzz({
  seed: seed!,
  filters: filters!,
  world: world!,
  progress: (tried, done) => console.log(`${tried} of ${filters} filters, world ${done}: no difference`),
});
if (difference) {
  console.error(describe(difference));
  Deno.exit(1);
}
console.log(`${filters} filters: queries, counts and live delivery equal the oracle`);
