import assert from "node:assert/strict";
import type { GitMetrics } from "../../lib/git/mod.ts";
import type { IntakeCounters } from "../../lib/intake/mod.ts";
import { encodeNpub } from "../../lib/nostr/mod.ts";
import { createMetrics, type Metrics, type MetricsOptions } from "../../lib/observe/metrics.ts";
import type { ReleaseParts } from "../../lib/purgatory/mod.ts";
import { createRelay, type Relay, type RelayMetrics } from "../../lib/relay/mod.ts";
import { ArrayStore, LIMITS, rawUpgrade, sendText, unsigned } from "../relay/support.ts";
import { RelayClient } from "../support/relay_client.ts";
import { eventually } from "../support/temp.ts";
import { VirtualClock } from "../support/virtual_clock.ts";
import { systemClock } from "../../lib/world/mod.ts";
import { parseExposition, seriesOf } from "./exposition.ts";
import { RecordingLog } from "./recording_log.ts";
import { REFERENCE } from "./reference.ts";

interface Setup {
  readonly metrics: Metrics;
  readonly clock: VirtualClock;
  readonly log: RecordingLog;
  /** All series, of a rendering that is certainly new. */
  scrape(): Promise<Map<string, number>>;
}

function setup(options: Partial<MetricsOptions> = {}): Setup {
  const clock = new VirtualClock();
  const log = new RecordingLog();
  const metrics = createMetrics({
    version: "1.2.3",
    commit: "0123abc",
    clock,
    topRepos: 10,
    abuseThreshold: 10,
    log,
    ...options,
  });
  metrics.observe({
    waitingCounts: () => Promise.resolve({ active: 3, soft: 2, states: 1, pullRequests: 5, placeholders: 6 }),
    waitingAges: () =>
      Promise.resolve({
        active: undefined,
        soft: undefined,
        states: undefined,
        pullRequests: undefined,
        placeholders: undefined,
        expiredIds: 8,
        dirty: 9,
      }),
    disk: () => Promise.resolve({ git: { free: 1, total: 2 }, relay: { free: 3, total: 4 } }),
    storedEvents: () => 7,
    repositories: () => 4,
    gitProcesses: () => ({ active: 2, waiting: 1 }),
  });
  return {
    metrics,
    clock,
    log,
    scrape: async () => {
      await clock.advance(1_000);
      return seriesOf((await metrics.render()).body);
    },
  };
}

/** Series whose value differs between two scrapes, with the difference; runtime gauges left out. */
function changes(before: Map<string, number>, after: Map<string, number>): Record<string, number> {
  const found = [...after].map(([series, value]) => [series, value - (before.get(series) ?? 0)] as const);
  return Object.fromEntries(
    found.filter(([series, change]) => change !== 0 && !/^ngit_(?:process|uptime|event_loop)/.test(series)),
  );
}

function repository(number: number) {
  return { owner: number.toString(16).padStart(64, "0"), identifier: `repo-${number}` };
}

function topRepos(series: Map<string, number>): string[] {
  return [...series.keys()].filter((name) => name.startsWith("ngit_git_top_repos_bytes"));
}

