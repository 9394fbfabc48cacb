import assert from "node:assert/strict";
import type { NostrEvent } from "../../lib/nostr/mod.ts";
import type { RefusedEvent, Store } from "../../lib/store/mod.ts";
import { MAX_WHOLE_BYTES } from "../../lib/store/refused_types.ts";
import { eachStore } from "./each_store.ts";
import { event, filter, isRefused, key, NOW, NOW_MS, open, put, withDirectory } from "./fixtures.ts";

const DAY = 86_400_000;

function state(n: number, identifier: string, more: Partial<NostrEvent> = {}): NostrEvent {
  return event({ kind: 30618, pubkey: key(n), tags: [["d", identifier]], ...more });
}

/** A refused state as intake remembers it. */
function refused(of: NostrEvent, more: Partial<RefusedEvent> = {}): RefusedEvent {
  return {
    id: of.id,
    type: "state",
    kind: of.kind,
    author: of.pubkey,
    identifier: of.tags[0]?.[1] ?? "",
    createdAt: of.created_at,
    reason: "other",
    at: NOW_MS,
    attempts: 0,
    until: NOW_MS + 7 * DAY,
    whole: { event: of, until: NOW_MS + 120_000 },
    keys: [],
    ...more,
  };
}

async function matching(store: Store, identifier: string, statesBy: readonly string[], limit = 100) {
  return await store.refused({ identifier, announcementsBy: [], statesBy }, 3, limit);
}

Deno.test(
  "S-91 refused events are found by author and identifier until their time is up",
  eachStore(async ({ store, clock }) => {
    const [mine, other, old] = [state(1, "a:b\0"), state(2, "a:b\0"), state(1, "else")];
    await store.commit({ putRefused: [mine, other, old].map((of) => refused(of)) });
    assert.deepEqual((await matching(store, "a:b\0", [key(1)])).map(({ whole }) => whole?.event), [mine]);
    assert.equal((await matching(store, "a:b\0", [key(1), key(2)])).length, 2);
    assert.deepEqual(
      await store.refused({ identifier: "else", announcementsBy: [key(1)], statesBy: [] }, 3, 9),
      [],
    );
    assert.ok(await store.hasRefused("else") && await isRefused(store, old.id));
    clock.time += 120_000;
    assert.deepEqual((await matching(store, "else", [key(1)])).map(({ whole }) => whole), [undefined]);
    assert.deepEqual(await store.sweepWhole(clock.now()), { announcement: 0, state: 3, related: 0 });
    assert.deepEqual((await store.refusedCounts()).state, { whole: 0, ids: 3 });
    clock.time = NOW_MS + 7 * DAY;
    assert.ok(!await isRefused(store, old.id) && !await store.hasRefused("else"));
    assert.deepEqual(await store.sweepRefused(clock.now()), { announcement: 0, state: 3, related: 0 });
    assert.deepEqual((await store.refusedCounts()).state, { whole: 0, ids: 0 });
  }),
);

Deno.test(
  "an entry looked at too often is left alone; related ones are found by their keys",
  eachStore(async ({ store }) => {
    const tired = state(1, "x");
    const note = event({ kind: 1, content: "orphan" });
    await store.commit({
      putRefused: [
        refused(tired, { attempts: 3 }),
        refused(note, { type: "related", identifier: "", keys: ["one", "two"] }),
      ],
    });
    assert.deepEqual(await matching(store, "x", [key(1)]), []);
    assert.deepEqual((await store.refusedByKeys(["zero", "two"], 3, 9)).map(({ id }) => id), [note.id]);
    await store.commit({
      putRefused: [refused(note, { type: "related", identifier: "", keys: ["one"] })],
    });
    assert.deepEqual(await store.refusedByKeys(["two"], 3, 9), []);
    await store.commit({ removeRefused: [note.id, tired.id] });
    assert.deepEqual(await store.refusedByKeys(["one"], 3, 9), []);
    assert.deepEqual((await store.refusedCounts()).related, { whole: 0, ids: 0 });
  }),
);

Deno.test(
  "whole events stay within 5,000 and 20 MiB, ids within 100,000: the oldest go first",
  eachStore(async ({ store }) => {
    const large = Array.from({ length: 22 }, (_, n) => state(n, "large", { content: "x".repeat(1 << 20) }));
    await store.commit({ putRefused: large.map((of, n) => refused(of, { at: NOW_MS + n })) });
    const counts = (await store.refusedCounts()).state;
    assert.ok(counts.ids === 22 && counts.whole * (1 << 20) < MAX_WHOLE_BYTES && counts.whole >= 17);
    const found = await matching(store, "large", large.map(({ pubkey }) => pubkey));
    assert.equal(found[0]!.id, large[22 - counts.whole]!.id);
    for (let at = 0; at < 101_000; at += 5_000) {
      await store.commit({
        putRefused: Array.from({ length: 5_000 }, (_, n) => {
          const id = key(at + n + 1);
          return refused(state(1, "many", { id }), { at: NOW_MS + 1_000 + at + n });
        }),
      });
    }
    const full = (await store.refusedCounts()).state;
    assert.ok(full.ids === 100_000 && full.whole <= 5_000 && full.whole > 4_500, JSON.stringify(full));
    assert.ok(!await isRefused(store, large[0]!.id) && await isRefused(store, key(105_000)));
  }),
);

Deno.test(
  "gone ids are bounded and forgotten in time",
  eachStore(async ({ store, clock }) => {
    for (let at = 0; at < 110_000; at += 10_000) {
      const putGone = Array.from({ length: 10_000 }, (_, n) => ({ id: key(at + n), until: NOW_MS + 1_000 }));
      await store.commit({ putGone });
    }
    assert.equal((await store.unwanted([key(0), key(9_999), key(10_000), key(109_999)])).size, 2);
    clock.time += 1_000;
    assert.equal((await store.unwanted([key(10_000)])).size, 0);
  }),
);

