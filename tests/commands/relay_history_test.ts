import assert from "node:assert/strict";
import { Spool } from "../../lib/commands/import/spool.ts";
import { relayHistory } from "../../lib/commands/relay_history.ts";
import { loadConfig } from "../../lib/config/mod.ts";
import { openStore } from "../../lib/store/mod.ts";
import { syncSettings } from "../../lib/sync/mod.ts";
import { systemClock, systemRandom } from "../../lib/world/mod.ts";
import { event } from "../store/fixtures.ts";
import { declare, newSigner } from "../support/keys.ts";
import { silentLog } from "../support/silent_log.ts";
import { withTempDirectory } from "../support/temp.ts";
import { ScriptedRelay } from "../support/scripted_relay.ts";

Deno.test("reading from a relay ends with the first event that cannot be kept", () =>
  withTempDirectory(async (directory) => {
    const relay = new ScriptedRelay();
    const signer = newSigner();
    relay.peer.hold(
      ...Array.from({ length: 50 }, (_, at) => declare(signer, `r${at}`, {}, { created_at: 1_000 + at })),
    );
    const loaded = await loadConfig({
      args: [],
      env: {},
      readTextFile: () => Promise.reject(new Deno.errors.NotFound()),
      cwd: directory,
    });
    assert.ok(loaded.ok);
    const parts = { clock: systemClock, limits: loaded.config, log: silentLog };
    const store = await openStore({ backend: "memory", location: "", ...parts });
    let calls = 0;
    const reading = relayHistory(
      {
        ...parts,
        url: relay.url,
        settings: syncSettings(loaded.config),
        secretKey: systemRandom.bytes(32),
        store,
        random: systemRandom,
        skipHeld: false,
        received: () => {
          if (++calls === 3) throw new Error("the disk is full");
        },
      },
      [{ filter: { kinds: [30618], tags: new Map() }, what: "states" }],
      () => {},
    );
    try {
      await assert.rejects(reading, /^Error: the disk is full$/);
      assert.equal(calls, 3);
    } finally {
      await relay.close();
      await store.close();
    }
  }));

Deno.test("a spool that is given up closes without another error", () =>
  withTempDirectory(async (directory) => {
    const path = `${directory}/spool.db`;
    const spool = new Spool(path);
    spool.add(JSON.stringify(event()));
    spool.close();
    const again = new Spool(path);
    assert.deepEqual([again.source, again.count], [undefined, 0]);
    again.close();
    await Promise.resolve();
  }));
