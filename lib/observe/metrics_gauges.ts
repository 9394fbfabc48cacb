import type { Clock } from "../world/mod.ts";
import type { Logger } from "./log.ts";
import type { ConnectionTracker } from "./metrics_addresses.ts";
import type { Families } from "./metrics_families.ts";
import type { SentTally, SubscriptionSum } from "./metrics_groups.ts";
import type { LoopLag } from "./metrics_lag.ts";
import { CANDIDATES, type DiskSpace, VOLUMES } from "./metrics_operation.ts";
import { type MetricSources, SourceReader, type WaitingAges, type WaitingSizes } from "./metrics_sources.ts";
import type { AttemptTally } from "./metrics_attempts.ts";
import { setPlain, SyncGauges } from "./metrics_sync_gauges.ts";
import type { TrafficTally } from "./metrics_traffic.ts";

/** What the gauges mirror. */
export interface GaugeInputs {
  readonly families: Families;
  readonly connections: ConnectionTracker;
  readonly subscriptions: SubscriptionSum;
  readonly sent: SentTally;
  readonly traffic: TrafficTally;
  readonly attempts: AttemptTally;
  readonly lag: LoopLag;
  readonly clock: Clock;
  readonly log: Logger;
}

const STORED_EVENTS_EVERY_MS = 60_000;
const DISK_EVERY_MS = 60_000;
const FSCK_EVERY_MS = 60_000;
const WAITING_AGES_EVERY_MS = 10_000;
/** Sorts of entries as their sources and as their metrics call them. */
const ENTRY_TYPES = {
  active: "announcement",
  soft: "announcement_soft_expired",
  states: "state",
  pullRequests: "pr",
  placeholders: "placeholder",
} as const;
const SORTS = Object.keys(ENTRY_TYPES) as (keyof typeof ENTRY_TYPES)[];

/** Computes gauges from the state they mirror. What nobody can tell has no sample. */
export class Gauges {
  readonly #inputs: GaugeInputs;
  readonly #startedAt: number;
  readonly #waiting: SourceReader<WaitingSizes>;
  readonly #ages: SourceReader<WaitingAges>;
  readonly #disk: SourceReader<DiskSpace>;
  readonly #stored: SourceReader<number>;
  readonly #fsck: SourceReader<number>;
  readonly #repositories: SourceReader<number>;
  readonly #sync: SyncGauges;
  #sources: MetricSources = {};
  #uptimeSeconds = 0;

  constructor(inputs: GaugeInputs) {
    const { clock, log } = inputs;
    this.#inputs = inputs;
    this.#startedAt = clock.now();
    this.#waiting = new SourceReader("ngit_purgatory_entries", 0, clock, log);
    this.#ages = new SourceReader("ngit_purgatory_oldest_entry_seconds", WAITING_AGES_EVERY_MS, clock, log);
    this.#disk = new SourceReader("ngit_disk_free_bytes", DISK_EVERY_MS, clock, log);
    this.#fsck = new SourceReader("ngit_repo_fsck_failures", FSCK_EVERY_MS, clock, log);
    this.#stored = new SourceReader("ngit_db_events", STORED_EVENTS_EVERY_MS, clock, log);
    this.#repositories = new SourceReader("ngit_repositories_total", 0, clock, log);
    this.#sync = new SyncGauges(inputs);
  }

  /** Adds sources; one given before under the same name is replaced. */
  observe(sources: MetricSources): void {
    this.#sources = { ...this.#sources, ...sources };
  }

  /** Brings every gauge up to date; a source that fails is logged and leaves its gauge without a sample. */
  async collect(): Promise<void> {
    this.#fromMemory();
    const { families } = this.#inputs;
    const { waitingCounts, waitingAges, storedEvents, repositories, disk, fsckFailures } = this.#sources;
    await Promise.all([
      this.#waiting.read(waitingCounts).then((counts) => this.#setEntries(counts)),
      this.#ages.read(waitingAges).then((ages) => this.#setAges(ages)),
      this.#disk.read(disk).then((space) => this.#setDisk(space)),
      this.#fsck.read(fsckFailures ?? (() => 0)).then((count) => setPlain(families.fsckFailures, count)),
      this.#stored.read(storedEvents).then((count) => setPlain(families.dbEvents, count)),
      this.#sync.collect(this.#sources),
      this.#repositories.read(repositories).then((count) => setPlain(families.repositories, count)),
    ]);
  }

  #fromMemory(): void {
    const { families, connections, subscriptions, sent, traffic, lag } = this.#inputs;
    families.connectionsActive.set(connections.active);
    families.uniqueIps.set(connections.unique);
    families.flaggedAbusers.set(connections.flagged);
    families.subscriptionsActive.set(this.#sources.subscriptions?.() ?? subscriptions.open);
    for (const [type, count] of sent) families.messagesSent.inc({ type }, count);
    sent.clear();
    const load = this.#sources.gitProcesses?.();
    setPlain(families.gitProcesses, load?.active);
    setPlain(families.gitQueue, load?.waiting);
    families.packCacheBytes.set(this.#sources.packCacheBytes?.() ?? 0);
    families.contributions.set(this.#sources.contributions?.() ?? 0);
    this.#setCandidates();
    families.topRepos.reset();
    // Labels cut to the same text share one series.
    for (const { label, bytes } of traffic.top()) families.topRepos.inc({ repo: label }, bytes);
    const memory = Deno.memoryUsage();
    families.residentMemory.set(memory.rss);
    families.heapUsed.set(memory.heapUsed);
    families.eventLoopLag.set(lag.worstSeconds());
    this.#setUptime();
  }

  /** A counter: a clock that is set back makes it stand still. */
  #setUptime(): void {
    const seconds = (this.#inputs.clock.now() - this.#startedAt) / 1000;
    if (seconds <= this.#uptimeSeconds) return;
    this.#uptimeSeconds = seconds;
    this.#inputs.families.uptime.reset();
    this.#inputs.families.uptime.inc(seconds);
  }

  #setEntries(counts: WaitingSizes | undefined): void {
    const { purgatoryEntries } = this.#inputs.families;
    purgatoryEntries.reset();
    if (!counts) return;
    for (const sort of SORTS) purgatoryEntries.set({ type: ENTRY_TYPES[sort] }, counts[sort]);
  }

  #setCandidates(): void {
    const { cleanupCandidates } = this.#inputs.families;
    cleanupCandidates.reset();
    const candidates = this.#sources.cleanupCandidates?.();
    if (!candidates) return;
    for (const kind of CANDIDATES) cleanupCandidates.set({ kind }, candidates[kind]);
  }

  #setDisk(space: DiskSpace | undefined): void {
    const { diskFree, diskTotal } = this.#inputs.families;
    diskFree.reset();
    diskTotal.reset();
    for (const volume of VOLUMES) {
      const found = space?.[volume];
      if (!found) continue;
      diskFree.set({ volume }, found.free);
      diskTotal.set({ volume }, found.total);
    }
  }

  #setAges(ages: WaitingAges | undefined): void {
    const { families: { purgatoryOldest, purgatoryExpiredIds, purgatoryDirty }, clock } = this.#inputs;
    setPlain(purgatoryExpiredIds, ages?.expiredIds);
    setPlain(purgatoryDirty, ages?.dirty);
    purgatoryOldest.reset();
    if (!ages) return;
    for (const sort of SORTS) {
      const since = ages[sort];
      const seconds = since === undefined ? 0 : Math.max(0, clock.now() - since) / 1000;
      purgatoryOldest.set({ type: ENTRY_TYPES[sort] }, seconds);
    }
  }
}