Deno.test("M-1 the rendering parses strictly: HELP and TYPE for every family, numbers only, coherent histograms", async () => {
  const { metrics } = setup();
  metrics.relay.connectionOpened("203.0.113.9");
  metrics.relay.connectionClosed("203.0.113.9", 61_000);
  metrics.git.operation("push", "success", 1.5);
  metrics.http.httpRequest("landing", 200, 12);
  metrics.git.bytes("in", 5, { owner: "a".repeat(64), identifier: 'a "quoted" \\ name\nnext\x1b[31m' });
  const { contentType, body } = await metrics.render();
  assert.equal(contentType, "text/plain; version=0.0.4; charset=utf-8");
  const families = parseExposition(body);
  for (const [name, family] of families) {
    assert.match(name, /^ngit_/);
    const isOpen = REFERENCE.some(([open, , , series]) => open === name && series === 0);
    assert.ok(isOpen || family.samples.size > 0, `${name} has samples`);
  }
  assert.match(body, /\/a \\"quoted\\" \\\\ name\\nnext\[31m"\} 5\n/);
});

Deno.test("M-2 S-104 every name of the catalogue is on a fresh server, with type, labels and zeros", async () => {
  const { metrics } = setup();
  const families = parseExposition((await metrics.render()).body);
  assert.deepEqual([...families.keys()].sort(), REFERENCE.map(([name]) => name).sort());
  for (const [name, type, labels, count] of REFERENCE) {
    const family = families.get(name)!;
    assert.equal(family.type, type, name);
    assert.deepEqual([...family.labelNames].sort(), labels, name);
    const names = [...family.samples.keys()];
    const series = type === "histogram" ? names.filter((name) => name.includes("_count")) : names;
    assert.equal(series.length, count, name);
    if (type !== "gauge") assert.ok([...family.samples.values()].every((value) => value === 0), name);
  }
  const durations = [...families.get("ngit_websocket_connection_duration_seconds")!.samples.keys()];
  assert.deepEqual(
    durations.flatMap((series) => /le="(.+)"/.exec(series)?.[1] ?? []),
    ["1", "5", "15", "30", "60", "300", "900", "3600", "+Inf"],
  );
});

/** The compiler proves this one: each group is what the part expects. */
function asPorts(metrics: Metrics) {
  const relay: RelayMetrics = metrics.relay;
  const intake: IntakeCounters = metrics.intake;
  const purgatory: ReleaseParts["counters"] = metrics.purgatory;
  const git: GitMetrics = metrics.git;
  return { relay, intake, purgatory, git };
}

Deno.test("the groups fit the ports of the parts and count what these report", async () => {
  const { metrics, scrape } = setup();
  const ports = asPorts(metrics);
  const before = await scrape();
  ports.relay.rejected("per_ip");
  ports.relay.subscriptions(2);
  ports.relay.subscriptions(-1);
  metrics.relay.rateLimited("event");
  ports.intake.received(30618);
  ports.intake.held(30618);
  ports.purgatory.released("state", "direct");
  ports.purgatory.expired("announcement", "sync");
  ports.git.operation("push", "denied", 0.2);
  ports.git.authorization("denied");
  ports.git.processFailure("timeout");
  ports.git.packCache("shared");
  ports.git.bytes("out", 100, { owner: "a".repeat(64), identifier: "x" });
  metrics.http.httpRequest("not_found", 404, 3);
  metrics.http.httpRequest("landing", 101, 3);
  const found = changes(before, await scrape());
  const counted = Object.entries(found).filter(([series]) => !/_seconds_(?:bucket|sum)/.test(series));
  assert.deepEqual(Object.fromEntries(counted), {
    'ngit_websocket_rejected_total{reason="per_ip"}': 1,
    ngit_websocket_subscriptions_active: 1,
    'ngit_rate_limited_total{kind="event"}': 1,
    'ngit_http_requests_total{route="not_found",status="4xx"}': 1,
    'ngit_http_request_duration_seconds_count{route="not_found"}': 1,
    'ngit_git_operations_total{operation="push",status="denied"}': 1,
    'ngit_git_operation_duration_seconds_count{operation="push"}': 1,
    'ngit_git_bytes_total{direction="out"}': 100,
    'ngit_git_push_authorization_total{result="denied"}': 1,
    'ngit_git_process_failures_total{reason="timeout"}': 1,
    'ngit_git_pack_cache_requests_total{result="shared"}': 1,
    'ngit_events_received_total{kind="30618"}': 1,
    'ngit_events_purgatory_total{kind="30618"}': 1,
    'ngit_purgatory_released_total{source="direct",type="state"}': 1,
    'ngit_purgatory_expired_total{source="sync",type="announcement"}': 1,
  });
});

async function withRelay(metrics: RelayMetrics, work: (port: number) => Promise<void>): Promise<void> {
  const relay: Relay = createRelay({
    limits: LIMITS,
    store: new ArrayStore(),
    sink: {
      admit: (value) => Promise.resolve({ id: (value as { id: string }).id, accepted: true, message: "" }),
    },
    clock: systemClock,
    log: new RecordingLog(),
    metrics,
  });
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, (request, { remoteAddr }) => {
    return relay.upgrade(request, (remoteAddr as Deno.NetAddr).hostname);
  });
  try {
    await work(server.addr.port);
  } finally {
    await relay.stop();
    await server.shutdown();
  }
}

Deno.test("M-3 one REQ, EVENT and CLOSE raise the received series by one each, EOSE and OK the sent ones", async () => {
  const { metrics, scrape } = setup();
  const before = await scrape();
  await withRelay(metrics.relay, async (port) => {
    const client = await RelayClient.connect(`ws://127.0.0.1:${port}/`);
    const subscription = await client.subscribe({ kinds: [1], limit: 0 });
    await client.publish(unsigned());
    client.send(["CLOSE", subscription]);
    const closed = 'ngit_websocket_messages_received_total{type="CLOSE"}';
    await eventually("the CLOSE is counted", async () => (await scrape()).get(closed) === 1);
    await client.close();
  });
  const found = Object.entries(changes(before, await scrape()));
  assert.deepEqual(Object.fromEntries(found.filter(([series]) => series.includes("messages"))), {
    'ngit_websocket_messages_received_total{type="REQ"}': 1,
    'ngit_websocket_messages_received_total{type="EVENT"}': 1,
    'ngit_websocket_messages_received_total{type="CLOSE"}': 1,
    'ngit_websocket_messages_sent_total{type="EOSE"}': 1,
    'ngit_websocket_messages_sent_total{type="OK"}': 1,
  });
});

Deno.test("M-4 a WebSocket that closes, or whose connection is reset, counts once and leaves nothing open", async () => {
  const { metrics, scrape } = setup();
  await withRelay(metrics.relay, async (port) => {
    const active = async () => (await scrape()).get("ngit_websocket_connections_active");
    const client = await RelayClient.connect(`ws://127.0.0.1:${port}/`);
    await eventually("one is open", async () => await active() === 1);
    assert.equal((await scrape()).get("ngit_websocket_unique_ips"), 1);
    await client.close();
    await eventually("none is open", async () => await active() === 0);
    const raw = await rawUpgrade(port);
    await sendText(raw, '["REQ","a",{"limit":0}]');
    const answered = 'ngit_websocket_messages_sent_total{type="EOSE"}';
    await eventually("an answer is under way", async () => (await scrape()).get(answered) === 1);
    assert.equal(await active(), 1);
    raw.connection.close(); // with an answer unread, which makes the system reset the connection
    await eventually("none is open again", async () => await active() === 0);
  });
  const after = await scrape();
  assert.equal(after.get("ngit_websocket_connections_total"), 2);
  assert.equal(after.get("ngit_websocket_connection_duration_seconds_count"), 2);
  assert.equal(after.get("ngit_websocket_unique_ips"), 0);
});

Deno.test("M-8 a stored announcement and a blacklisted author are counted under their kind and reason", async () => {
  const { metrics, scrape } = setup();
  const before = await scrape();
  metrics.intake.received(30617);
  metrics.purgatory.stored(30617);
  metrics.intake.rejected(30617, "blacklisted_author");
  metrics.intake.rejected(-1, "a reason nobody declared");
  assert.deepEqual(changes(before, await scrape()), {
    'ngit_events_received_total{kind="30617"}': 1,
    'ngit_events_stored_total{kind="30617"}': 1,
    'ngit_events_rejected_total{kind="30617",reason="blacklisted_author"}': 1,
    'ngit_events_rejected_total{kind="other",reason="other"}': 1,
  });
});

Deno.test("M-9 M-19 ten thousand kinds, reasons, repositories and addresses keep the series below 5000", async () => {
  const { metrics, clock, scrape } = setup({ topRepos: 1_000 });
  const before = await scrape();
  for (let number = 0; number < 10_000; number++) {
    const kind = 40_000 + number;
    metrics.intake.received(kind);
    metrics.intake.held(kind);
    metrics.purgatory.stored(kind);
    metrics.intake.rejected(kind, `reason ${number}`);
    metrics.git.bytes("in", number, repository(number));
    metrics.relay.connectionOpened(`10.0.${number >> 8}.${number & 255}`);
  }
  await clock.advance(60_000);
  const after = await scrape();
  assert.equal(after.get('ngit_events_received_total{kind="other"}'), 10_000);
  assert.equal(after.size, before.size + 1_000, "only the largest repositories add series");
  assert.ok(after.size < 5_000);
});

Deno.test("labels longer than 256 bytes are cut at a character", async () => {
  const { metrics, scrape } = setup();
  metrics.git.bytes("in", 1, { owner: "f".repeat(64), identifier: "é".repeat(125) });
  const label = topRepos(await scrape())[0]!.slice('ngit_git_top_repos_bytes{repo="'.length, -2);
  const bytes = new TextEncoder().encode(label).length;
  assert.ok(bytes === 255 || bytes === 256, `${bytes}`);
  assert.match(label, /^npub1[a-z0-9]{58}\/é+…$/);
});

Deno.test("M-11 the build is named and the uptime grows, even when the clock is set back", async () => {
  const { clock, scrape } = setup();
  const series = await scrape();
  assert.equal(series.get('ngit_build_info{commit="0123abc",version="1.2.3"}'), 1);
  assert.equal(series.get("ngit_uptime_seconds"), 1);
  clock.jump(-3_600_000);
  assert.equal((await scrape()).get("ngit_uptime_seconds"), 1);
  clock.jump(3_700_000);
  assert.equal((await scrape()).get("ngit_uptime_seconds"), 103);
});

Deno.test("M-12 of five repositories the three largest are exported from the first scrape, the same set for 60 seconds", async () => {
  const { metrics, clock, scrape } = setup({ topRepos: 3 });
  for (const [number, bytes] of [[1, 10], [2, 500], [3, 40], [4, 300], [5, 40]] as const) {
    metrics.git.bytes("in", bytes / 2, repository(number));
    metrics.git.bytes("out", bytes / 2, repository(number));
  }
  const name = (number: number) => {
    const { owner, identifier } = repository(number);
    return `ngit_git_top_repos_bytes{repo="${encodeNpub(owner)}/${identifier}"}`;
  };
  const tied = [name(3), name(5)].sort()[0]!;
  const first = await scrape();
  assert.deepEqual(topRepos(first), [name(2), name(4), tied]);
  assert.deepEqual([name(2), name(4), tied].map((series) => first.get(series)), [500, 300, 40]);
  metrics.git.bytes("out", 1_000, repository(1));
  metrics.git.repositoryRemoved(repository(2));
  assert.deepEqual(topRepos(await scrape()), topRepos(first));
  await clock.advance(60_000);
  assert.deepEqual(topRepos(await scrape()), [name(1), name(4), tied]);
  const none = setup({ topRepos: 0 });
  none.metrics.git.bytes("in", 1, repository(1));
  assert.deepEqual(topRepos(await none.scrape()), []);
});

Deno.test("M-14 the tenth connection of one address flags it with one warning, until all of them are closed", async () => {
  const { metrics, log, scrape } = setup();
  const flagged = async () => (await scrape()).get("ngit_websocket_flagged_abusers");
  for (let number = 0; number < 9; number++) metrics.relay.connectionOpened("203.0.113.9");
  metrics.relay.connectionOpened("203.0.113.10");
  assert.equal(await flagged(), 0);
  assert.equal(log.records.length, 0);
  metrics.relay.connectionOpened("203.0.113.9");
  assert.equal(await flagged(), 1);
  for (let number = 0; number < 2; number++) metrics.relay.connectionOpened("203.0.113.9");
  assert.equal(await flagged(), 1);
  assert.equal((await scrape()).get("ngit_websocket_unique_ips"), 2);
  assert.deepEqual(log.records, [{
    level: "warn",
    message: "Potential abuse detected: IP exceeded connection threshold",
    fields: { ip: "203.0.113.0/24", threshold: 10 },
  }]);
  for (let number = 0; number < 11; number++) metrics.relay.connectionClosed("203.0.113.9", 1);
  assert.equal(await flagged(), 1);
  for (let number = 0; number < 5; number++) metrics.relay.connectionClosed("203.0.113.9", 1);
  const after = await scrape();
  assert.equal(after.get("ngit_websocket_flagged_abusers"), 0);
  assert.equal(after.get("ngit_websocket_connections_active"), 1, "closes without an open change nothing");
  assert.equal(after.get("ngit_websocket_connection_duration_seconds_count"), 12);
});

Deno.test("M-14 the addresses of one IPv6 /64 are one client; threshold 0 flags nobody", async () => {
  const { metrics, scrape } = setup({ abuseThreshold: 2 });
  for (const address of ["2001:db8:1:2::1", "2001:db8:1:2:ffff::9", "2001:db8:1:3::1", "::ffff:192.0.2.1"]) {
    metrics.relay.connectionOpened(address);
  }
  const series = await scrape();
  assert.equal(series.get("ngit_websocket_unique_ips"), 3);
  assert.equal(series.get("ngit_websocket_flagged_abusers"), 1);
  const off = setup({ abuseThreshold: 0 });
  for (let number = 0; number < 20; number++) off.metrics.relay.connectionOpened("192.0.2.1");
  assert.equal((await off.scrape()).get("ngit_websocket_flagged_abusers"), 0);
  assert.equal(off.log.records.length, 0);
});

Deno.test("M-15 no setting puts an address into the metrics, and the log shows it only as far as allowed", async () => {
  for (
    const [logIp, ipv4, ipv6] of [
      ["none", undefined, undefined],
      ["truncated", "203.0.113.0/24", "2001:db8:1::/48"],
      ["full", "203.0.113.9", "2001:db8:1:2::77"],
    ] as const
  ) {
    const { metrics, log } = setup({ logIp, abuseThreshold: 1 });
    for (const address of ["203.0.113.9", "2001:db8:1:2::77", "no address"]) {
      metrics.relay.connectionOpened(address);
    }
    assert.deepEqual(log.records.map(({ fields }) => fields.ip), [ipv4, ipv6, undefined], logIp);
    if (logIp === "none") assert.doesNotMatch(JSON.stringify(log.records), /203\.0|2001:db8|no address/);
    const { body } = await metrics.render();
    assert.doesNotMatch(body, /203\.0\.113|2001:db8|no address/i);
  }
});
