import { Registry } from "prom-client";
import type { Clock } from "../world/mod.ts";
import type { Logger } from "./log.ts";
import { type AddressDisplay, ConnectionTracker } from "./metrics_addresses.ts";
import { AttemptTally } from "./metrics_attempts.ts";
import { createFamilies } from "./metrics_families.ts";
import { Gauges } from "./metrics_gauges.ts";
import {
  type GitGroup,
  gitGroup,
  type HttpGroup,
  httpGroup,
  type IntakeGroup,
  intakeGroup,
  type RelayGroup,
  relayGroup,
  type SentTally,
} from "./metrics_groups.ts";
import { labelText } from "./metrics_labels.ts";
import { LoopLag } from "./metrics_lag.ts";
import type { ConfigGroup, JobGroup, StoreGroup } from "./metrics_operation.ts";
import {
  configGroup,
  jobGroup,
  noConfigMetrics,
  noJobMetrics,
  noStoreMetrics,
  storeGroup,
} from "./metrics_operation_group.ts";
import type { PurgatoryGroup } from "./metrics_purgatory.ts";
import { noPurgatoryMetrics, purgatoryGroup } from "./metrics_purgatory_group.ts";
import type { MetricSources } from "./metrics_sources.ts";
import type { HuntGroup, RejectedGroup, SyncGroup } from "./metrics_sync.ts";
import { huntGroup, rejectedGroup, syncGroup } from "./metrics_sync_groups.ts";
import { TrafficTally } from "./metrics_traffic.ts";

export type { AddressDisplay } from "./metrics_addresses.ts";
export type { GitGroup, HttpGroup, IntakeGroup, RelayGroup } from "./metrics_groups.ts";
export type { HttpRoute } from "./metrics_labels.ts";
export type {
  CleanupCandidates,
  ConfigGroup,
  DiskSpace,
  Job,
  JobGroup,
  StoreGroup,
  StoreOperation,
  VolumeSpace,
} from "./metrics_operation.ts";
export { noStoreMetrics } from "./metrics_operation_group.ts";
export type {
  PurgatoryEntryType,
  PurgatoryGroup,
  PurgatoryType,
  PushMatch,
  ReleaseStep,
  ReleaseVia,
  RemovalReason,
} from "./metrics_purgatory.ts";
export { noPurgatoryMetrics } from "./metrics_purgatory_group.ts";
export type { MetricSources, RejectedCounts, WaitingAges, WaitingSizes } from "./metrics_sources.ts";
export type { TrafficRepository } from "./metrics_traffic.ts";

/** What {@link createMetrics} needs. */
export interface MetricsOptions {
  readonly version: string;
  /** Commit the program was built from. */
  readonly commit: string;
  readonly clock: Clock;
  /** Repositories exported by traffic; 0 exports none. May change. */
  readonly topRepos: number;
  /** Simultaneous WebSockets of one client that get it flagged; 0 flags nobody. May change. */
  readonly abuseThreshold: number;
  /** How the address of a flagged client appears in the log; `truncated` unless given. May change. */
  readonly logIp?: AddressDisplay;
  readonly log: Logger;
}

/** One rendering of all metrics. */
export interface RenderedMetrics {
  readonly contentType: string;
  readonly body: string;
}

/** The metrics of one server. The groups implement what the parts report to; none of them throws. */
export interface Metrics {
  readonly relay: RelayGroup;
  readonly intake: IntakeGroup;
  readonly purgatory: PurgatoryGroup;
  readonly git: GitGroup;
  readonly http: HttpGroup;
  readonly sync: SyncGroup;
  readonly rejected: RejectedGroup;
  readonly hunt: HuntGroup;
  readonly store: StoreGroup;
  readonly jobs: JobGroup;
  readonly config: ConfigGroup;
  /** Says where gauges read their values; may be called more than once. */
  observe(sources: MetricSources): void;
  /** Measures the event-loop lag until `signal` aborts; resolves then. */
  start(signal: AbortSignal): Promise<void>;
  /**
   * All metrics in the Prometheus text format 0.0.4. Concurrent calls share one rendering, and a
   * rendering answers all calls of the second after it began.
   */
  render(): Promise<RenderedMetrics>;
}

