import type { CleanupCandidates, RegularJob } from "../observe/mod.ts";
import { runningBackup } from "../git/mod.ts";
import type { JobRun } from "../store/mod.ts";
import { KeyedLock } from "../world/mod.ts";
import {
  BACKUP_RUNS,
  type JobOutcome,
  type JobRow,
  JOBS,
  type MaintenanceJob,
  type MaintenanceSettings,
} from "./jobs.ts";
import type { MaintenanceParts } from "./ports.ts";

const MINUTE_MS = 60_000;
const DAY_MS = 1_440 * MINUTE_MS;
/** Jobs that go by when they last ran leave a server that just started alone for this long. */
const SETTLE_MS = 10 * MINUTE_MS;
/** Jobs of a start begin within this time, so that they do not all begin at once. */
const START_SPREAD_MS = MINUTE_MS / 2;

/** How often jobs run; undefined: never. Members may change while the server runs. */
export interface ScheduleSettings extends MaintenanceSettings {
  readonly auditEveryMs: number | undefined;
  readonly gitMaintenanceEveryMs: number | undefined;
}

/** The regular jobs of a running server, and what they last found. */
export class Maintenance {
  readonly #parts: MaintenanceParts;
  readonly #settings: ScheduleSettings;
  readonly #hindrance: () => Promise<string | undefined>;
  /** Heavy jobs never run at the same time. */
  readonly #heavy = new KeyedLock();
  #candidates: CleanupCandidates | undefined;

  /** `hindrance` says why heavy work has to wait, as one phrase; undefined when it may go on. */
  constructor(
    parts: MaintenanceParts,
    settings: ScheduleSettings,
    hindrance: () => Promise<string | undefined>,
  ) {
    this.#parts = parts;
    this.#settings = settings;
    this.#hindrance = hindrance;
  }

  /** What the last look for orphans found; undefined before the first one. */
  get candidates(): CleanupCandidates | undefined {
    return this.#candidates;
  }

  /** Repositories whose last integrity check failed. */
  async fsckFailures(): Promise<number> {
    return (await this.#parts.store.repositoryNotes("git_fsck")).filter(({ ok }) => !ok).length;
  }

  /** The jobs, with waits that go by `runs`: how each ended when it last ran. */
  jobs(runs: readonly JobRun[]): readonly RegularJob[] {
    const settings = this.#settings;
    const fsckEveryMs = () => settings.fsckMs > 0 ? Math.min(DAY_MS, settings.fsckMs) : undefined;
    return [
      this.#soon("audit_cleanup", () => settings.auditEveryMs),
      this.#soon("repo_reconcile", () => DAY_MS),
      this.#rare("db_maintenance", () => DAY_MS, runs),
      this.#rare("git_maintenance", () => settings.gitMaintenanceEveryMs, runs),
      this.#rare("git_fsck", fsckEveryMs, runs),
    ];
  }

  /** Runs soon after each start. */
  #soon(name: MaintenanceJob, interval: () => number | undefined): RegularJob {
    return {
      name,
      get everyMs() {
        return interval() ?? Infinity;
      },
      get firstMs() {
        return interval() === undefined ? Infinity : 0;
      },
      jitterMs: START_SPREAD_MS,
      run: () => this.#run(name),
    };
  }

  /** Goes by when it last ran: a server that is restarted every day is maintained all the same. */
  #rare(name: MaintenanceJob, interval: () => number | undefined, runs: readonly JobRun[]): RegularJob {
    const everyMs = () => interval() ?? Infinity;
    const elapsedMs = this.#parts.clock.now() - (runs.find(({ job }) => job === name)?.at ?? 0);
    const isHeavy = name !== "db_maintenance";
    return {
      name,
      get everyMs() {
        return everyMs();
      },
      get firstMs() {
        return Math.min(everyMs(), Math.max(SETTLE_MS, everyMs() - elapsedMs));
      },
      jitterMs: SETTLE_MS,
      ...(isHeavy && { retryMs: SETTLE_MS, hindrance: () => this.#obstacle(name) }),
      run: () => isHeavy ? this.#heavy.run(["heavy"], () => this.#run(name)) : this.#run(name),
    };
  }

  async #obstacle(name: MaintenanceJob): Promise<string | undefined> {
    const { repositories, clock } = this.#parts;
    const isBackup = name === "git_maintenance" && await runningBackup(repositories.root, clock);
    return isBackup ? BACKUP_RUNS : await this.#hindrance();
  }

  /** Runs one job and remembers how it ended; throws when a part of it failed. */
  async #run(name: MaintenanceJob): Promise<void> {
    const { signal, log } = this.#parts;
    if (signal.aborted) return;
    const outcome = await runAndRecord(this.#parts, name, this.#settings, false);
    this.#candidates = outcome.candidates ?? this.#candidates;
    log[outcome.changed ? "info" : "debug"]("job done", { job: name, text: outcome.text });
    if (outcome.failures > 0) throw new Error(outcome.text);
  }
}

/** Runs one job and records how it ended, for later starts and for reports. */
export async function runAndRecord(
  parts: MaintenanceParts,
  name: MaintenanceJob,
  settings: MaintenanceSettings,
  onDemand: boolean,
): Promise<JobOutcome> {
  const row: JobRow = JOBS[name];
  const { store, clock } = parts;
  const startedAt = clock.monotonic();
  const record = (ok: boolean, text: string) =>
    store.putJobRun({ job: name, at: clock.now(), ok, durationMs: clock.monotonic() - startedAt, text });
  try {
    const outcome = await row.run(parts, settings, onDemand);
    // A run that was cut short counts as none.
    if (!parts.signal.aborted) await record(outcome.failures === 0, outcome.text);
    return outcome;
  } catch (error) {
    await record(false, error instanceof Error ? error.message : String(error));
    throw error;
  }
}
