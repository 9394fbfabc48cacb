import assert from "node:assert/strict";
import { createClient } from "@libsql/client";
import type { NostrEvent } from "../../lib/nostr/mod.ts";
import type { RetiredRepository, Tombstone } from "../../lib/store/mod.ts";
import { eachStore } from "./each_store.ts";
import { event, filter, ids, key, NOW, NOW_MS, open, put, withDirectory, withMemory } from "./fixtures.ts";
import { retiredRows } from "../support/held.ts";

function coordinate(until: number, more: Partial<Tombstone & { type: "coordinate" }> = {}): Tombstone {
  return { type: "coordinate", kind: 30617, pubkey: key(1), identifier: "a:b", until, ...more };
}

Deno.test(
  "tombstones stop an id of its author and versions of a coordinate up to a time",
  eachStore(async ({ store }) => {
    const note = event({ content: "gone" });
    const version = (created_at: number, more: Partial<NostrEvent> = {}) =>
      event({ kind: 30617, created_at, tags: [["d", "a:b"]], ...more });
    await store.commit({
      putTombstones: [
        { type: "id", id: note.id, pubkey: note.pubkey },
        { type: "id", id: key(7), pubkey: key(8) },
        coordinate(NOW),
        coordinate(NOW, { kind: 10_317, identifier: "" }),
        coordinate(NOW, { kind: 1, identifier: "" }),
        coordinate(NOW, { kind: 30_618, identifier: "" }),
        coordinate(NOW, { identifier: "n\0ul" }),
      ],
    });
    const cases: readonly [string, NostrEvent, boolean][] = [
      ["its id and author", note, true],
      ["its id, another author", event({ id: note.id, pubkey: key(2) }), false],
      ["the id of a tombstone of somebody else", event({ id: key(7) }), false],
      ["an older version", version(NOW - 1), true],
      ["a version of the same second", version(NOW), true],
      ["a newer version", version(NOW + 1), false],
      ["another owner", version(NOW, { pubkey: key(2) }), false],
      ["another kind", version(NOW, { kind: 30618 }), false],
      ["another identifier", version(NOW, { tags: [["d", "a"]] }), false],
      ["a replaceable kind", event({ kind: 10_317 }), true],
      ["a replaceable kind with a d tag", event({ kind: 10_317, tags: [["d", "x"]] }), true],
      ["an addressable kind without d", event({ kind: 30618 }), true],
      ["a regular kind has no coordinate", event({ kind: 1 }), false],
      ["an identifier with NUL", version(NOW, { tags: [["d", "n\0ul"]] }), true],
      ["its beginning", version(NOW, { tags: [["d", "n"]] }), false],
    ];
    for (const [name, each, expected] of cases) {
      assert.equal(await store.isTombstoned(each), expected, name);
    }
  }),
);

Deno.test("of tombstones of one coordinate the latest time stands, in one unit and in several", () =>
  withDirectory(async (path) => {
    const first = await open(path);
    await first.store.commit({ putTombstones: [coordinate(NOW + 5), coordinate(NOW + 9), coordinate(NOW)] });
    await Promise.all([
      first.store.commit({ putTombstones: [coordinate(NOW + 1)] }),
      first.store.commit({ putTombstones: [coordinate(NOW + 2)] }),
    ]);
    await first.store.close();
    const { store } = await open(path);
    const version = (created_at: number) => event({ kind: 30617, created_at, tags: [["d", "a:b"]] });
    assert.equal(await store.isTombstoned(version(NOW + 9)), true);
    assert.equal(await store.isTombstoned(version(NOW + 10)), false);
    await store.close();
  }));

Deno.test("removed events are no longer served, found by tag, or in the way of an older version", () =>
  withDirectory(async (path) => {
    const { store } = await open(path);
    const tags = [["d", "x"], ["e", key(5)], ["p", key(6)]];
    const old = event({ kind: 30617, tags, created_at: NOW - 5 });
    const current = event({ kind: 30617, tags });
    const note = event({ tags });
    await put(store, current, note);
    assert.deepEqual(await put(store, old), ["superseded"]);
    const removal = { removeEvents: [current.id, key(99)] };
    await store.commit(removal);
    await store.commit(removal);
    assert.equal(await store.has(current.id), false);
    assert.equal(await store.currentVersion(30617, key(1), "x"), undefined);
    assert.deepEqual(await ids(store, filter({ tags: { e: [key(5)] } })), [note.id]);
    assert.deepEqual(await store.get([note.id, current.id, note.id, key(99)]), [note]);
    assert.deepEqual(await put(store, old), ["stored"]);

    // One unit: what it removes makes room for what it inserts.
    assert.deepEqual(
      await store.commit({ insertEvents: [{ event: note }], removeEvents: [note.id] }),
      ["stored"],
    );
    // One group: later units see earlier ones.
    const answers = await Promise.all([
      put(store, current),
      store.commit({ removeEvents: [current.id, note.id] }),
      put(store, old),
      put(store, old),
    ]);
    assert.deepEqual(answers, [["stored"], [], ["stored"], ["duplicate"]]);
    assert.deepEqual(await ids(store, filter()), [old.id]);
    const outsider = createClient({ url: `file:${path}` });
    const left = await outsider.execute("SELECT count(*), (SELECT count(*) FROM tags) FROM events");
    outsider.close();
    assert.deepEqual([left.rows[0]?.[0], left.rows[0]?.[1]], [1, 3]);
    await store.close();
  }));

