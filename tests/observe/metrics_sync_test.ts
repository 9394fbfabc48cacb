import assert from "node:assert/strict";
import { createMetrics, noMetrics } from "../../lib/observe/metrics.ts";
import type { NaughtyGauge, RelayGauges } from "../../lib/observe/mod.ts";
import { VirtualClock } from "../support/virtual_clock.ts";
import { parseExposition, seriesOf } from "./exposition.ts";
import { RecordingLog } from "./recording_log.ts";
import { SYNC_REFERENCE } from "./sync_reference.ts";

function setup() {
  const clock = new VirtualClock();
  const log = new RecordingLog();
  const metrics = createMetrics({ version: "1", commit: "1", clock, topRepos: 1, abuseThreshold: 0, log });
  const body = async () => {
    await clock.advance(1_000);
    return (await metrics.render()).body;
  };
  return { clock, log, metrics, body, scrape: async () => seriesOf(await body()) };
}

function relay(url: string, values: Partial<RelayGauges> = {}): RelayGauges {
  return {
    relay: url,
    connection: 3,
    health: 1,
    failures: 0,
    pendingBatches: 0,
    subscriptions: 0,
    queueDepth: 0,
    ...values,
  };
}

/** Series of sync and the hunt that are not zero. */
function moved(series: Map<string, number>): Record<string, number> {
  const ours = /^ngit_(?:sync|git_fetch|git_naughty|purgatory_(?:hunt|fetch|urls|hosts))/;
  return Object.fromEntries(
    [...series].filter(([name, value]) => ours.test(name) && !/_(?:bucket|sum)/.test(name) && value !== 0),
  );
}

Deno.test("S-104 each count is reported under its own name and labels", async () => {
  const { metrics, scrape } = setup();
  const { sync, rejected, hunt } = metrics;
  sync.synced();
  sync.processed("saved");
  sync.batch("negentropy", "complete");
  sync.negentropy("unsupported");
  sync.redundantIds(2);
  sync.historicDuration(12);
  sync.stalledSubscription();
  sync.consolidation("timeout");
  sync.droppedFrame("invalid_event");
  rejected.hotHits("state", 3);
  rejected.hotMiss("announcement");
  rejected.hotExpired("state", 4);
  rejected.coldExpired("announcement", 5);
  rejected.invalidated("state", 6);
  hunt.fetch("fetched", 2, 1_000, 7);
  hunt.fetch("too_large", NaN, -1, 0);
  hunt.hunt("partial");
  hunt.urlSkipped("private");
  assert.deepEqual(moved(await scrape()), {
    ngit_sync_events_synced_total: 1,
    'ngit_sync_events_processed_total{result="saved"}': 1,
    'ngit_sync_batches_total{method="negentropy",result="complete"}': 1,
    'ngit_sync_negentropy_total{result="unsupported"}': 1,
    ngit_sync_negentropy_redundant_ids_total: 2,
    ngit_sync_historic_duration_seconds_count: 1,
    ngit_sync_stalled_subscriptions_total: 1,
    'ngit_sync_consolidations_total{result="timeout"}': 1,
    'ngit_sync_dropped_frames_total{reason="invalid_event"}': 1,
    'ngit_sync_rejected_hot_cache_hits_total{event_type="state"}': 3,
    'ngit_sync_rejected_hot_cache_misses_total{event_type="announcement"}': 1,
    'ngit_sync_rejected_hot_cache_expired_total{event_type="state"}': 4,
    'ngit_sync_rejected_cold_index_expired_total{event_type="announcement"}': 5,
    'ngit_sync_rejected_invalidated_total{event_type="state"}': 6,
    'ngit_git_fetch_total{result="fetched"}': 1,
    'ngit_git_fetch_total{result="too_large"}': 1,
    ngit_purgatory_fetch_seconds_count: 2,
    ngit_purgatory_fetch_bytes_total: 1_000,
    ngit_purgatory_fetched_objects_total: 7,
    'ngit_purgatory_hunts_total{result="partial"}': 1,
    'ngit_purgatory_urls_skipped_total{reason="private"}': 1,
  });
});

