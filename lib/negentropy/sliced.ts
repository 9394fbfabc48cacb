/**
 * Work that pauses itself: every `yield` ends a slice of at most a few milliseconds. Whoever drives
 * it decides what happens in between, so the same code runs at once in a test and politely in a
 * server.
 */
export type Sliced<T> = Generator<void, T, void>;

/** Units of work in one slice; a unit is at most some 5 µs: a fingerprint, or a few ids. */
const UNITS_PER_SLICE = 1_000;

/** Counts units of work and says when a slice is full. */
export class WorkMeter {
  #units = 0;

  /** Adds `units`; true when the caller should yield now. */
  spend(units: number): boolean {
    this.#units += units;
    if (this.#units < UNITS_PER_SLICE) return false;
    this.#units = 0;
    return true;
  }
}

/** Drives `work` to its end with a `pause` after each slice; undefined when `signal` aborted first. */
export async function runSliced<T>(
  work: Sliced<T>,
  pause: () => Promise<void>,
  signal?: AbortSignal,
): Promise<T | undefined> {
  for (;;) {
    const step = work.next();
    if (step.done) return step.value;
    await pause();
    if (signal?.aborted) return undefined;
  }
}
