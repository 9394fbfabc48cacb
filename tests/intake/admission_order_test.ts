import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import { AdmissionOrder } from "../../lib/intake/mod.ts";
import type { NostrEvent } from "../../lib/nostr/mod.ts";
import { Dice } from "../sim/dice.ts";
import { announcement, BAD_SIGNATURE, bench, event, KEYS, NOW, state } from "./support.ts";

const ADDRESS = `30617:${KEYS.alice}:x`;
const OTHER = `30617:${KEYS.alice}:other`;
const issue = event("bob", 1621, [["a", ADDRESS]]);

const PAIRS: readonly [string, first: unknown, second: unknown, together: boolean][] = [
  ["two issues about one repository", issue, event("carol", 1621, [["a", ADDRESS]]), true],
  ["two comments on one issue", event("bob", 1111, [["e", issue.id]]), comment(issue, "dave"), true],
  ["an issue and a comment on it", issue, comment(issue, "dave"), false],
  ["a comment and the issue it names", comment(issue, "dave"), issue, false],
  ["the same event twice", issue, issue, false],
  ["an announcement and an issue", announcement("alice"), issue, false],
  ["an issue and a state", issue, state("alice", "1".repeat(40)), false],
  ["an issue and a deletion", issue, event("bob", 5, [["e", "f".repeat(64)]]), false],
  ["an issue and a pull request", issue, event("bob", 1618, [["a", OTHER]]), false],
  ["two profiles", event("bob", 0, []), event("bob", 0, [], NOW + 1), false],
  ["an issue and an event with many tags", issue, event("bob", 1, Array(201).fill(["t", "x"])), false],
  ["something malformed and an issue", { kind: 30617 }, issue, true],
];

function comment(on: NostrEvent, by: "dave" | "bob"): NostrEvent {
  return event(by, 1111, [["E", on.id], ["K", "1621"]]);
}

for (const [name, first, second, together] of PAIRS) {
  Deno.test(`R-3 ${name}: ${together ? "judged at the same time" : "one after the other"}`, async () => {
    const order = new AdmissionOrder();
    const log: string[] = [];
    const judging = Promise.withResolvers<void>();
    const run = [
      order.run(first, async () => {
        log.push("first begins");
        await judging.promise;
        log.push("first ends");
      }),
      order.run(second, () => Promise.resolve(void log.push("second"))),
    ];
    await setImmediate();
    judging.resolve();
    await Promise.all(run);
    const [begin, end] = ["first begins", "first ends"];
    assert.deepEqual(log, together ? [begin, "second", end] : [begin, end, "second"]);
  });
}

Deno.test("what comes after an event that is judged alone waits for it, however much was under way before", async () => {
  const order = new AdmissionOrder();
  const log: string[] = [];
  const run = (name: string, value: unknown, turns: number) =>
    order.run(value, async () => {
      for (let turn = 0; turn < turns; turn++) await setImmediate();
      log.push(name);
    });
  await Promise.all([
    run("slow issue", event("bob", 1621, [["a", ADDRESS]]), 5),
    run("state", state("alice", "1".repeat(40)), 3),
    run("issue", issue, 0),
    run("announcement", announcement("alice"), 0),
  ]);
  assert.deepEqual(log, ["slow issue", "state", "issue", "announcement"]);
  // Nothing is kept of what has ended.
  const free = order.run(issue, () => Promise.resolve(log.push("again")));
  assert.equal(log.at(-1), "again");
  await free;
});

Deno.test("R-3 R-6 40 random streams of one sender get the answers they get one at a time, and leave the same events", async () => {
  for (let seed = 1; seed <= 40; seed++) {
    const events = stream(new Dice(seed));
    const dice = new Dice(seed + 1_000);
    const one = await play(events, async (each, submit) => await submit(each));
    const order = new AdmissionOrder();
    const overlapping = await play(events, (each, submit) => {
      const turns = dice.below(4);
      return order.run(each, async () => {
        for (let turn = 0; turn < turns; turn++) await setImmediate();
        return await submit(each);
      });
    }, true);
    assert.deepEqual(overlapping, one, `seed ${seed}`);
  }
});

type Submit = (event: NostrEvent) => Promise<string>;

/** The answers to `events`, and the ids served at the end. */
async function play(
  events: readonly NostrEvent[],
  send: (event: NostrEvent, submit: Submit) => Promise<string>,
  overlap = false,
) {
  let outcome: unknown;
  await bench(async ({ submit, store, bring }) => {
    await submit(announcement("alice"));
    await submit(state("alice", "1".repeat(40)));
    await bring("alice", ["1".repeat(40)]);
    const said: Submit = async (each) => {
      const { accepted, message } = await submit(each);
      return `${accepted} ${message}`;
    };
    const answers: Promise<string>[] = [];
    for (const each of events) {
      const answer = send(each, said);
      if (!overlap) await answer;
      answers.push(answer);
    }
    const answered = await Promise.all(answers);
    const { events: texts } = await store.query([{ tags: new Map(), limit: 1_000 }]);
    outcome = { answered, served: texts.map((text) => (JSON.parse(text) as NostrEvent).id) };
  });
  return outcome;
}

/** Issues, comments on earlier and later events, copies, deletions, profiles, bad signatures. */
function stream(dice: Dice): NostrEvent[] {
  const events: NostrEvent[] = [];
  for (let n = 0; n < 25; n++) {
    const author = dice.pick(["alice", "bob", "carol", "dave"] as const);
    const earlier = events.length > 0 ? dice.pick(events) : issue;
    const unique = ["subject", String(n)];
    const made = [
      () => event(author, 1621, [["a", ADDRESS], unique]),
      () => event(author, 1621, [["a", OTHER], unique]),
      () => event(author, 1111, [["E", earlier.id], unique]),
      () => event(author, 1111, [["E", earlier.id], ["q", events.at(-1)?.id ?? issue.id], unique]),
      () => earlier,
      () => event(earlier === issue ? "bob" : author, 5, [["e", earlier.id]]),
      () => event(author, 0, [["e", earlier.id], unique], NOW - dice.below(5)),
      () => ({ ...event(author, 1621, [["a", ADDRESS], unique]), sig: BAD_SIGNATURE }),
      () => event(author, 1618, [["a", ADDRESS], ["c", String(n).padStart(40, "0")], unique]),
    ];
    events.push(dice.pick(made)());
  }
  // Some refer to what comes after them.
  for (let n = 0; n < 3; n++) {
    const at = dice.below(events.length);
    events.splice(dice.below(at + 1), 0, event("bob", 1111, [["e", events[at]!.id], ["n", String(n)]]));
  }
  return events;
}
