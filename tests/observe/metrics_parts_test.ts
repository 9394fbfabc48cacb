import assert from "node:assert/strict";
import { createMetrics, noMetrics } from "../../lib/observe/metrics.ts";
import { runJob } from "../../lib/observe/run_job.ts";
import { TrafficTally } from "../../lib/observe/metrics_traffic.ts";
import { eventually } from "../support/temp.ts";
import { VirtualClock } from "../support/virtual_clock.ts";
import { seriesOf } from "./exposition.ts";
import { RecordingLog } from "./recording_log.ts";

function setup() {
  const clock = new VirtualClock();
  const log = new RecordingLog();
  const metrics = createMetrics({
    version: "1",
    commit: "1",
    clock,
    topRepos: 10,
    abuseThreshold: 10,
    log,
  });
  const scrape = async () => {
    await clock.advance(1_000);
    return seriesOf((await metrics.render()).body);
  };
  return { clock, log, metrics, scrape };
}

function repository(number: number) {
  return { owner: number.toString(16).padStart(64, "0"), identifier: "repo" };
}

Deno.test("M-13 traffic that names no repository is counted but not tallied", async () => {
  const { metrics, scrape } = setup();
  metrics.git.bytes("in", 10);
  const series = await scrape();
  assert.equal(series.get('ngit_git_bytes_total{direction="in"}'), 10);
  assert.ok(![...series.keys()].some((name) => name.startsWith("ngit_git_top_repos_bytes")));
});

Deno.test("the traffic tally holds 10 000 repositories; the smallest quarter makes room for more", () => {
  const tally = new TrafficTally(() => 10_001, new VirtualClock());
  for (let number = 1; number <= 10_000; number++) tally.add(repository(number), number);
  assert.equal(tally.size, 10_000);
  tally.add(repository(10_001), 5);
  assert.equal(tally.size, 7_501);
  const left = tally.top().map(({ bytes }) => bytes);
  assert.deepEqual([left[0], left.at(-2), left.at(-1)], [10_000, 2_501, 5]);
});

Deno.test("totals of a repository saturate, and odd amounts count as nothing", () => {
  const tally = new TrafficTally(() => 3, new VirtualClock());
  tally.add(repository(1), Number.MAX_SAFE_INTEGER);
  tally.add(repository(1), Number.MAX_SAFE_INTEGER);
  for (const odd of [NaN, Infinity, -5]) tally.add(repository(2), odd);
  assert.deepEqual(tally.top().map(({ bytes }) => bytes), [Number.MAX_SAFE_INTEGER, 0]);
});

Deno.test("no report throws: odd durations and amounts count as zero", async () => {
  const { metrics, scrape } = setup();
  metrics.relay.connectionOpened("192.0.2.1");
  metrics.relay.connectionClosed("192.0.2.1", -1);
  metrics.git.operation("fetch", "error", NaN);
  metrics.git.bytes("out", -1);
  metrics.http.httpRequest("health", 999, 1);
  metrics.http.httpRequest("health", 200, Infinity);
  metrics.relay.subscriptions(-3);
  const series = await scrape();
  assert.equal(series.get("ngit_websocket_connection_duration_seconds_sum"), 0);
  assert.equal(series.get('ngit_git_operations_total{operation="fetch",status="error"}'), 1);
  assert.equal(series.get('ngit_http_requests_total{route="health",status="2xx"}'), 1);
  assert.equal(series.get("ngit_websocket_subscriptions_active"), 0);
});

Deno.test("gauges are read from their sources at scrape time, stored events at most once a minute", async () => {
  const { metrics, clock, scrape } = setup();
  let reads = 0;
  let repositories = 4;
  metrics.observe({
    waitingCounts: () => Promise.resolve({ active: 3, soft: 2, states: 1, pullRequests: 5, placeholders: 6 }),
    storedEvents: () => Promise.resolve(++reads),
  });
  metrics.observe({
    repositories: () => repositories,
    gitProcesses: () => ({ active: 2, waiting: 1 }),
    packCacheBytes: () => 7,
    subscriptions: () => 9,
  });
  const first = await scrape();
  const value = (name: string) => first.get(name);
  assert.equal(value('ngit_purgatory_entries{type="announcement"}'), 3);
  assert.equal(value('ngit_purgatory_entries{type="announcement_soft_expired"}'), 2);
  assert.equal(value('ngit_purgatory_entries{type="state"}'), 1);
  assert.equal(value('ngit_purgatory_entries{type="pr"}'), 5);
  assert.equal(value('ngit_purgatory_entries{type="placeholder"}'), 6);
  assert.equal(value("ngit_repositories_total"), 4);
  assert.equal(value("ngit_git_processes_active"), 2);
  assert.equal(value("ngit_git_queue_depth"), 1);
  assert.equal(value("ngit_git_pack_cache_bytes"), 7);
  assert.equal(value("ngit_websocket_subscriptions_active"), 9);
  assert.equal(value("ngit_db_events"), 1);
  repositories = 5;
  const second = await scrape();
  assert.equal(second.get("ngit_repositories_total"), 5);
  assert.equal(second.get("ngit_db_events"), 1);
  await clock.advance(60_000);
  assert.equal((await scrape()).get("ngit_db_events"), 2);
});

