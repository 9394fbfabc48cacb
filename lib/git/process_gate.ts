import type { Clock } from "../world/mod.ts";

/** Requests that may wait at once; more are refused at once. */
const MAX_WAITING = 1_000;

/** Limits the git children run for clients: first come, first served, with a longest wait. */
export class ProcessGate {
  readonly #limit: () => number;
  readonly #waitMs: number;
  readonly #clock: Clock;
  readonly #queue: ((release: () => void) => void)[] = [];
  #active = 0;

  /** `limit` is asked each time a place is wanted or freed: it may change. */
  constructor(limit: () => number, waitMs: number, clock: Clock) {
    this.#limit = limit;
    this.#waitMs = waitMs;
    this.#clock = clock;
  }

  /** Children holding a place. */
  get active(): number {
    return this.#active;
  }

  /** Requests waiting for a place. */
  get waiting(): number {
    return this.#queue.length;
  }

  /**
   * Waits for a place and returns the function that frees it (idempotent); undefined when the wait
   * was too long, too many wait already, or `signal` aborted.
   */
  async enter(signal?: AbortSignal): Promise<(() => void) | undefined> {
    if (signal?.aborted) return undefined;
    if (this.#active < this.#limit()) return this.#take();
    if (this.#queue.length >= MAX_WAITING) return undefined;
    const over = new AbortController();
    const stop = () => over.abort();
    signal?.addEventListener("abort", stop, { once: true });
    try {
      return await new Promise<(() => void) | undefined>((resolve) => {
        const place = (release: () => void) => resolve(release);
        this.#queue.push(place);
        this.#clock.sleep(this.#waitMs, over.signal).then(() => {
          const index = this.#queue.indexOf(place);
          if (index >= 0) this.#queue.splice(index, 1);
          resolve(undefined); // has no effect when the place was given before
        });
      });
    } finally {
      signal?.removeEventListener("abort", stop);
      over.abort();
    }
  }

  #take(): () => void {
    this.#active++;
    let released = false;
    return () => {
      if (released) return;
      released = true;
      this.#active--;
      while (this.#active < this.#limit()) {
        const next = this.#queue.shift();
        if (!next) break;
        next(this.#take());
      }
    };
  }
}
