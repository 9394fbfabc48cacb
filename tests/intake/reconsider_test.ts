import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import type { NostrEvent } from "../../lib/nostr/mod.ts";
import { isRefused } from "../store/fixtures.ts";
import { announcement, type Bench, bench, event, KEYS, NOW, state } from "./support.ts";

const OID = "1".repeat(40);
const address = (owner: keyof typeof KEYS) => `30617:${KEYS[owner]}:x`;

/** Serves alice's repository with one state. */
async function served({ submit, bring }: Bench, maintainers: readonly string[] = []): Promise<NostrEvent> {
  const mine = announcement("alice", { maintainers });
  await submit(mine);
  await submit(state("alice", OID));
  await bring("alice", [OID]);
  return mine;
}

Deno.test("S-93 scenario S42: three maintainers' announcements are served when the owner's becomes known", async (t) => {
  const owners = announcement("alice", { maintainers: [KEYS.bob, KEYS.carol, KEYS.dave] });
  const theirs = (["bob", "carol", "dave"] as const).map((name) => announcement(name, { elsewhere: true }));
  const ways: Record<string, (world: Bench) => Promise<unknown>> = {
    "by sync": ({ sync }) => sync(owners),
    "by a user": ({ submit }) => submit(owners),
    "by a push or a fetch": async (world) => {
      await served(world, [KEYS.bob, KEYS.carol, KEYS.dave]);
    },
  };
  for (const [way, arrives] of Object.entries(ways)) {
    await t.step(way, () =>
      bench(async (world) => {
        for (const each of theirs) strictEqual((await world.sync(each)).result, "rejected");
        await arrives(world);
        await world.intake.settled();
        for (const each of theirs) ok(await world.isServed(each), way);
        strictEqual(world.tally.counts.get("hotHits announcement"), 3);
        deepStrictEqual(world.wants, []);
      }));
  }
});

Deno.test("S-93 promotion alone, a replacement, and a revival make maintainers' events acceptable too", () =>
  bench(async (world) => {
    const { sync, submit, intake, isServed, store } = world;
    await served(world);
    const late = announcement("bob", { elsewhere: true });
    const theirs = state("bob", "2".repeat(40));
    for (const each of [late, theirs]) strictEqual((await sync(each)).result, "rejected");
    await submit(announcement("alice", { maintainers: [KEYS.bob], at: NOW + 1 }));
    await intake.settled();
    ok(await isServed(late));
    strictEqual(await store.waitingKind(theirs.id), "state");
  }));

Deno.test("S-93 scenario S44: states of the author and of a maintainer wait as soon as the announcement does", () =>
  bench(async ({ sync, store, intake, handedOver }) => {
    const states = [state("alice", OID), state("bob", OID), state("carol", OID)];
    for (const each of states) strictEqual((await sync(each)).result, "rejected");
    await sync(announcement("alice", { maintainers: [KEYS.bob] }));
    await intake.settled();
    const kinds = await Promise.all(states.map(({ id }) => store.waitingKind(id)));
    deepStrictEqual(kinds, ["state", "state", undefined]);
    deepStrictEqual(new Set(handedOver.map(({ id }) => id)), new Set([states[0]!.id, states[1]!.id]));
    ok(await isRefused(store, states[2]!.id), "a stranger's stays refused");
  }));

Deno.test("S-93 a chain of maintainers resolves by itself, whatever order it came in", () =>
  bench(async ({ sync, submit, intake, isServed, store }) => {
    const chain = [
      announcement("bob", { elsewhere: true, maintainers: [KEYS.carol] }),
      announcement("carol", { elsewhere: true, maintainers: [KEYS.dave] }),
      announcement("dave", { elsewhere: true }),
    ];
    const last = state("dave", OID);
    for (const each of [last, ...chain].reverse()) await sync(each);
    await submit(announcement("alice", { maintainers: [KEYS.bob] }));
    await intake.settled();
    for (const each of chain) ok(await isServed(each));
    strictEqual(await store.waitingKind(last.id), "state");
  }));

Deno.test("S-93 a maintainer known before counts when a new owner leads to it", () =>
  bench(async (world) => {
    const { sync, submit, intake, isServed } = world;
    await served(world, [KEYS.bob]);
    const known = announcement("bob", { elsewhere: true, maintainers: [KEYS.carol] });
    await sync(known);
    ok(await isServed(known));
    const request = event("alice", 5, [["a", address("alice")]], NOW);
    await submit(request);
    const theirs = announcement("carol", { elsewhere: true });
    strictEqual((await sync(theirs)).result, "rejected");
    await submit(announcement("dave", { maintainers: [KEYS.bob] }));
    await intake.settled();
    ok(await isServed(theirs));
  }));

