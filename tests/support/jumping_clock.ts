import { type Clock, systemClock } from "../../lib/world/mod.ts";

/** The machine's clock, which a test can set forward: whoever sleeps past that moment wakes. */
export class JumpingClock implements Clock {
  #offset = 0;
  #jumped = new AbortController();

  now(): number {
    return systemClock.now() + this.#offset;
  }

  monotonic(): number {
    return systemClock.monotonic() + this.#offset;
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    const due = this.monotonic() + ms;
    while (!signal?.aborted) {
      const left = due - this.monotonic();
      if (left <= 0) return;
      const { signal: jumped } = this.#jumped;
      await systemClock.sleep(left, signal ? AbortSignal.any([signal, jumped]) : jumped);
    }
  }

  /** Sets it forward by `ms`. */
  jump(ms: number): void {
    this.#offset += ms;
    const jumped = this.#jumped;
    this.#jumped = new AbortController();
    jumped.abort();
  }
}
