import type { Clock, NetworkFailure } from "../world/mod.ts";
import { failure } from "./failure.ts";

/** The end of one attempt: its time is up, or the caller gave up. Whoever makes one ends it. */
export class Deadline {
  readonly #ended = new AbortController();
  readonly #over = new AbortController();
  readonly #timeoutMs: number;
  readonly #outer: AbortSignal;
  readonly #giveUp = () => this.#ended.abort();

  constructor(clock: Clock, timeoutMs: number, outer: AbortSignal) {
    this.#timeoutMs = timeoutMs;
    this.#outer = outer;
    if (outer.aborted) this.#ended.abort();
    outer.addEventListener("abort", this.#giveUp, { once: true });
    void clock.sleep(timeoutMs, this.#over.signal).then(() => {
      if (!this.#over.signal.aborted) this.#ended.abort();
    });
  }

  /** Aborts when the attempt has to stop. */
  get signal(): AbortSignal {
    return this.#ended.signal;
  }

  /** Why it had to stop. */
  failure(): NetworkFailure {
    if (this.#outer.aborted) return failure("aborted", "given up");
    return failure("timeout", `no result within ${this.#timeoutMs} ms`);
  }

  /** The result of `work`, or undefined when the attempt has to stop first. Rejects when `work` does. */
  async race<T>(work: Promise<T>): Promise<T | undefined> {
    // An abandoned work may still fail, which is nobody's concern then.
    work.catch(() => {});
    if (this.signal.aborted) return undefined;
    const stop = Promise.withResolvers<undefined>();
    const onAbort = () => stop.resolve(undefined);
    this.signal.addEventListener("abort", onAbort, { once: true });
    try {
      return await Promise.race([work, stop.promise]);
    } finally {
      this.signal.removeEventListener("abort", onAbort);
    }
  }

  /** Frees the timer; the signal stays as it is. */
  end(): void {
    this.#over.abort();
    this.#outer.removeEventListener("abort", this.#giveUp);
  }
}
