import assert from "node:assert/strict";
import { damageOfFile } from "../../lib/store/damage.ts";
import { openStore, type Store } from "../../lib/store/mod.ts";
import { systemClock } from "../../lib/world/mod.ts";
import { silentLog } from "../support/silent_log.ts";
import { withTempDirectory } from "../support/temp.ts";
import { event } from "./fixtures.ts";

const never = new AbortController().signal;

async function opened(location: string, play: (store: Store) => Promise<void>): Promise<void> {
  const limits = { defaultFilterLimit: 500, maxFilterLimit: 5_000 };
  const store = await openStore({ location, backend: "libsql", clock: systemClock, limits, log: silentLog });
  try {
    await play(store);
  } finally {
    await store.close();
  }
}

/** 8 MiB of events, so that pages of the database are where they are damaged. */
function fill(store: Store): Promise<unknown> {
  return store.commit({
    insertEvents: Array.from(
      { length: 200 },
      (_, n) => ({ event: event({ content: `${n}`.padEnd(40_000, "x") }) }),
    ),
  });
}

Deno.test("the pages of a database are read in another thread, beside work on it", () =>
  withTempDirectory(async (directory) => {
    await opened(`${directory}/relay.db`, async (store) => {
      await fill(store);
      const checked = store.findDamage();
      await store.commit({ insertEvents: [{ event: event({ content: "meanwhile" }) }] });
      assert.equal(await checked, undefined);
      assert.equal(await damageOfFile(`${directory}/relay.db`, systemClock, never), undefined);
      assert.equal(await store.count([{ tags: new Map() }]), 201);
      await store.checkpoint();
    });
    const file = await Deno.open(`${directory}/relay.db`, { read: true, write: true });
    const { size } = await file.stat();
    for (let at = 4_096 * 20; at < size; at += 4_096) {
      await file.seek(at, Deno.SeekMode.Start);
      await file.write(new Uint8Array(64).fill(255));
    }
    file.close();
    const found = await damageOfFile(`${directory}/relay.db`, systemClock, never).catch(String);
    assert.match(found ?? "", /table \w+: |malformed/);
  }));

Deno.test("a check of pages ends with the server, and is done without a thread where none can work", () =>
  withTempDirectory(async (directory) => {
    const path = `${directory}/relay.db`;
    await opened(path, fill as (store: Store) => Promise<void>);
    const stop = new AbortController();
    const checked = damageOfFile(path, systemClock, stop.signal);
    stop.abort();
    await assert.rejects(checked, /stopped/);
    const missing = new URL(`file://${directory}/missing.ts`);
    assert.equal(await damageOfFile(path, systemClock, never, missing), "unable");
    await assert.rejects(damageOfFile(directory, systemClock, never));
    await opened(":memory:", async (store) => assert.equal(await store.findDamage(), undefined));
  }));
