import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import type { NostrEvent } from "../../lib/nostr/mod.ts";
import { runJobs } from "../support/jobs.ts";
import { eventually, withTempDirectory } from "../support/temp.ts";
import { announcement, bench, event, KEYS, NOW, state } from "./support.ts";

const OID = "1".repeat(40);
const DAY = 86_400_000;

Deno.test("S-91 a refused event is whole for 120 s and known by id for 7 days, then judged again", () =>
  bench(async ({ sync, store, clock, verified }) => {
    const early = state("alice", OID);
    await sync(early);
    const counts = async () => (await store.refusedCounts()).state;
    deepStrictEqual(await counts(), { whole: 1, ids: 1 });
    const [entry] = await store.refused(
      { identifier: "x", announcementsBy: [], statesBy: [KEYS.alice] },
      3,
      1,
    );
    deepStrictEqual(
      [entry?.reason, entry?.kind, entry?.createdAt, entry?.attempts, entry?.at, entry?.until],
      ["maintainer_not_yet_valid", 30618, NOW, 0, NOW * 1000, NOW * 1000 + 7 * DAY],
    );
    clock.jump(7 * DAY - 1);
    const before = verified();
    await sync(early);
    strictEqual(verified(), before);
    clock.jump(1);
    strictEqual((await sync(early)).result, "rejected");
    strictEqual(verified(), before + 1);
  }));

Deno.test("S-106 sweeps and invalidations count each type by itself", () =>
  bench(async ({ sync, intake, clock, tally, submit }) => {
    const aborting = new AbortController();
    const upkeep = runJobs(intake.jobs(), clock, aborting.signal);
    await sync(state("alice", OID));
    await sync(state("alice", "2".repeat(40), { identifier: "y" }));
    await sync(announcement("bob", { elsewhere: true }));
    await sync(event("carol", 1, []));
    await clock.advance(60_000);
    deepStrictEqual(tally.counts, new Map());
    await submit(announcement("alice", { identifier: "y" }));
    await intake.settled();
    deepStrictEqual(tally.counts, new Map([["invalidated state", 1], ["hotHits state", 1]]));
    deepStrictEqual(await intake.rejectedCounts(), {
      hot: { announcement: 1, state: 1 },
      cold: { announcement: 1, state: 1 },
    });
    tally.counts.clear();
    // A sweep writes, which takes turns of the event loop that a virtual clock does not know of.
    await eventually("swept", async () => {
      if (tally.counts.size < 2) await clock.advance(60_000);
      return tally.counts.size >= 2;
    });
    deepStrictEqual(tally.counts, new Map([["hotExpired announcement", 1], ["hotExpired state", 1]]));
    tally.counts.clear();
    await submit(announcement("alice"));
    await intake.settled();
    deepStrictEqual(tally.counts, new Map([["invalidated state", 1], ["hotMiss state", 1]]));
    tally.counts.clear();
    aborting.abort();
    await upkeep.ended();
    clock.jump(7 * DAY);
    // A start forgets what is past its time.
    await runJobs(intake.jobs(), clock, aborting.signal).started;
    deepStrictEqual(tally.counts, new Map([["coldExpired announcement", 1]]));
    deepStrictEqual(await intake.rejectedCounts(), {
      hot: { announcement: 0, state: 0 },
      cold: { announcement: 0, state: 0 },
    });
  }));

Deno.test("S-109 scenario S14: refused events are known after a restart; downtime counts, and the hot ones are judged again", () =>
  withTempDirectory(async (directory) => {
    const location = `${directory}/relay.db`;
    const [early, other] = [state("alice", OID), announcement("bob", { elsewhere: true })];
    await bench(async ({ sync }) => {
      await sync(early);
      await sync(other);
    }, { location });
    await bench(async ({ sync, submit, store, intake, clock, verified }) => {
      clock.jump(119_000);
      deepStrictEqual(await store.unwanted([early.id, other.id]), new Set([early.id, other.id]));
      strictEqual((await sync(other)).result, "rejected");
      strictEqual(verified(), 0);
      await submit(announcement("alice"));
      await intake.settled();
      strictEqual(await store.waitingKind(early.id), "state");
      clock.jump(7 * DAY);
      strictEqual((await store.unwanted([other.id])).size, 0);
    }, { location });
  }));

Deno.test("lifetimes are the operator's; a hot lifetime of nothing keeps ids only", () =>
  bench(async ({ sync, store, clock, verified }) => {
    const early = state("alice", OID);
    await sync(early);
    deepStrictEqual((await store.refusedCounts()).state, { whole: 0, ids: 1 });
    clock.jump(5_000);
    await sync(early);
    strictEqual(verified(), 2);
  }, { hotMs: 0, coldMs: 5_000 }));

Deno.test("R-88 a user's refused event is never remembered, and one that is remembered is judged for a user", () =>
  bench(async ({ sync, submit, store, verified }) => {
    const own = state("alice", OID);
    strictEqual((await submit(own)).result, "rejected");
    strictEqual((await store.unwanted([own.id])).size, 0);
    await sync(own);
    const before = verified();
    await submit(own);
    strictEqual(verified(), before + 1);
  }));

Deno.test("hostile identifiers and references are remembered by id alone, or not at all", () =>
  bench(async ({ sync, store, log }) => {
    const long = event("bob", 30618, [["d", "y".repeat(2_000)]]);
    const many = event(
      "bob",
      1,
      Array.from({ length: 200 }, (_, n) => ["e", n.toString(16).padStart(64, "0")]),
    );
    const nameless = event("bob", 30618, []);
    const all: NostrEvent[] = [long, many, nameless];
    for (const each of all) strictEqual((await sync(each)).result, "rejected");
    deepStrictEqual(await store.unwanted(all.map(({ id }) => id)), new Set([long.id]));
    deepStrictEqual(await store.refusedCounts().then(({ state, related }) => [state.ids, related.ids]), [
      0,
      0,
    ]);
    ok(log.lines.some((line) => line.includes("has no identifier and is not remembered")));
  }));
