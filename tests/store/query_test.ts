import assert from "node:assert/strict";
import { serialiseEvent } from "../../lib/nostr/mod.ts";
import { eachStore } from "./each_store.ts";
import { event, filter, ids, key, NOW, put, withMemory } from "./fixtures.ts";

Deno.test(
  "R-7 stored matches are the stored texts, newest first, ties by lowest id, each once",
  eachStore(async ({ store }) => {
    const old = event({ created_at: NOW - 5 });
    const a = event({ id: "a".repeat(64), content: "\u001e\u0000 \ud800" });
    const b = event({ id: "b".repeat(64) });
    await put(store, old, b, a);
    assert.deepEqual(await store.query([filter()]), { events: [a, b, old].map(serialiseEvent) });
    const both = [filter({ kinds: [1] }), filter({ authors: [key(1)] }), filter({ until: NOW - 5 })];
    assert.deepEqual(await ids(store, ...both), [a.id, b.id, old.id]);
    assert.equal(await store.count(both), 3);
    assert.equal(await store.has(a.id), true);
    assert.equal(await store.has(key(9)), false);
  }),
);

Deno.test(
  "R-7 ids of one second that begin alike are told apart by their ends, whatever way they are asked for",
  eachStore(async ({ store }) => {
    const of = (end: string, created_at: number) => event({ id: "5".repeat(63) + end, created_at });
    const events = [of("1", NOW), of("3", NOW), of("2", NOW - 1), of("4", NOW - 1)];
    await put(store, events[3]!, events[1]!, events[0]!, events[2]!);
    const all = events.map(({ id }) => id);
    assert.deepEqual(await ids(store, filter({ kinds: [1] })), all);
    assert.deepEqual(await ids(store, filter({ ids: all.toReversed() })), all);
    assert.deepEqual(await ids(store, filter({ authors: [key(1)] }), filter({ until: NOW })), all);
  }),
);

Deno.test(
  "R-7 a limit keeps the newest of each filter; 0 and empty lists match nothing",
  eachStore(async ({ store }) => {
    const events = Array.from({ length: 10 }, (_, i) => event({ created_at: NOW + i, kind: i % 2 }));
    await put(store, ...events.map((e, i) => ({ ...e, pubkey: key(i) })));
    const newest = (...at: number[]) => at.map((i) => events[i]!.id);
    assert.deepEqual(await ids(store, filter({ limit: 2 })), newest(9, 8));
    assert.deepEqual(
      await ids(store, filter({ kinds: [0], limit: 1 }), filter({ kinds: [1], limit: 2 })),
      newest(9, 8, 7),
    );
    assert.deepEqual(await ids(store, filter({ kinds: [0, 1], limit: 3 })), newest(9, 8, 7));
    assert.deepEqual(await ids(store, filter({ limit: 0 })), []);
    for (
      const empty of [{ ids: [] }, { authors: [] }, { kinds: [] }, { tags: { e: [] } }, {
        since: 5,
        until: 4,
      }]
    ) {
      assert.deepEqual(await ids(store, filter(empty)), []);
      assert.equal(await store.count([filter(empty)]), 0);
    }
    assert.deepEqual(await ids(store), []);
    assert.deepEqual(await ids(store, filter({ since: NOW + 4, until: NOW + 5 })), newest(5, 4));
    assert.equal(await store.count([filter({ limit: 1 })]), 10);
  }),
);

Deno.test(
  "R-13 without a limit 500 of 600 matches are returned, and all 300 ids of a filter",
  eachStore(async ({ store }) => {
    const events = Array.from({ length: 600 }, (_, i) => event({ created_at: NOW + i }));
    await put(store, ...events);
    const found = await ids(store, filter({ kinds: [1] }));
    assert.deepEqual(found, events.slice(100).reverse().map(({ id }) => id));
    const asked = events.slice(0, 300).map(({ id }) => id);
    assert.equal((await ids(store, filter({ ids: asked }))).length, 300);
    assert.equal((await ids(store, filter({ ids: events.map(({ id }) => id) }))).length, 600);
    assert.equal((await ids(store, filter({ limit: 100_000 }))).length, 600);
  }),
);

Deno.test("R-13 an explicit limit is clamped to the maximum, but not below the ids asked", () =>
  withMemory(async ({ store }) => {
    const events = Array.from({ length: 20 }, (_, i) => event({ created_at: NOW + i }));
    await put(store, ...events);
    assert.equal((await ids(store, filter())).length, 5);
    assert.equal((await ids(store, filter({ limit: 20 }))).length, 10);
    const asked = events.map(({ id }) => id);
    assert.equal((await ids(store, filter({ ids: asked }))).length, 20);
    assert.equal((await ids(store, filter({ ids: asked, limit: 20 }))).length, 20);
    assert.equal((await ids(store, filter({ ids: asked, limit: 3 }))).length, 3);
  }, { limits: { defaultFilterLimit: 5, maxFilterLimit: 10 } }));

