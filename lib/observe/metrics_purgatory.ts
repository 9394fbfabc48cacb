import type { FamilyBuilder } from "./metrics_builder.ts";

/** Values of `type` of waiting events. */
const TYPES = ["announcement", "state", "pr"] as const;
/** Values of `type` of all entries; a placeholder is a pushed ref whose event is unknown. */
const ENTRY_TYPES = [...TYPES, "placeholder"] as const;
const SOURCES = ["direct", "sync"] as const;
const REMOVALS = [
  "superseded",
  "unauthorised",
  "deleted",
  "service_change",
  "overflow",
  "corrupt",
] as const;
const VIAS = ["push", "fetch", "copy", "event", "startup"] as const;
const MATCHES = ["waiting", "database", "noop", "mismatch", "unauthorised", "none"] as const;
/** Mark dirty, read, copy objects, align, place pull requests, commit. */
const STEPS = ["1", "3", "6", "7", "8", "10"] as const;
const DELETIONS = ["expired", "service_change", "deleted", "retention"] as const;
const DELETION_RESULTS = ["removed", "absent", "in-use", "has-refs", "failed"] as const;
const WAIT_SECONDS = [1, 5, 20, 60, 180, 600, 1800, 7200, 86400];
const PROCESSING_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** Type of a waiting event. */
export type PurgatoryType = (typeof TYPES)[number];
/** Type of any entry. */
export type PurgatoryEntryType = (typeof ENTRY_TYPES)[number];
/** Why an entry was removed before its time. */
export type RemovalReason = (typeof REMOVALS)[number];
/** What completed a waiting event: a push, a fetch, a copy from another owner's repository, an event, or a repair. */
export type ReleaseVia = (typeof VIAS)[number];
/** What a push was compared with: a waiting or a served state, or why none allowed it. */
export type PushMatch = (typeof MATCHES)[number];
/** Step of a release that failed: 1 mark, 3 read, 6 copy, 7 align, 8 pull requests, 10 commit. */
export type ReleaseStep = (typeof STEPS)[number];

type Source = (typeof SOURCES)[number];

/** What becomes of waiting entries, and what was committed to the database. */
export interface PurgatoryGroup {
  released(type: PurgatoryType, source: Source): void;
  expired(type: PurgatoryEntryType, source: Source): void;
  stored(kind: number): void;
  /** An event that waits was offered again. */
  duplicate(type: PurgatoryType, source: Source): void;
  removed(type: PurgatoryEntryType, reason: RemovalReason): void;
  /** A soft-expired announcement has its repository back. */
  revived(): void;
  /** A newer version took the place of a waiting announcement. */
  replaced(): void;
  /** Time from the first entry to the release. */
  waited(type: PurgatoryType, via: ReleaseVia, seconds: number): void;
  /** Another relay offered an event that expired. */
  refusedExpired(type: PurgatoryType): void;
  pushMatched(result: PushMatch): void;
  /** One run over what waits under an identifier. */
  processed(seconds: number): void;
  processingFailed(step: ReleaseStep): void;
  repositoryDeleted(
    reason: (typeof DELETIONS)[number],
    result: (typeof DELETION_RESULTS)[number],
  ): void;
}

/** Families about what waits for its git data. */
export function purgatoryFamilies(define: FamilyBuilder) {
  const outcome = { type: TYPES, source: SOURCES };
  return {
    purgatoryEntries: define.gauge("ngit_purgatory_entries", "Entries in purgatory", ["type"]),
    purgatoryOldest: define.gauge(
      "ngit_purgatory_oldest_entry_seconds",
      "Age of the oldest entry, 0 without one",
      ["type"],
    ),
    purgatoryExpiredIds: define.gauge("ngit_purgatory_expired_ids", "Expired events remembered by id"),
    purgatoryDirty: define.gauge(
      "ngit_purgatory_dirty_repositories",
      "Repositories whose refs may be ahead of the served events",
    ),
    purgatoryReleased: define.counter(
      "ngit_purgatory_released_total",
      "Purgatory entries whose git data arrived",
      outcome,
    ),
    purgatoryExpired: define.counter(
      "ngit_purgatory_expired_total",
      "Purgatory entries that waited in vain: for git data, a placeholder for its event",
      { type: ENTRY_TYPES, source: SOURCES },
    ),
    purgatoryDuplicates: define.counter(
      "ngit_purgatory_duplicates_total",
      "Waiting events that were offered again",
      outcome,
    ),
    purgatoryRemoved: define.counter(
      "ngit_purgatory_removed_total",
      "Purgatory entries removed before their time",
      { type: ENTRY_TYPES, reason: REMOVALS },
    ),
    purgatoryRevived: define.counter(
      "ngit_purgatory_revived_total",
      "Soft-expired announcements that got their repository back",
    ),
    purgatoryReplaced: define.counter(
      "ngit_purgatory_replaced_total",
      "Waiting announcements replaced by a newer version",
    ),
    purgatoryRefusedExpired: define.counter(
      "ngit_purgatory_refused_expired_total",
      "Expired events another relay offered again",
      { type: TYPES },
    ),
    purgatoryWait: define.histogram(
      "ngit_purgatory_wait_seconds",
      "From entering purgatory to the release",
      WAIT_SECONDS,
      { type: TYPES, via: VIAS },
    ),
    ...releaseFamilies(define),
  };
}

function releaseFamilies(define: FamilyBuilder) {
  return {
    pushMatches: define.counter(
      "ngit_purgatory_push_match_total",
      "Pushes of branches and tags by the state that decided them",
      { result: MATCHES },
    ),
    processingSeconds: define.histogram(
      "ngit_purgatory_processing_seconds",
      "Duration of one run over what waits for an identifier",
      PROCESSING_SECONDS,
    ),
    processingErrors: define.counter(
      "ngit_purgatory_processing_errors_total",
      "Failures of these runs: 1 mark, 3 read, 6 copy, 7 align, 8 pull requests, 10 commit",
      {
        step: STEPS,
      },
    ),
    repositoriesDeleted: define.counter(
      "ngit_purgatory_repositories_deleted_total",
      "Attempts to delete a repository",
      { reason: DELETIONS, result: DELETION_RESULTS },
    ),
  };
}