Deno.test("S-94 scenario S43: when only ids are left they are forgotten and asked for, once a minute per key", () =>
  bench(async ({ sync, submit, intake, store, clock, wants, tally }) => {
    const early = [state("alice", OID), state("bob", OID), announcement("bob", { elsewhere: true })];
    for (const each of early) await sync(each);
    clock.jump(125_000);
    await submit(announcement("alice", { maintainers: [KEYS.bob] }));
    await intake.settled();
    deepStrictEqual(
      wants.map(({ authors, ...rest }) => ({ ...rest, authors: [...authors].sort() })),
      [
        { kind: 30618, identifier: "x", authors: [KEYS.alice, KEYS.bob] },
        { kind: 30617, identifier: "x", authors: [KEYS.bob] },
      ].sort((a, b) => wants[0]!.kind === a.kind ? -1 : wants[0]!.kind === b.kind ? 1 : 0),
    );
    strictEqual((await store.unwanted(early.map(({ id }) => id))).size, 0);
    deepStrictEqual(tally.counts.get("hotMiss state"), 1);
    strictEqual((await sync(early[0]!)).result, "purgatory");
    strictEqual((await sync(early[2]!)).result, "saved");
    const again = state("carol", OID);
    const asked = wants.length;
    const carols = () => wants.slice(asked).filter(({ authors }) => authors.includes(KEYS.carol)).length;
    for (const [n, expected] of [[1, 1], [2, 1], [3, 2]] as const) {
      // Forgotten by its author's removal from the list, and refused as if for the first time.
      await store.commit({
        putRefused: [{
          id: again.id,
          type: "state",
          kind: 30618,
          author: KEYS.carol,
          identifier: "x",
          createdAt: NOW,
          reason: "other",
          at: clock.now(),
          attempts: 0,
          until: clock.now() + 1e9,
          whole: undefined,
          keys: [],
        }],
      });
      if (n === 3) await clock.advance(60_000);
      await submit(announcement("alice", { maintainers: [KEYS.carol], at: NOW + n }));
      await intake.settled();
      strictEqual(carols(), expected);
    }
  }));

Deno.test("S-95 mutually listing maintainers come to an end, and an event refused again is known by id only", () =>
  bench(async ({ sync, intake, store, isServed, submit, clock }) => {
    const circle = (["bob", "carol", "dave"] as const).map((name, index, names) =>
      announcement(name, { elsewhere: true, maintainers: [KEYS[names[(index + 1) % 3]!], KEYS.alice] })
    );
    for (const each of circle) await sync(each);
    await submit(announcement("alice", { maintainers: [KEYS.bob, KEYS.carol, KEYS.dave] }));
    await intake.settled();
    for (const each of circle) ok(await isServed(each));
    // A state that its own author's other state brings back, but that stays refused.
    const stuck = event("mallory", 30618, [["d", "x"], ["refs/heads/main", OID]]);
    await sync(stuck);
    const first = clock.now();
    for (let attempt = 1; attempt <= 4; attempt++) {
      clock.jump(1_000);
      await store.commit({
        putAnnouncements: [{
          ...(await store.readIdentifier("x")).waitingAnnouncements[0]!,
          event: announcement("alice", { maintainers: [KEYS.mallory], at: NOW + attempt }),
        }],
      });
      await store.commit({
        putAnnouncements: [{
          ...(await store.readIdentifier("x")).waitingAnnouncements[0]!,
          event: announcement("alice", { at: NOW + attempt }),
        }],
      });
      await intake.settled();
      const [entry] = await store.refused(
        { identifier: "x", announcementsBy: [], statesBy: [KEYS.mallory] },
        9,
        1,
      );
      if (!entry) break;
      deepStrictEqual([entry.at, entry.whole], [first, undefined]);
      ok(entry.attempts <= 3);
    }
  }));

Deno.test("S-90 scenario S47: an orphan refused before promotion is served with it, and accepted when offered again", () =>
  bench(async (world) => {
    const { sync, submit, intake, isServed, store, clock, bring } = world;
    const issue = event("bob", 1621, [["a", address("alice")]]);
    const comment = event("carol", 1111, [["E", issue.id], ["e", issue.id]]);
    const reply = event("dave", 1111, [["e", comment.id]]);
    const pull = event("bob", 1618, [["a", address("alice")], ["c", OID]]);
    const stranger = event("bob", 1621, [["a", address("mallory")]]);
    for (const each of [reply, comment, issue, stranger]) {
      strictEqual((await sync(each)).result, "rejected");
    }
    clock.jump(100_000);
    await sync(pull);
    await submit(announcement("alice"));
    await intake.settled();
    ok(!await isServed(issue), "nothing is related to an announcement that waits");
    strictEqual((await store.refusedCounts()).related.whole, 5);
    clock.jump(25_000);
    await submit(state("alice", OID));
    await bring("alice", [OID]);
    await intake.settled();
    ok(await isServed(pull), "still whole");
    ok(!await isServed(issue), "known by id only");
    deepStrictEqual(await store.unwanted([issue.id, stranger.id]), new Set([stranger.id]));
    strictEqual((await sync(issue)).result, "saved");
    await intake.settled();
    strictEqual((await sync(comment)).result, "saved");
    strictEqual((await sync(stranger)).result, "rejected");
  }));

Deno.test("S-90 a chain of orphans is served at once when its root is, also what a later event names", () =>
  bench(async (world) => {
    const { sync, intake, isServed, store } = world;
    const issue = event("bob", 1621, [["a", address("alice")]]);
    const comment = event("carol", 1111, [["e", issue.id]]);
    const reply = event("dave", 1111, [["e", comment.id]]);
    const named = event("dave", 1, [["t", "named by the reply below"]]);
    const naming = event("carol", 1111, [["e", reply.id], ["q", named.id]]);
    const all = [naming, named, reply, comment, issue];
    for (const each of all) strictEqual((await sync(each)).result, "rejected");
    await served(world);
    await intake.settled();
    for (const each of all) ok(await isServed(each), each.tags.join());
    strictEqual((await store.refusedCounts()).related.ids, 0);
  }));

Deno.test("a stopped intake looks at nothing again, and a user is still served", () =>
  bench(async ({ sync, submit, intake, store }) => {
    const early = state("alice", OID);
    await sync(early);
    await intake.stop();
    strictEqual((await submit(announcement("alice"))).result, "purgatory");
    await intake.settled();
    strictEqual(await store.waitingKind(early.id), undefined);
  }));
