import { type Clock, type Random, uniform } from "../world/mod.ts";
import type { Logger } from "./log.ts";
import type { Job, JobGroup } from "./metrics_operation.ts";
import { runJob } from "./run_job.ts";

/** Timers know no longer ones. */
const MAX_SLEEP_MS = 86_400_000;

/** Work that is done again and again. */
export interface RegularJob {
  /** Its name in metrics and log, out of the closed list of `ngit_job_…`. */
  readonly name: Job;
  /**
   * From the end of one run to the beginning of the next, in milliseconds; Infinity: never. Read again at
   * {@link Jobs.reschedule}, and so is `firstMs`.
   */
  readonly everyMs: number;
  /** Each wait is longer by up to this at random, so that jobs spread out; none when not given. */
  readonly jitterMs?: number;
  /** The first wait, when it is another one: a job that is rare goes by when it last ran, not by the start. */
  readonly firstMs?: number;
  /** Runs when it is registered, too. */
  readonly atStart?: boolean;
  /** The wait after a run that was left out, when it is shorter than `everyMs`. */
  readonly retryMs?: number;
  /** Why a run has to be left out, such as a full disk; undefined when nothing forbids it. */
  readonly hindrance?: () => Promise<string | undefined>;
  /** One run: logs what it changed by itself, and ends soon after `signal` aborted. */
  run(signal: AbortSignal): Promise<unknown>;
}

/** What {@link Jobs} works with. */
export interface JobParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly metrics: JobGroup;
  readonly log: Logger;
  /** Ends all jobs. */
  readonly signal: AbortSignal;
}

/**
 * The regular jobs of one server: each runs at its interval, never twice at once, is measured, and
 * stays scheduled when a run fails.
 */
export class Jobs {
  readonly #parts: JobParts;
  readonly #loops: Promise<void>[] = [];
  /** Aborted to end all waits. */
  #waits = new AbortController();

  constructor(parts: JobParts) {
    this.#parts = parts;
    parts.signal.addEventListener("abort", () => this.reschedule(), { once: true });
  }

  /** Schedules a job; resolves when its run at the start is over, at once when it has none. */
  register(job: RegularJob): Promise<void> {
    const first = job.atStart ? this.#runOnce(job).then(() => {}) : Promise.resolve();
    this.#loops.push(first.then(() => this.#repeat(job)));
    return first;
  }

  /** Makes every job that waits look again how long it has to. */
  reschedule(): void {
    this.#waits.abort();
    this.#waits = new AbortController();
  }

  /** Resolves when every job has ended; to be asked after the signal aborted. */
  async ended(): Promise<void> {
    await Promise.all(this.#loops);
  }

  async #repeat(job: RegularJob): Promise<void> {
    const { signal } = this.#parts;
    let waitMs = () => job.firstMs ?? job.everyMs;
    while (!signal.aborted) {
      await this.#wait(job, waitMs);
      if (signal.aborted) return;
      const isLeftOut = await this.#runOnce(job);
      waitMs = () => isLeftOut ? Math.min(job.retryMs ?? Infinity, job.everyMs) : job.everyMs;
    }
  }

  /** Waits as long as `waitMs` says, now and whenever it may have changed. */
  async #wait({ jitterMs = 0 }: RegularJob, waitMs: () => number): Promise<void> {
    const { clock, random, signal } = this.#parts;
    const since = clock.monotonic();
    const jitter = uniform(random, 0, jitterMs);
    for (;;) {
      const left = since + waitMs() + jitter - clock.monotonic();
      if (left <= 0 || signal.aborted) return;
      await clock.sleep(Math.min(left, MAX_SLEEP_MS), this.#waits.signal);
    }
  }

  /** True when the run was left out. */
  async #runOnce({ name, hindrance, run }: RegularJob): Promise<boolean> {
    const { clock, metrics, log, signal } = this.#parts;
    try {
      const reason = await hindrance?.();
      if (reason !== undefined) {
        metrics.skipped(name);
        log.debug("job left out", { job: name, reason });
        return true;
      }
      await runJob(metrics, clock, name, () => run(signal));
    } catch (error) {
      log.error("job failed, its next run tries again", { job: name, error: String(error) });
    }
    return false;
  }
}
