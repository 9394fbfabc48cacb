import type { CleanupCandidates } from "../observe/mod.ts";
import { DURATION } from "../policy/mod.ts";
import { startContributions, Sweep } from "../purgatory/mod.ts";
import { cleanUpAudits } from "./audit_cleanup.ts";
import { maintainDatabase } from "./db_maintenance.ts";
import { fsckRepositories } from "./git_fsck.ts";
import { maintainGit } from "./git_maintenance.ts";
import type { MaintenanceParts } from "./ports.ts";
import { reconcileRepositories } from "./repo_reconcile.ts";

/** What jobs go by. */
export interface MaintenanceSettings {
  readonly auditAgeMs: number;
  readonly retentionMs: number;
  /** How old a check of a repository may become; 0 = none are made regularly. */
  readonly fsckMs: number;
}

/** What a job did. */
export interface JobOutcome {
  /** One line for people. */
  readonly text: string;
  readonly changed: boolean;
  /** What did not work; the job went on with the rest. */
  readonly failures: number;
  /** Repositories found damaged, now or by an earlier check that still stands. */
  readonly damaged?: number;
  /** What a look for orphans found. */
  readonly candidates?: CleanupCandidates;
}

/** Why git maintenance has to wait. */
export const BACKUP_RUNS = "a backup is being made";

/** One job. */
export interface JobRow {
  /** One line for the list of jobs, without full stop. */
  readonly summary: string;
  /** Runs it; `onDemand` does all of it at once, however long ago it ran. */
  run(parts: MaintenanceParts, settings: MaintenanceSettings, onDemand: boolean): Promise<JobOutcome>;
}

/** Every job that can be run on demand. */
export const JOBS = {
  purgatory_sweep: {
    summary: "expire what waited too long for its git data",
    run: async (parts, { retentionMs }) => {
      const { softExpired, expired, released } = await new Sweep(parts, parts.locks, () => retentionMs)
        .expire();
      return done(`${expired} expired, ${softExpired} soft-expired, ${released} released`, [
        expired,
        softExpired,
        released,
      ]);
    },
  },
  expired_events: {
    summary: `forget ids that expired more than ${DURATION.expiredMemoryMs / 86_400_000} days ago`,
    run: async ({ store, clock }) => {
      const count = await store.pruneExpired(clock.now());
      return done(`${count} forgotten`, [count]);
    },
  },
  rejected_hot: {
    summary: "reduce refused events past their time to ids",
    run: async ({ store, clock }) => {
      const counts = Object.values(await store.sweepWhole(clock.now()));
      return done(`${sum(counts)} reduced`, counts);
    },
  },
  rejected_cold: {
    summary: "forget refused ids past their time",
    run: async ({ store, clock }) => {
      const counts = Object.values(await store.sweepRefused(clock.now()));
      return done(`${sum(counts)} forgotten`, counts);
    },
  },
  audit_cleanup: {
    summary: "remove events marked as tests by their authors, and their repositories",
    run: async (parts, { auditAgeMs }) => {
      const { events, repositories, postponed } = await cleanUpAudits(parts, auditAgeMs);
      return done(`${events} events and ${repositories} repositories removed, ${postponed} postponed`, [
        events,
        repositories,
      ]);
    },
  },
  prs_startup_scan: {
    summary: "remove contributors' repositories without refs",
    run: async (parts) => {
      const { contributions, repositories, locks } = parts;
      if (!contributions) return done("not offered (NGIT_GRASP06_ENABLE)", []);
      const before = (await repositories.contributions()).length;
      await startContributions({ ...parts, contributions }, locks, repositories);
      const removed = before - (await repositories.contributions()).length;
      return done(`${removed} of ${before} removed`, [removed]);
    },
  },
  deleted_retention: {
    summary: "delete for good what was deleted or withdrawn long ago",
    run: async (parts, { retentionMs }) => {
      const count = await new Sweep(parts, parts.locks, () => retentionMs).discard();
      return done(`${count} deleted for good`, [count]);
    },
  },
  git_maintenance: {
    summary: "pack repositories that changed, drop what nothing has reached for 14 days",
    run: async (parts, _settings, onDemand) => {
      const { repacked, pruned, failed, postponed } = await maintainGit(parts);
      if (postponed) return { ...done(`not done: ${BACKUP_RUNS}`, []), failures: onDemand ? 1 : 0 };
      return {
        ...done(`${repacked} packed, ${pruned} pruned, ${failed} failed`, [repacked, pruned]),
        failures: failed,
      };
    },
  },
  git_fsck: {
    summary: "check the integrity of repositories",
    run: async (parts, { fsckMs }, onDemand) => {
      const { checked, damaged, failed } = await fsckRepositories(parts, onDemand ? 0 : fsckMs);
      return {
        text: `${checked} checked, ${damaged.length} damaged, ${failed} could not be checked`,
        changed: false,
        failures: failed,
        damaged: damaged.length,
      };
    },
  },
  db_maintenance: {
    summary: "empty the write-ahead log, refresh statistics, check the pages of the database",
    run: async (parts, _settings, onDemand) => {
      const { applies, checked } = await maintainDatabase(parts, onDemand);
      if (!applies) return done("a server holds the database and maintains it: nothing to do", []);
      return done(checked ? "log emptied, pages sound" : "log emptied", []);
    },
  },
  repo_reconcile: {
    summary: "count repositories, report orphans, remove stale locks and temporary files",
    run: async (parts) => {
      const { repositories, candidates, failed } = await reconcileRepositories(parts);
      const { event_without_data, empty_orphan, nonempty_orphan } = candidates;
      const orphans = `${empty_orphan} empty and ${nonempty_orphan} other directories without announcement`;
      return {
        text: `${repositories} repositories, ${event_without_data} announcements without data, ${orphans}`,
        changed: false,
        failures: failed,
        candidates,
      };
    },
  },
} as const satisfies Readonly<Record<string, JobRow>>;

/** Name of a job. */
export type MaintenanceJob = keyof typeof JOBS;

/** True for the name of a job. */
export function isMaintenanceJob(name: string): name is MaintenanceJob {
  return Object.hasOwn(JOBS, name);
}

function done(text: string, counts: readonly number[]): JobOutcome {
  return { text, changed: sum(counts) > 0, failures: 0 };
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0);
}
