import type { Clock } from "../world/mod.ts";

const SAMPLE_MS = 500;
const WINDOW_MS = 60_000;
const MAX_SAMPLES = WINDOW_MS / SAMPLE_MS;

/** Measures how late timers fire: what a blocked event loop looks like from inside. */
export class LoopLag {
  readonly #clock: Clock;
  readonly #samples: { readonly at: number; readonly lateMs: number }[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Samples until `signal` aborts; resolves then. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const due = this.#clock.now() + SAMPLE_MS;
      await this.#clock.sleep(SAMPLE_MS, signal);
      if (signal.aborted) return;
      const at = this.#clock.now();
      // A clock that is set back makes a timer look early, which is no lag.
      this.#samples.push({ at, lateMs: Math.max(0, at - due) });
      if (this.#samples.length > MAX_SAMPLES) this.#samples.shift();
    }
  }

  /** Longest delay of the last 60 seconds, in seconds. */
  worstSeconds(): number {
    const since = this.#clock.now() - WINDOW_MS;
    return Math.max(0, ...this.#samples.filter(({ at }) => at > since).map(({ lateMs }) => lateMs)) / 1000;
  }
}