Deno.test("S-109 refused, gone and expired ids keep their end over a restart, downtime included", () =>
  withDirectory(async (path) => {
    const kept = state(1, "x");
    const first = await open(path);
    await first.store.commit({
      putRefused: [refused(kept, { until: NOW_MS + 10_000 })],
      putGone: [{ id: key(1), until: NOW_MS + 10_000 }],
      putExpired: [{ id: key(2), at: NOW_MS, until: NOW_MS + 10_000 }],
    });
    await first.store.close();
    const second = await open(path);
    const ids = [kept.id, key(1), key(2)];
    second.clock.time += 9_999;
    assert.equal((await second.store.unwanted(ids)).size, 3);
    second.clock.time += 1;
    assert.equal((await second.store.unwanted(ids)).size, 0);
    await second.store.close();
  }));

Deno.test(
  "S-55 what is served, waits, was refused, expired or is gone is unwanted; the rest is not",
  eachStore(async ({ store }) => {
    const served = event();
    const waits = state(3, "w");
    const times = { firstEnteredAt: 0, enteredAt: 0, deadlineAt: 0 };
    await put(store, served);
    await store.commit({
      putStates: [{ event: waits, author: waits.pubkey, identifier: "w", source: "sync", ...times }],
      putRefused: [
        refused(state(1, "x", { id: key(10) })),
        refused(event({ id: key(11) }), { type: "related" }),
      ],
      putExpired: [{ id: key(12), at: NOW_MS, until: NOW_MS + 1 }],
      putGone: [{ id: key(13), until: NOW_MS + 1 }],
    });
    const asked = [served.id, waits.id, ...[9, 10, 11, 12, 13].map(key)];
    assert.deepEqual([...await store.unwanted(asked)].sort(), asked.filter((id) => id !== key(9)).sort());
    const many = Array.from({ length: 2_500 }, (_, n) => key(20 + n));
    assert.equal((await store.unwanted([...many, key(13)])).size, 1);
  }),
);

Deno.test(
  "S-55 held items are the served, waiting, refused and expired events of a filter, oldest first",
  eachStore(async ({ store }) => {
    const at = (kind: number, n: number, created_at: number, identifier = "x") =>
      event({ kind, pubkey: key(n), created_at, tags: [["d", identifier]] });
    const times = { firstEnteredAt: 0, enteredAt: 0, deadlineAt: 0, source: "sync" as const };
    const announcement = at(30617, 1, NOW - 5);
    const waiting = at(30617, 2, NOW - 4);
    const refusedOne = at(30617, 3, NOW - 3);
    const expired = at(30617, 4, NOW - 2);
    const other = at(30618, 5, NOW - 1, "y");
    const pull = event({ kind: 1618, tags: [["a", "30617:k:x"], ["c", "1".repeat(40)]] });
    await put(store, announcement);
    await store.commit({
      putAnnouncements: [{ event: waiting, owner: key(2), identifier: "x", phase: "soft", ...times }],
      putStates: [{ event: other, author: key(5), identifier: "y", ...times }],
      putPullRequests: [{ event: pull, commit: "1".repeat(40), targets: [], ...times }],
      putRefused: [refused(refusedOne, { type: "announcement" })],
      putExpired: [{
        id: expired.id,
        at: NOW_MS,
        until: NOW_MS + 1,
        about: { kind: 30617, author: key(4), createdAt: expired.created_at, identifier: "x" },
      }],
    });
    const all = [announcement, waiting, refusedOne, expired];
    const cases: [Parameters<typeof filter>[0], readonly NostrEvent[]][] = [
      [{ kinds: [30617] }, all],
      [{ kinds: [30617], since: NOW - 4, until: NOW - 3 }, [waiting, refusedOne]],
      [{ kinds: [30617, 30618], tags: { d: ["y"] } }, [other]],
      [{ authors: [key(3), key(4)] }, [refusedOne, expired]],
      [{ tags: { a: ["30617:k:x"] } }, [pull]],
      [{ kinds: [1618], tags: { a: ["30617:k:y"] } }, []],
      [{ ids: [waiting.id, expired.id] }, [waiting, expired]],
      [{}, [...all, other, pull]],
      [{ kinds: [] }, []],
    ];
    for (const [fields, expected] of cases) {
      const items = await store.heldItems(filter(fields), 100);
      const wanted = expected.map(({ id, created_at }) => ({ id, createdAt: created_at }));
      assert.deepEqual(items, wanted, JSON.stringify(fields));
    }
    assert.equal(await store.heldItems(filter({ kinds: [30617] }), 3), undefined);
    assert.equal((await store.heldItems(filter({ kinds: [30617] }), 4))?.length, 4);
  }),
);

Deno.test(
  "S-55 heldItems takes turns with other tasks",
  eachStore(async ({ store }) => {
    await store.commit({
      putRefused: Array.from(
        { length: 9_000 },
        (_, n) => refused(state(1, "x", { id: key(n + 1) }), { whole: undefined }),
      ),
    });
    let turns = 0;
    let going = true;
    const count = () => {
      turns++;
      if (going) {
        setTimeout(count, 0);
      }
    };
    setTimeout(count, 0);
    assert.equal((await store.heldItems(filter({ kinds: [30618] }), 100_000))?.length, 9_000);
    going = false;
    assert.ok(turns >= 3, `${turns} turns`);
  }),
);
