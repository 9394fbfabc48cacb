import type { Clock } from "../world/mod.ts";

/** Names remembered; beyond it the one noted longest ago goes. */
const MAX_NAMES = 4_096;

/** Which names were noted within a time. */
export class Recent {
  readonly #clock: Clock;
  readonly #windowMs: number;
  /** By name, oldest first; on the monotonic clock. */
  readonly #notedAt = new Map<string, number>();

  constructor(clock: Clock, windowMs: number) {
    this.#clock = clock;
    this.#windowMs = windowMs;
  }

  /** True when `name` was noted less than the time ago. */
  has(name: string): boolean {
    const notedAt = this.#notedAt.get(name);
    return notedAt !== undefined && this.#clock.monotonic() - notedAt < this.#windowMs;
  }

  /** Notes `name` as of this moment. */
  note(name: string): void {
    this.#notedAt.delete(name);
    this.#notedAt.set(name, this.#clock.monotonic());
    if (this.#notedAt.size > MAX_NAMES) this.#notedAt.delete(this.#notedAt.keys().next().value!);
  }
}