Deno.test("a source that fails or hangs costs its own sample and nothing else", async () => {
  const { metrics, clock, log } = setup();
  const stuck = Promise.withResolvers<number>();
  let asked = 0;
  metrics.observe({
    waitingCounts: () => Promise.reject(new Error("database is closed")),
    storedEvents: () => {
      throw new Error("broken");
    },
    repositories: () => (asked++, stuck.promise),
  });
  for (let round = 0; round < 2; round++) {
    let body: string | undefined;
    void metrics.render().then((rendered) => body = rendered.body);
    await eventually("the rendering ends at the deadline", async () => {
      await clock.advance(500);
      return body !== undefined;
    });
    const series = seriesOf(body!);
    const missing = ["ngit_repositories_total", "ngit_db_events", 'ngit_purgatory_entries{type="state"}'];
    assert.ok(missing.every((name) => !series.has(name)));
    assert.equal(series.get("ngit_websocket_connections_total"), 0);
  }
  assert.equal(asked, 1, "a hanging source is not asked again");
  assert.ok(log.records.every(({ level, fields }) => level === "warn" && fields.metric !== undefined));
  stuck.resolve(8);
  await clock.advance(2_000);
  assert.equal(seriesOf((await metrics.render()).body).get("ngit_repositories_total"), 8);
});

Deno.test("H-27 concurrent scrapes share one rendering, and there is at most one per second", async () => {
  const { metrics, clock } = setup();
  let reads = 0;
  metrics.observe({ repositories: () => ++reads });
  const bodies = await Promise.all(Array.from({ length: 5 }, () => metrics.render()));
  assert.equal(new Set(bodies).size, 1);
  await clock.advance(999);
  await metrics.render();
  assert.equal(reads, 1);
  await clock.advance(1);
  await metrics.render();
  assert.equal(reads, 2);
  clock.jump(-60_000);
  await metrics.render();
  assert.equal(reads, 3, "a clock set back does not freeze the metrics");
});

Deno.test("the event-loop lag is the worst delay of a timer in the last 60 seconds, until sampling is stopped", async () => {
  const { metrics, clock, scrape } = setup();
  const stop = new AbortController();
  const running = metrics.start(stop.signal);
  const lag = async () => (await scrape()).get("ngit_event_loop_lag_seconds");
  await clock.advance(2_000);
  assert.equal(await lag(), 0);
  clock.jump(2_250);
  await clock.advance(1_000);
  const measured = await lag();
  assert.ok(measured! > 1.5 && measured! <= 2.25, `${measured}`);
  await clock.advance(30_000);
  assert.equal(await lag(), measured);
  await clock.advance(31_000);
  assert.equal(await lag(), 0);
  stop.abort();
  await running;
});

Deno.test("two servers in one process count apart, and disabled metrics collect nothing", async () => {
  const [one, other] = [setup(), setup()];
  one.metrics.intake.received(30617);
  const series = 'ngit_events_received_total{kind="30617"}';
  assert.equal((await one.scrape()).get(series), 1);
  assert.equal((await other.scrape()).get(series), 0);
  const off = noMetrics();
  off.intake.received(30617);
  off.relay.connectionOpened("192.0.2.1");
  await off.start(new AbortController().signal);
  assert.equal((await off.render()).body, "");
});

Deno.test("a job is counted by how it ended, and its last success keeps its time", async () => {
  const { metrics, clock, scrape } = setup();
  const run = (work: () => Promise<void>) => runJob(metrics.jobs, clock, "purgatory_sweep", work);
  await run(() => clock.advance(2_000));
  const succeededAt = clock.now() / 1000;
  await assert.rejects(run(() => Promise.reject(new Error("broken"))), /broken/);
  const series = await scrape();
  assert.equal(series.get('ngit_job_runs_total{job="purgatory_sweep",result="success"}'), 1);
  assert.equal(series.get('ngit_job_runs_total{job="purgatory_sweep",result="failure"}'), 1);
  assert.equal(series.get('ngit_job_last_success_timestamp_seconds{job="purgatory_sweep"}'), succeededAt);
  assert.equal(series.get('ngit_job_duration_seconds{job="purgatory_sweep"}'), 0);
});

Deno.test("M-31 repositories that fail their integrity check are read where they are kept, at most once a minute", async () => {
  const { metrics, clock, scrape } = setup();
  let reads = 0;
  metrics.observe({ fsckFailures: () => Promise.resolve(++reads) });
  assert.equal((await scrape()).get("ngit_repo_fsck_failures"), 1);
  assert.equal((await scrape()).get("ngit_repo_fsck_failures"), 1);
  await clock.advance(60_000);
  assert.equal((await scrape()).get("ngit_repo_fsck_failures"), 2);
});

Deno.test("C-42 reloads are counted by result", async () => {
  const { metrics, scrape } = setup();
  metrics.config.reloaded("failure");
  metrics.config.reloaded("success");
  metrics.config.reloaded("failure");
  const series = await scrape();
  assert.equal(series.get('ngit_config_reload_total{result="success"}'), 1);
  assert.equal(series.get('ngit_config_reload_total{result="failure"}'), 2);
});
