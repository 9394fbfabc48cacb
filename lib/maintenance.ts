import type { Config } from "./config/mod.ts";
import type { GitHttp } from "./git/mod.ts";
import {
  isMaintenanceJob,
  Maintenance,
  type MaintenanceParts,
  roomOf,
  type ScheduleSettings,
} from "./maintenance/mod.ts";
import type { Jobs, Metrics } from "./observe/mod.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** What the maintenance of a running server is made of. */
export interface MaintenanceInput {
  /** Reads like the present configuration. */
  readonly config: Config;
  readonly parts: Omit<MaintenanceParts, "pace" | "room">;
  readonly gitHttp: GitHttp;
  /** False while the disk is nearly full. */
  readonly hasSpace: () => Promise<boolean>;
  readonly metrics: Metrics;
  readonly jobs: Jobs;
}

/** Registers the jobs of maintenance, and says in metrics when each last succeeded. */
export async function startMaintenance(input: MaintenanceInput): Promise<Maintenance> {
  const { config, metrics, jobs, gitHttp, hasSpace } = input;
  const settings: ScheduleSettings = {
    get auditAgeMs() {
      return config.auditCleanupAgeSecs * 1000;
    },
    get auditEveryMs() {
      return config.auditCleanupEnabled ? config.auditCleanupIntervalSecs * 1000 : undefined;
    },
    get gitMaintenanceEveryMs() {
      return config.gitMaintenanceEnabled ? config.gitMaintenanceIntervalHours * HOUR_MS : undefined;
    },
    get fsckMs() {
      return config.gitFsckIntervalDays * DAY_MS;
    },
    get retentionMs() {
      return config.deletedRepoRetentionSecs * 1000;
    },
  };
  const { repositories } = input.parts;
  const room = () => roomOf(repositories.root, config.minFreeDiskMb);
  const maintenance = new Maintenance({ ...input.parts, pace: "gentle", room }, settings, async () => {
    if (!await hasSpace()) return "the disk is nearly full";
    return gitHttp.load().waiting > 0 ? "requests wait for git" : undefined;
  });
  const runs = await input.parts.store.jobRuns();
  for (const { job, succeededAt } of runs) {
    if (succeededAt > 0 && isMaintenanceJob(job)) metrics.jobs.succeededBefore(job, succeededAt);
  }
  for (const job of maintenance.jobs(runs)) void jobs.register(job);
  metrics.observe({
    fsckFailures: () => maintenance.fsckFailures(),
    cleanupCandidates: () => maintenance.candidates,
  });
  return maintenance;
}