Deno.test("S-104 S-106 gauges mirror their sources, totals are derived, types do not mix", async () => {
  const { metrics, scrape } = setup();
  metrics.observe({
    syncRelays: () => [
      relay("wss://a.example", {
        connection: 2,
        failures: 1,
        pendingBatches: 2,
        subscriptions: 3,
        queueDepth: 4,
      }),
      relay("wss://b.example", { connection: 4, health: 3 }),
      relay("wss://c.example", { connection: 0, health: 4, failures: 9 }),
      relay("wss://d.example", { connection: 1, health: 2 }),
      relay("wss://e.example", { connection: 5, health: 5 }),
    ],
    naughtyRelays: () => [
      { host: "wss://c.example", category: "protocol_error", reason: 'say "no"', count: 3 },
    ],
    hunt: () => ({
      units: { due: 1, delayed: 2, running: 3, host_queued: 4 },
      hostsThrottled: 5,
      naughtyHosts: [{ host: "git.example", category: "dns_lookup_failed", reason: "x", count: 8 }],
    }),
    rejectedCounts: () =>
      Promise.resolve({ hot: { announcement: 1, state: 2 }, cold: { announcement: 3, state: 4 } }),
  });
  const series = await scrape();
  const expected: Readonly<Record<string, number>> = {
    'ngit_sync_relay_connected{relay="wss://a.example"}': 2,
    'ngit_sync_relay_connected{relay="wss://c.example"}': 0,
    'ngit_sync_relay_connected{relay="wss://e.example"}': 5,
    'ngit_sync_relay_status{relay="wss://c.example"}': 4,
    'ngit_sync_relay_failures{relay="wss://c.example"}': 9,
    'ngit_sync_pending_batches{relay="wss://a.example"}': 2,
    'ngit_sync_subscriptions{relay="wss://a.example"}': 3,
    'ngit_sync_queue_depth{relay="wss://a.example"}': 4,
    ngit_sync_relays_tracked_total: 5,
    ngit_sync_relays_connected_total: 2,
    ngit_sync_relays_dead_total: 1,
    'ngit_sync_naughty_relays_total{category="protocol_error"}': 1,
    'ngit_sync_naughty_relays_total{category="dns_lookup_failed"}': 0,
    'ngit_sync_naughty_relays_total{category="tls_certificate_invalid"}': 0,
    'ngit_sync_naughty_relay_info{category="protocol_error",reason="say \\"no\\"",relay="wss://c.example"}':
      3,
    'ngit_purgatory_hunt_units{state="due"}': 1,
    'ngit_purgatory_hunt_units{state="host_queued"}': 4,
    ngit_purgatory_hosts_throttled: 5,
    'ngit_git_naughty_hosts{category="dns_lookup_failed"}': 1,
    'ngit_git_naughty_hosts{category="protocol_error"}': 0,
    'ngit_sync_rejected_hot_cache_current{event_type="announcement"}': 1,
    'ngit_sync_rejected_hot_cache_current{event_type="state"}': 2,
    'ngit_sync_rejected_cold_index_current{event_type="announcement"}': 3,
    'ngit_sync_rejected_cold_index_current{event_type="state"}': 4,
  };
  for (const [name, value] of Object.entries(expected)) assert.equal(series.get(name), value, name);
});

Deno.test("S-104 labels of the families that have a series per relay", async () => {
  const { metrics, body } = setup();
  metrics.sync.attempt("wss://a.example", "success");
  metrics.observe({
    syncRelays: () => [relay("wss://a.example")],
    naughtyRelays: () => [{ host: "wss://a.example", category: "protocol_error", reason: "x", count: 1 }],
  });
  const families = parseExposition(await body());
  const perRelay: Readonly<Record<string, readonly string[]>> = {
    ngit_sync_relay_connected: ["relay"],
    ngit_sync_connection_attempts_total: ["relay", "result"],
    ngit_sync_relay_status: ["relay"],
    ngit_sync_relay_failures: ["relay"],
    ngit_sync_pending_batches: ["relay"],
    ngit_sync_subscriptions: ["relay"],
    ngit_sync_queue_depth: ["relay"],
    ngit_sync_naughty_relay_info: ["category", "reason", "relay"],
  };
  for (const [name, labels] of Object.entries(perRelay)) {
    assert.deepEqual([...families.get(name)!.labelNames].sort(), labels, name);
  }
  const reference = SYNC_REFERENCE.filter(([, , , series]) => series === 0).map(([name]) => name);
  assert.deepEqual(Object.keys(perRelay).sort(), [...reference].sort());
});

