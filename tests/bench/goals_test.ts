import { match, strictEqual } from "node:assert/strict";
import { renderGoals } from "../../bench/goals.ts";
import { parsePeerChoice } from "../../bench/peer_choice.ts";
import type { Measured, Outcome } from "../../bench/table.ts";

function measured(ours: number, peers: readonly number[], figures: Record<string, number> = {}): Measured {
  const beside = peers.map((value) => ({ name: "peer", samples: [value] }));
  return { row: "a row", unit: "ms", better: "lower", how: "", ours: [ours], beside, figures };
}

function lineOf(goal: string, outcomes: Record<string, Outcome>): string {
  return renderGoals(new Map(Object.entries(outcomes))).split("\n").find((line) => line.includes(goal))!;
}

Deno.test("a goal is met, missed or not measured, with its figure or the reason", () => {
  const goal = "20 ms longer";
  match(lineOf(goal, { push: measured(40, [25]) }), /\| met \| 15 ms longer \|/);
  match(lineOf(goal, { push: measured(50, [25]) }), /\| missed \| 25 ms longer \|/);
  match(lineOf(goal, {}), /\| not measured \| row push was not run \|/);
  match(lineOf(goal, { push: { error: "late" } }), /\| not measured \| row push failed \|/);
  match(lineOf(goal, { push: measured(50, []) }), /\| not measured \| row push has nothing beside it \|/);
});

Deno.test("goals that rest on figures read them, and a smaller push proves nothing", () => {
  const goal = "1 GiB grows";
  const push = (figures: Record<string, number>) => ({ "push-large": measured(9, [9], figures) });
  match(lineOf(goal, push({ memoryGrowthMiB: 64, pushedMiB: 1_024 })), /\| met \| 64 MiB \|/);
  match(lineOf(goal, push({ memoryGrowthMiB: 65, pushedMiB: 1_024 })), /\| missed \| 65 MiB \|/);
  match(lineOf(goal, push({ memoryGrowthMiB: 5, pushedMiB: 128 })), /not measured \| 128 MiB were pushed/);
  match(lineOf(goal, push({ pushedMiB: 1_024 })), /not measured \| row push-large has no memoryGrowthMiB/);
});

Deno.test("a missed goal says what limits it; one that is met does not", () => {
  const events = (rate: number) => ({ events: measured(rate, [20_000, 4_000], { serverCpuMicros: 500 }) });
  const limits = (outcomes: Record<string, Outcome>) =>
    renderGoals(new Map(Object.entries(outcomes))).split("\n\n").slice(1).join("\n");
  match(
    limits(events(3_000)),
    /^What limits .*\n- \*5,000 events in per second\*: .*500 µs.* 250 µs.* 400 µs/,
  );
  match(
    limits({ fanout: measured(9, [], { p99Ms: 21 }) }),
    /subscriptions within 20 ms \(p99\)\*: not known/,
  );
  strictEqual(limits(events(5_000)), "");
});

Deno.test("the peer is nginx, nobody, or a server elsewhere with the path of a repository", () => {
  const choose = (peer?: string, url?: string, repository?: string): string => {
    try {
      const choice = parsePeerChoice({ peer, url, repository });
      return choice.kind === "url" ? choice.url : choice.kind;
    } catch (error) {
      return (error as Error).message;
    }
  };
  strictEqual(choose(), "nginx");
  strictEqual(choose("none"), "none");
  strictEqual(
    choose(undefined, "http://127.0.0.1:8080/", "/npub1x/a.git"),
    "http://127.0.0.1:8080/npub1x/a.git",
  );
  strictEqual(choose("apache"), "--peer takes nginx or none");
  strictEqual(choose("none", "http://a", "b"), "--peer and --peer-url exclude each other");
  match(choose(undefined, "http://a"), /belong together/);
  match(choose(undefined, undefined, "b"), /belong together/);
  strictEqual(choose(undefined, "ssh://a", "b"), "--peer-url takes an http or https URL");
});
