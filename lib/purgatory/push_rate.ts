import type { Clock } from "../world/mod.ts";

const MINUTE_MS = 60_000;
/** Clients remembered; beyond it the one that began longest ago is forgotten. */
const MAX_CLIENTS = 10_000;

/** Counts pushes per client within a minute that begins with the first of them. */
export class PushRate {
  readonly #perMinute: () => number;
  readonly #clock: Clock;
  /** In the order in which their minutes began (monotonic ms). */
  readonly #minutes = new Map<string, { readonly since: number; count: number }>();

  /** `perMinute` pushes are allowed to each client; it is asked each time, because it may change. */
  constructor(perMinute: () => number, clock: Clock) {
    this.#perMinute = perMinute;
    this.#clock = clock;
  }

  /** Clients remembered. */
  get size(): number {
    return this.#minutes.size;
  }

  /** Counts one push; false when it is one too many. */
  take(client: string): boolean {
    const now = this.#clock.monotonic();
    for (const [key, { since }] of this.#minutes) {
      if (now - since < MINUTE_MS && this.#minutes.size <= MAX_CLIENTS) break;
      this.#minutes.delete(key);
    }
    const minute = this.#minutes.get(client);
    if (minute) return ++minute.count <= this.#perMinute();
    this.#minutes.set(client, { since: now, count: 1 });
    return true;
  }
}
