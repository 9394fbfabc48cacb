import assert from "node:assert/strict";
import { createClient } from "@libsql/client";
import { eachStore } from "./each_store.ts";
import { event, filter, ids, key, NOW, open, put, withDirectory, withMemory } from "./fixtures.ts";

const low = "1".repeat(64);
const high = "2".repeat(64);

Deno.test(
  "R-15 only the newest version is served; of two of one second the one with the lower id",
  eachStore(async ({ store }) => {
    const tags = [["d", "x"]];
    const first = event({ kind: 30617, tags, created_at: NOW });
    const second = event({ kind: 30617, tags, created_at: NOW + 1, id: high });
    const twin = event({ kind: 30617, tags, created_at: NOW + 1, id: low });
    assert.deepEqual(await put(store, first), ["stored"]);
    assert.deepEqual(await put(store, second), ["stored"]);
    assert.deepEqual(await put(store, first, second), ["superseded", "duplicate"]);
    assert.deepEqual(await put(store, twin), ["stored"]);
    assert.deepEqual(await put(store, second), ["superseded"]);
    assert.deepEqual(await ids(store, filter({ tags: { d: ["x"] } })), [low]);
    assert.equal((await store.currentVersion(30617, key(1), "x"))?.id, low);
    assert.equal(await store.count([filter()]), 1);
  }),
);

Deno.test(
  "R-15 versions in one unit and in one group are decided in order",
  eachStore(async ({ store }) => {
    const version = (at: number, kind = 10_002) => event({ kind, created_at: NOW + at });
    const verdicts = await Promise.all([
      put(store, version(1), version(3), version(2), version(3)),
      put(store, version(5), version(5, 0), version(4), version(3)),
    ]);
    assert.deepEqual(verdicts, [
      ["stored", "stored", "superseded", "duplicate"],
      ["stored", "stored", "superseded", "superseded"],
    ]);
    assert.deepEqual((await ids(store, filter())).toSorted(), [version(5).id, version(5, 0).id].toSorted());
  }),
);

Deno.test(
  "R-15 a missing d equals an empty one; another author, kind or identifier is another event",
  eachStore(async ({ store }) => {
    const none = event({ kind: 30618, created_at: NOW });
    const empty = event({ kind: 30618, tags: [["d", ""], ["d", "z"]], created_at: NOW + 1 });
    const others = [
      event({ kind: 30617 }),
      event({ kind: 30618, tags: [["d", "z"]] }),
      event({ kind: 30618, pubkey: key(2) }),
    ];
    assert.deepEqual(await put(store, none, empty, ...others), Array(5).fill("stored"));
    assert.equal(await store.count([filter()]), 4);
    assert.equal(await store.has(none.id), false);
  }),
);

Deno.test(
  "an ephemeral event is the caller's bug and harms no neighbour",
  eachStore(async ({ store }) => {
    const good = put(store, event());
    await assert.rejects(put(store, event({ kind: 20_001 })), /ephemeral/);
    assert.deepEqual(await good, ["stored"]);
  }),
);

Deno.test(
  "a bad unit is rejected alone; its neighbours in the group are stored",
  eachStore(async ({ store }) => {
    const bad = { ...event({ content: "bad" }), pubkey: null as unknown as string };
    const results = await Promise.allSettled([
      put(store, event({ content: "a" })),
      put(store, bad),
      put(store, event({ content: "b" })),
    ]);
    assert.deepEqual(results.map(({ status }) => status), ["fulfilled", "rejected", "fulfilled"]);
    assert.equal(await store.count([filter()]), 2);
    assert.deepEqual(await put(store, event({ content: "c" })), ["stored"]);
  }),
);

Deno.test(
  "a unit is applied as a whole or not at all",
  eachStore(async ({ store }) => {
    const bad = { id: null as unknown as string, at: 1, until: 2 };
    await assert.rejects(store.commit({
      insertEvents: [{ event: event() }],
      putDirty: [{ owner: key(1), identifier: "x", since: 1 }],
      putExpired: [bad],
    }));
    assert.equal(await store.count([filter()]), 0);
    assert.deepEqual(await store.dirtyMarks(), []);
  }),
);

Deno.test("units of one turn share a transaction", () =>
  withDirectory(async (path) => {
    const { store } = await open(path);
    await Promise.all(Array.from({ length: 600 }, (_, i) => put(store, event({ content: String(i) }))));
    assert.equal(await store.count([filter()]), 600);
    await store.close();
    const client = createClient({ url: `file:${path}` });
    const mark = Number((await client.execute("SELECT number FROM commit_mark")).rows[0]?.[0]);
    client.close();
    assert.ok(mark <= 3, `${mark} transactions`);
  }));

Deno.test("closing commits what is pending; afterwards commits are rejected", () =>
  withDirectory(async (path) => {
    const first = await open(path);
    const pending = put(first.store, event());
    await first.store.close();
    assert.deepEqual(await pending, ["stored"]);
    await assert.rejects(put(first.store, event()), /closed/);
    const second = await open(path);
    assert.deepEqual(await put(second.store, event()), ["duplicate"]);
    await second.store.close();
  }));

Deno.test("the memory backend drops the oldest by arrival beyond its limit", () =>
  withMemory(async ({ store }) => {
    const events = Array.from({ length: 8 }, (_, i) => event({ created_at: NOW - i, tags: [["t", "x"]] }));
    for (const each of events) await put(store, each);
    const kept = events.slice(3).map(({ id }) => id);
    assert.deepEqual(await ids(store, filter()), kept);
    assert.deepEqual(await ids(store, filter({ tags: { t: ["x"] } })), kept);
  }, { internals: { maxMemoryEvents: 5 } }));

Deno.test("two memory stores share nothing", () =>
  withMemory(({ store }) =>
    withMemory(async (other) => {
      await put(store, event());
      assert.equal(await other.store.count([filter()]), 0);
    })
  ));
