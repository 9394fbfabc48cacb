/**
 * Whole networks of servers on one virtual clock, compared with an oracle.
 *
 *   --seed N        one run, exactly as before, with its differences
 *   --seeds N       runs seeds 1 to N (--first M starts at M)
 *   --relays R      with R servers each instead of what the seed says
 *   --jobs J        processes (2)
 *   --hours H       patience after the last action, in virtual hours (28)
 *   --trace         with the log of every server
 *   --growth        how messages and bytes grow with the number of servers
 */
import { parseArgs } from "node:util";
import { type Outcome, outcomeOf, runBatch } from "./batch.ts";
import { GROWTH_SIZES, printGrowth } from "./growth.ts";
import { planOf, run } from "./run.ts";
import { summary } from "./summary.ts";

const { values } = parseArgs({
  options: {
    seed: { type: "string" },
    seeds: { type: "string" },
    first: { type: "string", default: "1" },
    relays: { type: "string" },
    jobs: { type: "string", default: "2" },
    list: { type: "string" },
    hours: { type: "string", default: "28" },
    trace: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    growth: { type: "boolean", default: false },
  },
});

const machines = values.relays === undefined ? undefined : Number(values.relays);

async function one(seed: number): Promise<Outcome> {
  const begin = performance.now();
  const plan = { ...planOf(seed, machines), patienceMs: Number(values.hours) * 3_600_000 };
  return outcomeOf(await run(plan, { trace: values.trace }), performance.now() - begin);
}

function print(outcome: Outcome): void {
  const { seed, machines, faults, events, convergedAfterMs, problems } = outcome;
  const end = convergedAfterMs === null
    ? "did not converge"
    : `converged within ${convergedAfterMs / 1000} s`;
  console.log(`seed ${seed}: ${machines} servers, ${events} events, ${faults} faults, ${end}`);
  for (const problem of problems) console.log(`  ${problem}`);
}

if (values.list !== undefined) {
  for (const seed of values.list.split(",")) {
    const outcome = await one(Number(seed));
    if (values.json) console.log(JSON.stringify(outcome));
    else print(outcome);
  }
} else if (values.growth) {
  await printGrowth(machines === undefined ? GROWTH_SIZES : [machines], (line) => console.log(line));
} else if (values.seeds !== undefined) {
  const [count, first] = [Number(values.seeds), Number(values.first)];
  const seeds = Array.from({ length: count }, (_, index) => first + index);
  const outcomes: Outcome[] = [];
  await runBatch({ seeds, machines, jobs: Number(values.jobs), hours: values.hours }, (outcome) => {
    outcomes.push(outcome);
    if (outcome.problems.length > 0) print(outcome);
  });
  console.log(summary(outcomes));
  if (outcomes.some(({ problems }) => problems.length > 0)) Deno.exit(1);
} else {
  const outcome = await one(Number(values.seed ?? "1"));
  print(outcome);
  console.log(`  ${outcome.messages} messages, ${outcome.bytes} bytes, run ${outcome.fingerprint}`);
  if (outcome.problems.length > 0) Deno.exit(1);
}