Deno.test("a row number is never used again, not even that of a removed last event", () =>
  withDirectory(async (path) => {
    const { store } = await open(path);
    const [first, second, third] = [1, 2, 3].map((n) => event({ content: String(n) }));
    await put(store, first!, second!);
    await store.commit({ removeEvents: [first!.id, second!.id] });
    await put(store, third!);
    const outsider = createClient({ url: `file:${path}` });
    assert.equal((await outsider.execute("SELECT seq FROM events")).rows[0]?.[0], 3);
    outsider.close();
    await store.close();
  }));

Deno.test(
  "NIP-40 events to purge come earliest time first, at most as many as asked",
  eachStore(async ({ store, clock }) => {
    const expiring = [30, 10, 20, 40].map((n) => event({ tags: [["expiration", String(NOW + n)]] }));
    await put(store, event(), ...expiring);
    const times = async (now: number, limit: number) =>
      (await store.expiredServed(now, limit)).map(({ tags }) => Number(tags[0]?.[1]) - NOW);
    assert.deepEqual(await times(NOW + 9, 10), []);
    assert.deepEqual(await times(NOW + 30, 10), [10, 20, 30]);
    assert.deepEqual(await times(NOW + 99, 2), [10, 20]);
    clock.time = NOW_MS + 20_000;
    assert.deepEqual((await store.get(expiring.map(({ id }) => id))).length, 2);
    assert.equal((await store.items(filter(), 10))?.length, 3);
    await store.commit({ removeEvents: (await store.expiredServed(NOW + 99, 10)).map(({ id }) => id) });
    assert.deepEqual(await times(NOW + 99, 10), []);
  }),
);

function retired(retiredAt: number, more: Partial<RetiredRepository> = {}): RetiredRepository {
  return {
    owner: key(1),
    identifier: "a:b",
    reason: "deleted",
    directory: `.archive/npub1/a:b-${retiredAt}`,
    retiredAt,
    events: [event({ kind: 30617, tags: [["d", "a:b"], ["odd", "\0\ud800\x1e"]] }), event()],
    ...more,
  };
}

Deno.test("retired repositories are read back as they were put, also after a restart", () =>
  withDirectory(async (path) => {
    const first = await open(path);
    const entries = [
      retired(NOW_MS),
      retired(NOW_MS + 5, { reason: "operator", directory: "", events: [] }),
      retired(NOW_MS + 3, { identifier: "n\0ul", reason: "expired" }),
      retired(NOW_MS + 4, { owner: key(2), reason: "withdrawn" }),
    ];
    await first.store.commit({ putRetired: entries });
    await first.store.close();
    const { store } = await open(path);
    assert.deepEqual(await retiredRows(store, key(1), "a:b"), [entries[1], entries[0]]);
    assert.deepEqual(await retiredRows(store, key(1), "n\0ul"), [entries[2]]);
    assert.deepEqual(await retiredRows(store, key(1), "n"), []);
    assert.deepEqual(await store.retiredBefore(NOW_MS + 4.5), [entries[0], entries[2], entries[3]]);
    assert.deepEqual(await store.retiredBefore(NOW_MS), []);
    await store.commit({ removeRetired: [entries[0]!, retired(NOW_MS + 77)] });
    assert.deepEqual(await retiredRows(store, key(1), "a:b"), [entries[1]]);
    await store.close();
  }));

Deno.test("retired repositories come in portions when their events are large", () =>
  withMemory(async ({ store }) => {
    const large = "x".repeat(23 * 1024 * 1024);
    for (const n of [1, 2, 3]) {
      await store.commit({ putRetired: [retired(NOW_MS + n, { events: [event({ content: large })] })] });
    }
    const first = await store.retiredBefore(NOW_MS + 9);
    assert.deepEqual(first.map(({ retiredAt }) => retiredAt - NOW_MS), [1, 2]);
    await store.commit({ removeRetired: first });
    const second = await store.retiredBefore(NOW_MS + 9);
    assert.deepEqual(second.map(({ retiredAt }) => retiredAt - NOW_MS), [3]);
  }));
