import type { BatchPurpose } from "./batches.ts";
import type { HealthState } from "./health.ts";
import type { Items } from "./items.ts";
import type { Status } from "./lifecycle.ts";
import type { PeerMemory } from "./ports.ts";
import type { RelayActor } from "./relay_actor.ts";
import type { WantedRepo } from "./targets.ts";

/** A batch under way, as the inspector shows it. */
export interface BatchInspection {
  readonly id: number;
  readonly purpose: BatchPurpose;
  readonly method: "negentropy" | "req";
  readonly outstandingSubs: number;
  readonly items: Items;
  readonly covers: Items;
}

/** One tracked relay, as the inspector shows it. */
export interface RelayInspection {
  readonly url: string;
  readonly isBootstrap: boolean;
  readonly status: Status;
  readonly epoch: number;
  readonly health: HealthState;
  readonly failures: number;
  /** Monotonic time (ms) from which on a dial is allowed by health. */
  readonly dueAt: number;
  /** Monotonic times (ms). */
  readonly lastAttemptAt: number | undefined;
  readonly lastSuccessAt: number | undefined;
  readonly batches: readonly BatchInspection[];
  readonly confirmed: Items;
  readonly incomplete: Items;
  readonly announcementsSynced: boolean;
  readonly hadFailures: boolean;
  /** More events of one second than the relay sends at once. */
  readonly possiblyIncomplete: boolean;
  /** Wall time (ms). */
  readonly completedAt: number | undefined;
  /** Wall time (ms) of the last frame known. */
  readonly lastConnected: number | undefined;
  /** Monotonic time (ms). */
  readonly disconnectedAt: number | undefined;
  readonly openSubscriptions: number;
  readonly queueDepth: number;
  /** Some live subscription was refused for good. */
  readonly partlyLive: boolean;
  readonly memory: Readonly<PeerMemory>;
}

/** A read-only view of what is wanted, pending and confirmed, and of every tracked relay. */
export interface Inspection {
  /** False until what the database holds has been read. */
  readonly isLoaded: boolean;
  readonly repos: ReadonlyMap<string, WantedRepo>;
  readonly relays: ReadonlyMap<string, RelayInspection>;
  readonly dialsRunning: number;
}

/** The view of one relay at `now` (monotonic). */
export function inspectRelay({ record, health, link, memory }: RelayActor, now: number): RelayInspection {
  return {
    url: record.url,
    isBootstrap: record.isBootstrap,
    status: record.status,
    epoch: record.epoch,
    health: health.state(now),
    failures: health.failures(now),
    dueAt: health.dueAt,
    lastAttemptAt: health.last.attemptAt,
    lastSuccessAt: health.last.successAt,
    batches: Array.from(record.batches.values(), ({ id, purpose, items, covers, progress }) => ({
      id,
      purpose,
      method: progress.method,
      outstandingSubs: progress.outstandingSubs.size,
      items,
      covers,
    })),
    confirmed: record.confirmed,
    incomplete: record.incomplete,
    announcementsSynced: record.announcementsSynced,
    hadFailures: record.hadFailures,
    possiblyIncomplete: record.possiblyIncomplete,
    completedAt: record.completedAt,
    lastConnected: link ? Math.max(record.lastConnected ?? 0, link.lastFrameAt) : record.lastConnected,
    disconnectedAt: record.disconnectedAt,
    openSubscriptions: link?.openSubscriptions ?? 0,
    queueDepth: link?.queueDepth ?? 0,
    partlyLive: link?.partlyLive ?? false,
    memory,
  };
}
