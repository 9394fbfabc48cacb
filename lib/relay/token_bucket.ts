import type { Clock } from "../world/mod.ts";

const MINUTE_MS = 60_000;

/** A token bucket that starts full and refills in proportion to time. */
export class TokenBucket {
  readonly #clock: Clock;
  readonly #perMinute: () => number;
  #tokens: number;
  #updatedAt: number;

  /** `perMinute` is both the capacity and the refill per minute; it is asked each time, because it may change. */
  constructor(perMinute: () => number, clock: Clock) {
    this.#clock = clock;
    this.#perMinute = perMinute;
    this.#tokens = perMinute();
    this.#updatedAt = clock.now();
  }

  /** Takes one token; false when there is none. */
  take(): boolean {
    const now = this.#clock.now();
    const elapsed = Math.max(0, now - this.#updatedAt); // a wall clock may be set back
    this.#updatedAt = now;
    const capacity = this.#perMinute();
    this.#tokens = Math.min(capacity, this.#tokens + elapsed * capacity / MINUTE_MS);
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }
}
