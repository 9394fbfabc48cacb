import type { Clock } from "../world/mod.ts";

/** Something to be ended when it takes too long. */
interface Waiting {
  /** On the monotonic clock. */
  readonly until: number;
  readonly onLate: () => void;
}

/** Deadlines of many short waits that may all take equally long: one timer serves them, and most need none. */
export class Deadlines {
  readonly #clock: Clock;
  readonly #ms: number;
  readonly #stopping: AbortSignal;
  /** The first is due first. */
  readonly #waiting = new Set<Waiting>();
  #isWatching = false;

  /** Each wait may take `ms`. After `stopping` nobody is told any more. */
  constructor(clock: Clock, ms: number, stopping: AbortSignal) {
    this.#clock = clock;
    this.#ms = ms;
    this.#stopping = stopping;
  }

  /** Calls `onLate` unless the wait is ended before by what is returned. */
  begin(onLate: () => void): () => void {
    const waiting = { until: this.#clock.monotonic() + this.#ms, onLate };
    this.#waiting.add(waiting);
    if (!this.#isWatching) void this.#watch();
    return () => void this.#waiting.delete(waiting);
  }

  /** Sleeps from one deadline to the next; a wait that has ended meanwhile costs nothing. */
  async #watch(): Promise<void> {
    this.#isWatching = true;
    for (let first = this.#first(); first && !this.#stopping.aborted; first = this.#first()) {
      const leftMs = first.until - this.#clock.monotonic();
      if (leftMs > 0) await this.#clock.sleep(leftMs, this.#stopping);
      else if (this.#waiting.delete(first)) first.onLate();
    }
    this.#isWatching = false;
  }

  #first(): Waiting | undefined {
    return this.#waiting.values().next().value;
  }
}
