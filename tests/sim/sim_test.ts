import assert from "node:assert/strict";
import { type Outcome, runBatch } from "./batch.ts";
import { differences } from "./compare.ts";
import { FAILED_SEEDS } from "./failed_seeds.ts";
import { planOf, run } from "./run.ts";
import { summary } from "./summary.ts";

/** Seeds of every test run. */
const SEEDS = 200;

function describe({ seed, machines, problems, faults }: Outcome): string {
  const command = `deno task sim --seed ${seed} --relays ${machines} --trace`;
  return [`seed ${seed} (${faults} faults): ${command}`, ...problems].join("\n  ");
}

Deno.test("S-98 S-105 200 seeded networks with kills, cuts and wrong clocks end as the oracle says", async () => {
  const seeds = Array.from({ length: SEEDS }, (_, index) => index + 1);
  const regressions = FAILED_SEEDS.filter(({ seed, machines }) => seed > SEEDS || machines !== undefined);
  const outcomes: Outcome[] = [];
  const runAll = (some: readonly number[], machines?: number) =>
    runBatch({ seeds: some, machines, jobs: 2, hours: "28" }, (outcome) => {
      outcomes.push(outcome);
    });
  await runAll(seeds);
  for (const [machines, some] of Map.groupBy(regressions, (one) => one.machines)) {
    await runAll(some.map(({ seed }) => seed), machines);
  }
  assert.equal(outcomes.length, SEEDS + regressions.length);
  const failed = outcomes.filter(({ problems }) => problems.length > 0);
  assert.equal(failed.length, 0, failed.map(describe).join("\n"));
  const faults = outcomes.reduce((sum, outcome) => sum + outcome.faults, 0);
  assert.ok(faults >= 1_000, summary(outcomes));
});

Deno.test("S-98 what connections lost without a word is there after the daily reconcile", async () => {
  const late: number[] = [];
  for (let seed = 1; seed <= 4; seed++) {
    const plan = { ...planOf(seed, 3), faults: 0, loss: 0.2 };
    const { problems, convergedAfterMs } = await run(plan);
    assert.deepEqual(problems, [], `seed ${seed}`);
    if (convergedAfterMs! > 8 * 3_600_000) late.push(seed);
  }
  assert.ok(late.length > 0, "nothing had to wait for it");
});

Deno.test("one seed is one run: every message, byte and moment is the same again", async () => {
  const first = await run(planOf(5));
  await run(planOf(6));
  const second = await run(planOf(5));
  assert.deepEqual(
    [second.fingerprint, second.convergedAfterMs, second.problems],
    [first.fingerprint, first.convergedAfterMs, first.problems],
  );
  assert.notEqual(first.fingerprint, (await run(planOf(6))).fingerprint);
});

Deno.test("the oracle notices a lost event, a stale ref and an event nobody made", async () => {
  const plan = { ...planOf(1), faults: 0, deletions: false };
  await run(plan, {
    inspect: async (evidence) => {
      assert.deepEqual(await differences(evidence), []);
      const machines = [...evidence.machines.values()];
      const machine = machines.find(({ disk }) => disk.repositories.size > 0)!;
      const issue = [...evidence.ledger.events.values()].find(({ event, told }) =>
        event.kind === 1621 && told.get(machine.host) === "accepted"
      )!.event;
      await machine.store.commit({ removeEvents: [issue.id] });
      await machine.store.commit({ insertEvents: [{ event: { ...issue, id: "f".repeat(64) } }] });
      const repository = [...machine.disk.repositories.values()].find(({ refs }) =>
        refs.size > 0
      )!;
      repository.refs.set("refs/heads/stale", [...repository.refs.values()][0]!);
      const found = await differences(evidence);
      assert.equal(found.length, 3, found.join("\n"));
      assert.match(found[0]!, new RegExp(`lacks kind 1621 ${issue.id.slice(0, 8)}`));
      assert.match(found[1]!, /which nobody made/);
      assert.match(found[2]!, /has refs .*stale.* instead of/);
    },
  });
});
