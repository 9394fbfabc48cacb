import { deepStrictEqual, ok } from "node:assert/strict";
import type { NostrEvent } from "../../lib/nostr/mod.ts";
import { Dice } from "../sim/dice.ts";
import { announcement, type Bench, bench, event, KEYS, NOW, state } from "./support.ts";

const ORDERS = 200;
const OID = { alice: "1".repeat(40), bob: "2".repeat(40), pull: "3".repeat(40), update: "4".repeat(40) };

type Step = (world: Bench) => Promise<unknown>;

/** Announcement, maintainers, states, pull request, update, issue and comments of one repository. */
function story(): NostrEvent[] {
  const address = `30617:${KEYS.alice}:x`;
  const issue = event("mallory", 1621, [["a", address]]);
  const comment = event("dave", 1111, [["E", issue.id], ["e", issue.id]]);
  const pull = event("dave", 1618, [["a", address], ["c", OID.pull]]);
  return [
    announcement("alice", { maintainers: [KEYS.bob] }),
    announcement("bob", { elsewhere: true, maintainers: [KEYS.carol] }),
    announcement("carol", { elsewhere: true }),
    state("alice", OID.alice, { at: NOW - 5 }),
    state("bob", OID.bob, { at: NOW - 4 }),
    state("carol", OID.alice, { at: NOW - 3 }),
    pull,
    event("dave", 1619, [["a", address], ["E", pull.id], ["e", pull.id], ["c", OID.update]]),
    issue,
    comment,
    event("bob", 1111, [["e", comment.id]]),
    event("bob", 1632, [["e", issue.id]]),
  ];
}

async function settle(world: Bench): Promise<void> {
  await world.intake.settled();
}

/** Ids served at the end, and what still waits. */
async function outcome({ store }: Bench) {
  const { events } = await store.query([{ tags: new Map(), limit: 1_000 }]);
  const served = events.map((text) => (JSON.parse(text) as NostrEvent).id).sort();
  const { active, soft, states, pullRequests } = await store.waitingCounts();
  return { served, waiting: [active, soft, states, pullRequests] };
}

Deno.test("S-98 scenario S41: 200 orders of one repository's events and git data end in the same database", async () => {
  const events = story();
  const everything = { served: events.map(({ id }) => id).sort(), waiting: [0, 0, 0, 0] };
  for (let seed = 1; seed <= ORDERS; seed++) {
    const dice = new Dice(seed);
    const delivered = new Set<string>();
    await bench(async (world) => {
      const steps: Step[] = events.map((each) => async ({ sync }) => {
        await sync(each);
        delivered.add(each.id);
      });
      // The same from a second relay at any time: repetition changes nothing.
      for (const each of events) if (dice.chance(0.3)) steps.push(({ sync }) => sync(each));
      const first = events[0]!;
      const brought: Step[] = Object.values(OID).map((oid) => async ({ bring }) => {
        if (delivered.has(first.id)) await bring("alice", [oid]);
      });
      for (const step of shuffled([...steps, ...brought], dice)) {
        await step(world);
        if (dice.chance(0.5)) await settle(world);
      }
      await settle(world);
      // Fetches go on until nothing is missing.
      await world.bring("alice", Object.values(OID));
      await settle(world);
      deepStrictEqual(await outcome(world), everything, `seed ${seed}`);
      ok((await world.store.unwanted(events.map(({ id }) => id))).size === events.length);
    });
  }
});

function shuffled<T>(items: readonly T[], dice: Dice): T[] {
  const mixed = [...items];
  for (let at = mixed.length - 1; at > 0; at--) {
    const other = dice.below(at + 1);
    [mixed[at], mixed[other]] = [mixed[other]!, mixed[at]!];
  }
  return mixed;
}