/** Metrics in a registry of their own; several servers can live in one process. */
export function createMetrics(options: MetricsOptions): Metrics {
  const { clock, log } = options;
  const families = createFamilies();
  const connections = new ConnectionTracker({
    abuseThreshold: () => options.abuseThreshold,
    display: () => options.logIp ?? "truncated",
    log,
  });
  const subscriptions = { open: 0 };
  const sent: SentTally = new Map();
  const traffic = new TrafficTally(() => options.topRepos, clock);
  const attempts = new AttemptTally();
  const lag = new LoopLag(clock);
  const gauges = new Gauges({
    families,
    connections,
    subscriptions,
    sent,
    traffic,
    attempts,
    lag,
    clock,
    log,
  });
  families.buildInfo.set({ version: labelText(options.version), commit: labelText(options.commit) }, 1);
  const { registry } = families;
  const jobs = jobGroup(families);
  return {
    relay: relayGroup(families, connections, subscriptions, sent),
    intake: intakeGroup(families),
    purgatory: purgatoryGroup(families),
    git: gitGroup(families, traffic),
    http: httpGroup(families),
    sync: syncGroup(families, attempts, jobs),
    rejected: rejectedGroup(families),
    hunt: huntGroup(families),
    store: storeGroup(families),
    jobs,
    config: configGroup(families),
    observe: (sources) => gauges.observe(sources),
    start: (signal) => lag.run(signal),
    render: shared(clock, async () => {
      await gauges.collect();
      return { contentType: registry.contentType, body: await registry.metrics() };
    }),
  };
}

/** Metrics that collect nothing, for an operator who wants none. */
export function noMetrics(): Metrics {
  const nothing = () => {};
  return {
    relay: {
      connectionOpened: nothing,
      connectionClosed: nothing,
      rejected: nothing,
      received: nothing,
      sent: nothing,
      subscriptions: nothing,
      rateLimited: nothing,
    },
    intake: { received: nothing, held: nothing, rejected: nothing },
    purgatory: noPurgatoryMetrics,
    git: {
      operation: nothing,
      bytes: nothing,
      authorization: nothing,
      packCache: nothing,
      processFailure: nothing,
      repositoryRemoved: nothing,
    },
    http: { httpRequest: nothing },
    sync: {
      attempt: nothing,
      synced: nothing,
      processed: nothing,
      batch: nothing,
      negentropy: nothing,
      redundantIds: nothing,
      historicDuration: nothing,
      stalledSubscription: nothing,
      consolidation: nothing,
      droppedFrame: nothing,
      dailySync: nothing,
    },
    rejected: {
      hotHits: nothing,
      hotMiss: nothing,
      hotExpired: nothing,
      coldExpired: nothing,
      invalidated: nothing,
    },
    hunt: { fetch: nothing, hunt: nothing, urlSkipped: nothing },
    store: noStoreMetrics,
    jobs: noJobMetrics,
    config: noConfigMetrics,
    observe: nothing,
    start: () => Promise.resolve(),
    render: () => Promise.resolve({ contentType: Registry.PROMETHEUS_CONTENT_TYPE, body: "" }),
  };
}

const RENDER_EVERY_MS = 1_000;

/** `work` at most once a second: calls meanwhile receive the result of the run before. */
function shared<T>(clock: Clock, work: () => Promise<T>): () => Promise<T> {
  let latest: { readonly startedAt: number; readonly result: Promise<T>; running: boolean } | undefined;
  return () => {
    const age = latest ? clock.now() - latest.startedAt : Infinity;
    if (latest && (latest.running || (age >= 0 && age < RENDER_EVERY_MS))) return latest.result;
    const run = { startedAt: clock.now(), result: work(), running: true };
    void run.result.finally(() => run.running = false).catch(() => {});
    latest = run;
    return run.result;
  };
}
