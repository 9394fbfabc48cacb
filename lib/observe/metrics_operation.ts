import type { FamilyBuilder } from "./metrics_builder.ts";
import type { PurgatoryEntryType } from "./metrics_purgatory.ts";

const QUERY_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];
const OPERATIONS = ["read", "write", "count", "delete"] as const;
const JOBS = [
  "purgatory_sweep",
  "expired_events",
  "rejected_hot",
  "rejected_cold",
  "audit_cleanup",
  "prs_startup_scan",
  "daily_sync",
  "deleted_retention",
  "git_maintenance",
  "git_fsck",
  "db_maintenance",
  "repo_reconcile",
] as const;
/** Values of `kind` of clean-up candidates. */
export const CANDIDATES = ["event_without_data", "empty_orphan", "nonempty_orphan"] as const;
/** What became of a run; `skipped`: something forbade it. */
const JOB_RESULTS = ["success", "failure", "skipped"] as const;
const RELOAD_RESULTS = ["success", "failure"] as const;

/** Values of `volume`. */
export const VOLUMES = ["git", "relay"] as const;

/** Sort of a database operation. */
export type StoreOperation = (typeof OPERATIONS)[number];
/** Work that is done again and again. */
export type Job = (typeof JOBS)[number];
/** Space on the file system of one data directory, in bytes. */
export interface VolumeSpace {
  readonly free: number;
  readonly total: number;
}
/** Space by volume; a volume that does not exist is left out. */
export type DiskSpace = Readonly<Partial<Record<(typeof VOLUMES)[number], VolumeSpace>>>;

/** What the store reports. */
export interface StoreGroup {
  /** One operation, with the time it waited for its turn. */
  operation(operation: StoreOperation, seconds: number): void;
  /** A damaged entry of purgatory was moved out of the way. */
  corrupt(type: PurgatoryEntryType): void;
}

/** What regular jobs report. */
export interface JobGroup {
  /** One run ended; `at` is the present in ms since the epoch. */
  ran(job: Job, result: "success" | "failure", seconds: number, at: number): void;
  /** A run was left out. */
  skipped(job: Job): void;
  /** When a job last succeeded (ms since the epoch) before this process started. */
  succeededBefore(job: Job, at: number): void;
}

/** Announcements and directories that lack each other, by what is missing. */
export type CleanupCandidates = Readonly<Record<(typeof CANDIDATES)[number], number>>;

/** What the configuration reports. */
export interface ConfigGroup {
  /** SIGHUP: the settings were replaced, or an invalid one kept them all as they were. */
  reloaded(result: (typeof RELOAD_RESULTS)[number]): void;
}

/** Families about the database, the disk and regular jobs. */
export function operationFamilies(define: FamilyBuilder) {
  return {
    dbSeconds: define.histogram(
      "ngit_db_query_duration_seconds",
      "Duration of database operations, waiting included",
      QUERY_SECONDS,
      { op: OPERATIONS },
    ),
    diskFree: define.gauge("ngit_disk_free_bytes", "Free space, read at most once a minute", ["volume"]),
    diskTotal: define.gauge("ngit_disk_total_bytes", "Size of the file system", ["volume"]),
    jobRuns: define.counter("ngit_job_runs_total", "Runs of regular jobs", {
      job: JOBS,
      result: JOB_RESULTS,
    }),
    jobLastSuccess: define.gauge(
      "ngit_job_last_success_timestamp_seconds",
      "When a job last succeeded; without a sample before that",
      ["job"],
    ),
    jobSeconds: define.gauge("ngit_job_duration_seconds", "Duration of the last run of a job", ["job"]),
    configReloads: define.counter("ngit_config_reload_total", "Reloads of the configuration (SIGHUP)", {
      result: RELOAD_RESULTS,
    }),
    fsckFailures: define.gauge(
      "ngit_repo_fsck_failures",
      "Repositories whose last integrity check failed, read at most once a minute",
    ),
    cleanupCandidates: define.gauge(
      "ngit_cleanup_candidates",
      "What cleanup-empty-repos would look at: announcements and directories that lack each other",
      ["kind"],
    ),
  };
}
