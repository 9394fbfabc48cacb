import { deepStrictEqual, match, rejects, strictEqual, throws } from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { openStore, StoredData } from "../../lib/store/mod.ts";
import { declare, newSigner } from "../support/keys.ts";
import { silentLog } from "../support/silent_log.ts";
import { withTempDirectory } from "../support/temp.ts";
import { VirtualClock } from "../support/virtual_clock.ts";

const limits = { defaultFilterLimit: 500, maxFilterLimit: 5_000 };

Deno.test("a store for reading sees what the server beside it commits, and refuses to write", () =>
  withTempDirectory(async (directory) => {
    const clock = new VirtualClock();
    const location = `${directory}/relay.db`;
    const server = await openStore({ backend: "libsql", location, clock, limits, log: silentLog });
    const data = await StoredData.open({ location, clock, log: silentLog });
    const reading = data.store(limits);
    try {
      const [first, second] = [declare(newSigner(), "a", {}), declare(newSigner(), "b", {})];
      await server.commit({ insertEvents: [{ event: first }] });
      strictEqual(await reading.has(first.id), true);
      await rejects(reading.commit({ insertEvents: [{ event: second }] }), /only reads/);
      await rejects(reading.sweepRefused(0), /only reads/);
      await server.commit({ insertEvents: [{ event: second }] });
      deepStrictEqual((await reading.get([second.id])).map(({ id }) => id), [second.id]);
    } finally {
      await reading.close();
      await server.close();
    }
  }));

Deno.test("a store for reading asks for a start of the server when the schema is older, and reads no other file", () =>
  withTempDirectory(async (directory) => {
    const clock = new VirtualClock();
    const location = `${directory}/relay.db`;
    const server = await openStore({ backend: "libsql", location, clock, limits, log: silentLog });
    await server.close();
    const old = new DatabaseSync(location);
    old.exec("PRAGMA user_version = 2");
    old.close();
    const data = await StoredData.open({ location, clock, log: silentLog });
    throws(() => data.store(limits), (error: Error) => {
      match(error.message, /^database schema 2 is older than this program's \(\d+\): start the server once$/);
      return true;
    });
    data.close();
    await rejects(
      StoredData.open({ location: `${directory}/none.db`, clock, log: silentLog }),
      /no database/,
    );
  }));

Deno.test("an id is traced through everything that is remembered beside served and waiting events", () =>
  withTempDirectory(async (directory) => {
    const clock = new VirtualClock();
    const location = `${directory}/relay.db`;
    const store = await openStore({ backend: "libsql", location, clock, limits, log: silentLog });
    const now = clock.now();
    const [gone, expired, deleted, retired] = ["1", "2", "3", "4"].map((digit) => digit.repeat(64)) as [
      string,
      string,
      string,
      string,
    ];
    const author = newSigner();
    const event = declare(author, "a", {});
    await store.commit({
      putGone: [{ id: gone, until: now + 1 }],
      putExpired: [{ id: expired, at: now - 5, until: now + 5 }],
      putTombstones: [{ type: "id", id: deleted, pubkey: author.pubkey }],
      putRetired: [{
        owner: author.pubkey,
        identifier: "a",
        reason: "deleted",
        directory: "",
        retiredAt: now,
        events: [event],
      }],
    });
    const nothing = {
      refused: undefined,
      goneUntil: undefined,
      expired: undefined,
      deletionAskedBy: [],
      retired: undefined,
    };
    deepStrictEqual(await store.traces(retired), nothing);
    deepStrictEqual(await store.traces(gone), { ...nothing, goneUntil: now + 1 });
    deepStrictEqual(await store.traces(expired), { ...nothing, expired: { at: now - 5, until: now + 5 } });
    deepStrictEqual(await store.traces(deleted), { ...nothing, deletionAskedBy: [author.pubkey] });
    strictEqual((await store.traces(event.id)).retired?.retiredAt, now);
    await clock.advance(10);
    deepStrictEqual(await store.traces(gone), nothing);
    deepStrictEqual(await store.traces(expired), nothing);
    await store.close();
  }));
