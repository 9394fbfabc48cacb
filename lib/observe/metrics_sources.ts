import type { Clock } from "../world/mod.ts";
import type { Logger } from "./log.ts";
import type { CleanupCandidates, DiskSpace } from "./metrics_operation.ts";
import type { HuntGauges, NaughtyGauge, RejectedType, RelayGauges } from "./metrics_sync.ts";

/** State that lives elsewhere and is read when metrics are rendered; may be given piece by piece. */
export interface MetricSources {
  /** Sizes of purgatory. */
  readonly waitingCounts?: () => Promise<WaitingSizes>;
  /** Ages and leftovers of purgatory; asked at most every ten seconds. */
  readonly waitingAges?: () => Promise<WaitingAges>;
  /** Number of stored events; asked at most once a minute. */
  readonly storedEvents?: () => number | Promise<number>;
  /** Space on disk; asked at most once a minute. */
  readonly disk?: () => Promise<DiskSpace>;
  /** Repositories whose last integrity check failed; asked at most once a minute, none without it. */
  readonly fsckFailures?: () => number | Promise<number>;
  /** What the last look for orphans found, from memory; undefined before the first one. */
  readonly cleanupCandidates?: () => CleanupCandidates | undefined;
  /** Repositories on disk, from memory. */
  readonly repositories?: () => number | Promise<number>;
  /** Contributors' repositories on disk, from memory; without it there are none. */
  readonly contributions?: () => number;
  /** Git children serving clients, and requests waiting for one. */
  readonly gitProcesses?: () => { readonly active: number; readonly waiting: number };
  /** Bytes of packs kept on disk, from memory; without it there are none. */
  readonly packCacheBytes?: () => number;
  /** Open subscriptions; without it the changes reported by the relay are summed. */
  readonly subscriptions?: () => number;
  /** Relays followed; without it none are. */
  readonly syncRelays?: () => readonly RelayGauges[];
  /** Relays with lasting faults, oldest first; `host` is the relay's URL. */
  readonly naughtyRelays?: () => readonly NaughtyGauge[];
  /** The hunt for missing git data; without it nothing is hunted. */
  readonly hunt?: () => HuntGauges;
  /** Refused events that are remembered whole (`hot`) and by id (`cold`). */
  readonly rejectedCounts?: () => Promise<RejectedCounts>;
}

/** Sizes of purgatory: announcements by phase, then the other sorts of entries. */
export interface WaitingSizes {
  readonly active: number;
  readonly soft: number;
  readonly states: number;
  readonly pullRequests: number;
  readonly placeholders: number;
}

/** When the oldest entry of each sort entered (ms since the epoch), and what purgatory left behind. */
export interface WaitingAges {
  readonly active: number | undefined;
  readonly soft: number | undefined;
  readonly states: number | undefined;
  readonly pullRequests: number | undefined;
  readonly placeholders: number | undefined;
  readonly expiredIds: number;
  readonly dirty: number;
}

/** Numbers of remembered refused events. */
export type RejectedCounts = Readonly<Record<"hot" | "cold", Readonly<Record<RejectedType, number>>>>;

/** A read that takes longer is left out of this rendering. */
const READ_DEADLINE_MS = 1_000;

/**
 * Reads one source: at most one read at a time, at most one per `everyMs`, and never longer than a
 * second. A source that fails has no value, and its failure is no failure of the rendering.
 */
export class SourceReader<T> {
  readonly #name: string;
  readonly #everyMs: number;
  readonly #clock: Clock;
  readonly #log: Logger;
  #value: T | undefined;
  #readAt: number | undefined;
  #running: Promise<void> | undefined;

  constructor(name: string, everyMs: number, clock: Clock, log: Logger) {
    this.#name = name;
    this.#everyMs = everyMs;
    this.#clock = clock;
    this.#log = log;
  }

  /** The value of `source`, or the last one known while a new one takes too long. */
  async read(source: (() => T | Promise<T>) | undefined): Promise<T | undefined> {
    if (!source) return undefined;
    if (this.#isDue()) {
      this.#running ??= this.#refresh(source).finally(() => this.#running = undefined);
    }
    if (!this.#running) return this.#value;
    const over = new AbortController();
    await Promise.race([this.#running, this.#clock.sleep(READ_DEADLINE_MS, over.signal)]);
    over.abort();
    return this.#value;
  }

  #isDue(): boolean {
    const age = this.#readAt === undefined ? Infinity : this.#clock.now() - this.#readAt;
    return age < 0 || age >= this.#everyMs;
  }

  async #refresh(source: () => T | Promise<T>): Promise<void> {
    this.#readAt = this.#clock.now();
    try {
      this.#value = await source();
    } catch (error) {
      this.#value = undefined;
      this.#log.warn("a metric could not be read", { metric: this.#name, error: String(error) });
    }
  }
}
