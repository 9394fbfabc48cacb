import type { Clock } from "../world/mod.ts";

/** Longest single wait; longer ones are cut, because the platform's timers end at 2^31 ms. */
const MAX_WAIT_MS = 20 * 86_400_000;

/** One timer that can be restarted; its work never runs after {@link Timer.stop}. */
export class Timer {
  readonly #clock: Clock;
  #running: AbortController | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get isRunning(): boolean {
    return this.#running !== undefined;
  }

  /** Runs `work` after `ms` (cut at 20 days) instead of whatever was waiting. */
  start(ms: number, work: () => void): void {
    this.stop();
    const own = new AbortController();
    this.#running = own;
    void this.#clock.sleep(Math.min(Math.max(ms, 0), MAX_WAIT_MS), own.signal).then(() => {
      if (this.#running !== own) return;
      this.#running = undefined;
      work();
    });
  }

  stop(): void {
    const running = this.#running;
    this.#running = undefined;
    running?.abort();
  }
}
