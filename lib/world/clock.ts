/**
 * The injected clock: the only place time comes from.
 *
 * Production passes {@link systemClock}; tests pass a virtual clock, so that a day of purgatory
 * takes a millisecond and every deadline is exact.
 */
export interface Clock {
  /** Wall-clock time in milliseconds since the Unix epoch. */
  now(): number;
  /** Milliseconds since some fixed moment; never jumps when the wall clock is set. Lengths are measured with it. */
  monotonic(): number;
  /** Resolves after at least `ms` milliseconds as `monotonic` counts them, or at once (without error) when `signal` aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** Now in whole seconds, the unit of `created_at` (NIP-01). */
export function nowSeconds(clock: Clock): number {
  return Math.floor(clock.now() / 1000);
}

/** The machine's clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const due = performance.now() + ms;
      const done = () => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", done);
        resolve();
      };
      // The platform drops fractions of a millisecond: whoever waits for a moment must not wake before it.
      const elapsed = () => {
        const left = due - performance.now();
        if (left > 0) timer = setTimeout(elapsed, Math.ceil(left));
        else done();
      };
      let timer = setTimeout(elapsed, ms);
      signal?.addEventListener("abort", done, { once: true });
    }),
};

/** Runs `work` every `intervalMs` until `signal` aborts; one run at a time, the first after one interval. */
export async function repeat(
  clock: Clock,
  intervalMs: number,
  signal: AbortSignal,
  work: () => Promise<unknown>,
): Promise<void> {
  for (;;) {
    await clock.sleep(intervalMs, signal);
    if (signal.aborted) return;
    await work();
  }
}
