import assert from "node:assert/strict";
import { createClient } from "@libsql/client";
import type { Changes, InsertVerdict } from "../../lib/store/mod.ts";
import { migrationsFrom, SCHEMA_VERSION } from "../../lib/store/schema.ts";
import { eachStore } from "./each_store.ts";
import { event, key, NOW, NOW_MS, open, put, withDirectory } from "./fixtures.ts";

Deno.test(
  "S-76 all events of some kinds are read oldest first, without a cap, across slices and equal times",
  eachStore(async ({ store }) => {
    const events = Array.from(
      { length: 730 },
      (_, n) =>
        event({ kind: [30617, 1618, 1621, 1][n % 4]!, created_at: NOW - n % 3, tags: [["d", String(n)]] }),
    );
    await put(store, ...events);
    const read = await Array.fromAsync(store.eventsOfKinds([30617, 1618, 1621, 30617]));
    assert.deepEqual(
      new Set(read.map(({ id }) => id)),
      new Set(events.filter(({ kind }) => kind !== 1).map(({ id }) => id)),
    );
    assert.equal(read.length, new Set(read.map(({ id }) => id)).size);
    const times = read.map(({ created_at }) => created_at);
    assert.deepEqual(times, [...times].sort((a, b) => a - b));
    assert.deepEqual(await Array.fromAsync(store.eventsOfKinds([7])), []);
  }),
);

Deno.test(
  "S-2 every waiting announcement is read, soft-expired ones included",
  eachStore(async ({ store }) => {
    const rows = Array.from({ length: 1_201 }, (_, n) => ({
      event: event({ kind: 30617, pubkey: key(n), tags: [["d", "x"]] }),
      owner: key(n),
      identifier: "x",
      phase: n % 2 ? "soft" as const : "active" as const,
      source: "sync" as const,
      firstEnteredAt: 0,
      enteredAt: 0,
      deadlineAt: 0,
    }));
    await store.commit({ putAnnouncements: rows });
    assert.deepEqual(await store.waitingAnnouncements(), rows);
  }),
);

Deno.test(
  "S-81 10,000 events stored in one second all reach a commit listener, in order, with their verdicts",
  eachStore(async ({ store }) => {
    const seen: [string, InsertVerdict][] = [];
    const stop = store.watch(({ insertEvents = [] }: Changes, verdicts) =>
      insertEvents.forEach(({ event: { id } }, index) => seen.push([id, verdicts[index]!]))
    );
    const events = Array.from({ length: 10_000 }, (_, n) => event({ content: String(n % 9_999) }));
    await Promise.all(events.map((each) => put(store, each)));
    assert.deepEqual(seen.map(([id]) => id), events.map(({ id }) => id));
    assert.equal(seen.filter(([, verdict]) => verdict === "stored").length, 9_999);
    stop();
    await put(store, event({ content: "after" }));
    assert.equal(seen.length, 10_000);
  }),
);

Deno.test(
  "a commit listener that throws changes nothing for who commits, nor for other listeners",
  eachStore(async ({ store }) => {
    let told = 0;
    store.watch(() => {
      throw new Error("a fault of a listener");
    });
    store.watch(() => void told++);
    const events = ["a", "b"].map((content) => event({ content }));
    const verdicts = await Promise.all(
      events.map((each) => store.commit({ insertEvents: [{ event: each }] })),
    );
    assert.deepEqual([verdicts, told], [[["stored"], ["stored"]], 2]);
  }),
);

Deno.test(
  "R-86 an insert that a tombstone covers is forbidden in the transaction itself, kind 5 excepted",
  eachStore(async ({ store }) => {
    const gone = event({ content: "gone" });
    const version = (created_at: number) => event({ kind: 30023, created_at, tags: [["d", "x"]] });
    const request = event({ kind: 5, content: "request" });
    const verdicts = await Promise.all([
      store.commit({
        insertEvents: [{ event: request }],
        putTombstones: [
          { type: "id", id: gone.id, pubkey: gone.pubkey },
          { type: "id", id: request.id, pubkey: request.pubkey },
          { type: "coordinate", kind: 30023, pubkey: key(1), identifier: "x", until: NOW },
        ],
      }),
      put(store, gone, version(NOW), version(NOW + 1)),
    ]);
    assert.deepEqual(verdicts, [["stored"], ["forbidden", "forbidden", "stored"]]);
    const theirs = event({ pubkey: key(2), content: "named by a stranger" });
    await store.commit({ putTombstones: [{ type: "id", id: theirs.id, pubkey: gone.pubkey }] });
    assert.deepEqual(await put(store, gone, version(NOW - 1), theirs), ["forbidden", "forbidden", "stored"]);
  }),
);

Deno.test("a database of the first schema is migrated, and its expired ids get an end", () =>
  withDirectory(async (path) => {
    const client = createClient({ url: `file:${path}` });
    await client.batch([
      ...migrationsFrom(0)[0]!.statements,
      { sql: "INSERT INTO expired_ids VALUES (?, ?)", args: [key(1), BigInt(NOW_MS)] },
    ], "write");
    client.close();
    const { store, clock } = await open(path);
    assert.ok(await store.isExpired(key(1)));
    clock.time += 7 * 86_400_000;
    assert.ok(!await store.isExpired(key(1)));
    await store.commit({ putGone: [{ id: key(2), until: clock.now() + 1 }] });
    assert.equal((await store.unwanted([key(2)])).size, 1);
    await store.close();
    const again = createClient({ url: `file:${path}` });
    assert.equal((await again.execute("PRAGMA user_version")).rows[0]?.[0], SCHEMA_VERSION);
    again.close();
  }));
