import { type JobGroup, Jobs, type RegularJob } from "../../lib/observe/mod.ts";
import type { Clock } from "../../lib/world/mod.ts";
import { silentLog } from "./silent_log.ts";

const uncounted: JobGroup = { ran() {}, skipped() {}, succeededBefore() {} };

/** Regular jobs at work, uncounted and unlogged. */
export interface RunningJobs {
  /** Resolves when the runs at the start are over. */
  readonly started: Promise<unknown>;
  /** Resolves when all have ended after the signal aborted. */
  ended(): Promise<void>;
}

/** Runs `jobs` until `signal` aborts, without jitter. */
export function runJobs(
  jobs: readonly RegularJob[],
  clock: Clock,
  signal: AbortSignal,
): RunningJobs {
  const random = { bytes: (length: number) => new Uint8Array(length) };
  const running = new Jobs({ clock, random, metrics: uncounted, log: silentLog, signal });
  const started = Promise.all(jobs.map((job) => running.register(job)));
  return { started, ended: () => running.ended() };
}