Deno.test("S-107 every series of a removed relay disappears, its counters included, and they begin anew", async () => {
  const { metrics, scrape } = setup();
  let relays = [relay("wss://a.example"), relay("wss://b.example")];
  let naughty: NaughtyGauge[] = [
    { host: "wss://a.example", category: "dns_lookup_failed", reason: "x", count: 1 },
  ];
  metrics.observe({ syncRelays: () => relays, naughtyRelays: () => naughty });
  const attempts = (url: string) => `ngit_sync_connection_attempts_total{relay="${url}",result="failure"}`;
  metrics.sync.attempt("wss://a.example", "failure");
  metrics.sync.attempt("wss://a.example", "failure");
  metrics.sync.attempt("wss://b.example", "failure");
  const before = await scrape();
  assert.equal(before.get(attempts("wss://a.example")), 2);
  assert.equal((await scrape()).get(attempts("wss://a.example")), 2, "a rendering does not count again");
  relays = [relay("wss://b.example")];
  naughty = [];
  const after = await scrape();
  assert.ok(![...after.keys()].some((name) => name.includes("a.example")));
  assert.equal(after.get(attempts("wss://b.example")), 1);
  assert.equal(after.get("ngit_sync_relays_tracked_total"), 1);
  relays = [relay("wss://a.example")];
  metrics.sync.attempt("wss://a.example", "failure");
  assert.equal((await scrape()).get(attempts("wss://a.example")), 1);
});

Deno.test("M-19 relays that are not followed and hosts at fault do not add series without bound", async () => {
  const { metrics, scrape } = setup();
  const before = (await scrape()).size;
  const naughty = Array.from({ length: 10_000 }, (_, n): NaughtyGauge => ({
    host: `wss://${n}.example/${"p".repeat(400)}`,
    category: "dns_lookup_failed",
    reason: `reason ${n}`,
    count: 1,
  }));
  for (const { host } of naughty) metrics.sync.attempt(host, "failure");
  metrics.sync.attempt("wss://one.more", "failure");
  metrics.observe({ naughtyRelays: () => naughty });
  const after = await scrape();
  assert.equal(after.size, before + 200);
  assert.ok([...after.keys()].some((name) => name.includes('reason="reason 9999"')), "the newest are kept");
  assert.equal(after.get('ngit_sync_naughty_relays_total{category="dns_lookup_failed"}'), 10_000);
});

Deno.test("a source of sync that fails costs its own samples, and the counters survive it", async () => {
  const { metrics, log, scrape } = setup();
  let fails = false;
  const or = <T>(value: T) => {
    if (fails) throw new Error("broken");
    return value;
  };
  metrics.sync.attempt("wss://a.example", "success");
  metrics.observe({
    syncRelays: () => or([relay("wss://a.example")]),
    naughtyRelays: () => or([]),
    hunt: () =>
      or({ units: { due: 0, delayed: 0, running: 0, host_queued: 0 }, hostsThrottled: 0, naughtyHosts: [] }),
    rejectedCounts: () =>
      or(Promise.resolve({ hot: { announcement: 0, state: 0 }, cold: { announcement: 0, state: 0 } })),
  });
  const attempts = 'ngit_sync_connection_attempts_total{relay="wss://a.example",result="success"}';
  const healthy = await scrape();
  fails = true;
  const broken = await scrape();
  const lost = [...healthy.keys()].filter((name) => !broken.has(name)).map((name) => name.split("{")[0]);
  assert.deepEqual([...new Set(lost)].sort(), [
    "ngit_git_naughty_hosts",
    "ngit_purgatory_hosts_throttled",
    "ngit_purgatory_hunt_units",
    "ngit_sync_naughty_relays_total",
    "ngit_sync_pending_batches",
    "ngit_sync_queue_depth",
    "ngit_sync_rejected_cold_index_current",
    "ngit_sync_rejected_hot_cache_current",
    "ngit_sync_relay_connected",
    "ngit_sync_relay_failures",
    "ngit_sync_relay_status",
    "ngit_sync_relays_connected_total",
    "ngit_sync_relays_dead_total",
    "ngit_sync_relays_tracked_total",
    "ngit_sync_subscriptions",
  ]);
  assert.equal(log.records.length, 4);
  fails = false;
  assert.equal((await scrape()).get(attempts), 1);
});

Deno.test("disabled metrics accept every report of sync and the hunt", async () => {
  const off = noMetrics();
  off.sync.attempt("wss://a.example", "success");
  off.rejected.hotMiss("state");
  off.hunt.fetch("fetched", 1, 1, 1);
  assert.equal((await off.render()).body, "");
});
