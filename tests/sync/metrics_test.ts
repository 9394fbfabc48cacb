import assert from "node:assert/strict";
import { createMetrics, type Metrics } from "../../lib/observe/mod.ts";
import { seriesOf } from "../observe/exposition.ts";
import { silentLog } from "../support/silent_log.ts";
import type { VirtualClock } from "../support/virtual_clock.ts";
import { announcement, rig } from "./support.ts";

const X = "wss://x.example";
const HOUR = 3_600_000;

function metricsOf(clock: VirtualClock): Metrics {
  return createMetrics({ version: "1", commit: "1", clock, topRepos: 0, abuseThreshold: 0, log: silentLog });
}

Deno.test("M-16 failures, dead and tracked relays follow a peer that fails, dies and is dropped with its series", async () => {
  const served = announcement(1, "foo", [X]);
  await rig(async ({ clock, sync, store, turn }) => {
    const metrics = metricsOf(clock);
    metrics.observe({ syncRelays: () => sync.relayGauges() });
    const scrape = async () => {
      await clock.advance(1_000);
      await turn();
      return seriesOf((await metrics.render()).body);
    };
    const failing = await scrape();
    assert.ok(failing.get(`ngit_sync_relay_failures{relay="${X}"}`)! >= 1);
    assert.equal(failing.get("ngit_sync_relays_tracked_total"), 1);
    assert.equal(failing.get("ngit_sync_relays_dead_total"), 0);
    for (let hours = 0; hours < 26; hours += 2) {
      await clock.advance(2 * HOUR);
      await turn();
    }
    const dead = await scrape();
    assert.ok(
      dead.get(`ngit_sync_relay_failures{relay="${X}"}`)! >
        failing.get(`ngit_sync_relay_failures{relay="${X}"}`)!,
    );
    assert.equal(dead.get("ngit_sync_relays_dead_total"), 1);
    assert.equal(dead.get(`ngit_sync_relay_status{relay="${X}"}`), 4);
    await store.commit({ removeEvents: [served.id] });
    await clock.advance(180_000);
    await turn();
    const gone = await scrape();
    assert.equal(gone.get("ngit_sync_relays_tracked_total"), 0);
    assert.equal(gone.get("ngit_sync_relays_dead_total"), 0);
    assert.deepEqual([...gone.keys()].filter((series) => series.includes("x.example")), []);
  }, { served: [served], world: (world) => world.peer(X).dial = "network" });
});

Deno.test("S-104 batches under way and events waiting on a connection are read from its relay", async () => {
  await rig(async ({ clock, sync, world, until, turn }) => {
    const metrics = metricsOf(clock);
    metrics.observe({ syncRelays: () => sync.relayGauges() });
    await until(() => world.peer(X).links.length > 0 && world.peer(X).link.open.length > 0);
    world.peer(X).link.queueDepth = 3;
    await clock.advance(1_000);
    await turn();
    const series = seriesOf((await metrics.render()).body);
    const pending = series.get(`ngit_sync_pending_batches{relay="${X}"}`)!;
    assert.ok(pending >= 1, `${pending}`);
    assert.equal(series.get(`ngit_sync_queue_depth{relay="${X}"}`), 3);
    for (const history of world.peer(X).link.open) history.end("complete");
  }, { served: [announcement(1, "foo", [X])], world: (world) => world.peer(X).rule = () => "wait" });
});