Deno.test(
  "R-14 upper-case and lower-case tags are different, and only first values count",
  eachStore(async ({ store }) => {
    const target = key(7);
    const coordinate = `30617:${key(1)}:x`;
    const a = event({ tags: [["a", coordinate]] });
    const A = event({ tags: [["A", coordinate]] });
    const e = event({ tags: [["e", target, "wss://relay", "root"], ["e", target], ["e"]] });
    const E = event({ tags: [["E", target]] });
    await put(store, a, A, e, E);
    assert.deepEqual(await ids(store, filter({ tags: { a: [coordinate] } })), [a.id]);
    assert.deepEqual(await ids(store, filter({ tags: { A: [coordinate] } })), [A.id]);
    assert.deepEqual(await ids(store, filter({ tags: { e: [target] } })), [e.id]);
    assert.deepEqual(await ids(store, filter({ tags: { E: [target] } })), [E.id]);
    assert.deepEqual(await ids(store, filter({ tags: { e: ["root"] } })), []);
  }),
);

Deno.test(
  "values with NUL, the escape mark and lone surrogates match exactly, in tags and identifiers",
  eachStore(async ({ store }) => {
    const values = ["a", "a\0b", "a\0", "\0", "", "\x01", '\x01"a"', "\ud800", "\udfff", "\ufffd", "1", "01"];
    const tagged = values.map((value) => event({ tags: [["t", value]] }));
    const addressed = values.map((value) => event({ kind: 30618, tags: [["d", value]] }));
    await put(store, ...tagged, ...addressed);
    for (const [i, value] of values.entries()) {
      assert.deepEqual(
        await ids(store, filter({ tags: { t: [value] } })),
        [tagged[i]!.id],
        JSON.stringify(value),
      );
      assert.deepEqual(await ids(store, filter({ tags: { d: [value, "?"] } })), [addressed[i]!.id]);
      assert.equal((await store.currentVersion(30618, key(1), value))?.id, addressed[i]!.id);
      assert.deepEqual((await store.readIdentifier(value)).states.map(({ id }) => id), [addressed[i]!.id]);
    }
    assert.equal(await store.count([filter({ tags: { t: values } })]), values.length);
  }),
);

Deno.test(
  "NIP-40 expired events are neither returned nor counted, and count for nothing else",
  eachStore(async ({ store, clock }) => {
    const lasting = event({ tags: [["expiration", "soon"]] });
    const passing = event({
      kind: 30618,
      tags: [["d", "x"], ["expiration", String(NOW + 10)], ["expiration", "1"]],
    });
    await put(store, lasting, passing);
    const reply = event({ tags: [["e", passing.id]] });
    const pointed = event({ tags: [["a", `30618:${key(1)}:x`]] });
    const views = [
      filter(),
      filter({ kinds: [30618, 1] }),
      filter({ tags: { d: ["x"] } }),
      filter({ ids: [passing.id] }),
    ];
    for (const view of views) assert.ok((await ids(store, view)).includes(passing.id));
    assert.equal(await store.isRelated(reply), true);
    clock.time = (NOW + 10) * 1000;
    for (const view of views) {
      assert.ok(!(await ids(store, view)).includes(passing.id));
      assert.equal(await store.count([view]), (await ids(store, view)).length);
    }
    assert.equal(await store.count([filter()]), 1);
    assert.equal(await store.has(passing.id), false);
    assert.equal(await store.currentVersion(30618, key(1), "x"), undefined);
    assert.deepEqual((await store.readIdentifier("x")).states, []);
    assert.equal(await store.isRelated(reply), false);
    assert.equal(await store.isRelated(pointed), false);
  }),
);

Deno.test("a page with large events comes whole below 64 MiB, and is cut after the newest beyond", () =>
  withMemory(async ({ store }) => {
    const large = (n: number) =>
      event({ kind: 1 + n % 2, created_at: NOW - n, content: "x".repeat(7 * 1024 * 1024) + n });
    const events = Array.from({ length: 10 }, (_, n) => large(n));
    for (const each of events) await put(store, each);
    await put(store, event({ kind: 3, created_at: NOW - 99 }));
    const newest = events.map(({ id }) => id);
    const found = await ids(store, filter({ since: NOW - 4 }));
    assert.deepEqual(found, newest.slice(0, 5));
    assert.deepEqual(await ids(store, filter()), newest.slice(0, 9));
    assert.deepEqual(await ids(store, filter({ kinds: [1] }), filter({ kinds: [2] })), newest.slice(0, 9));
  }));
