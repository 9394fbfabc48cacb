import type { Clock } from "../world/mod.ts";

const MINUTE_MS = 60_000;

/** A token bucket that starts full and refills in proportion to time. */
export class TokenBucket {
  readonly #clock: Clock;
  readonly #capacity: number;
  #tokens: number;
  #updatedAt: number;

  /** `perMinute` is both the capacity and the refill per minute. */
  constructor(perMinute: number, clock: Clock) {
    this.#clock = clock;
    this.#capacity = perMinute;
    this.#tokens = perMinute;
    this.#updatedAt = clock.now();
  }

  /** Takes one token; false when there is none. */
  take(): boolean {
    const now = this.#clock.now();
    const elapsed = Math.max(0, now - this.#updatedAt); // a wall clock may be set back
    this.#updatedAt = now;
    this.#tokens = Math.min(this.#capacity, this.#tokens + elapsed * this.#capacity / MINUTE_MS);
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }
}
