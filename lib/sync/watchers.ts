import type { Clock } from "../world/mod.ts";

interface Watcher<T> {
  readonly condition: (view: T) => boolean;
  readonly settle: (held: boolean) => void;
}

/** Lets callers wait for a condition on a view; looked at whenever something changed, never by polling. */
export class Watchers<T> {
  readonly #clock: Clock;
  readonly #view: () => T;
  readonly #watchers = new Set<Watcher<T>>();

  constructor(clock: Clock, view: () => T) {
    this.#clock = clock;
    this.#view = view;
  }

  /** True as soon as `condition` holds; false after `deadlineMs` or when closed. */
  async wait(condition: (view: T) => boolean, deadlineMs: number): Promise<boolean> {
    if (condition(this.#view())) return true;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const over = new AbortController();
    const watcher = { condition, settle: resolve };
    this.#watchers.add(watcher);
    void this.#clock.sleep(deadlineMs, over.signal).then(() => resolve(false));
    const held = await promise;
    this.#watchers.delete(watcher);
    over.abort();
    return held;
  }

  /** Something changed. */
  notify(): void {
    if (this.#watchers.size === 0) return;
    const view = this.#view();
    for (const { condition, settle } of this.#watchers) if (condition(view)) settle(true);
  }

  /** Ends all waiting. */
  close(): void {
    for (const { settle } of this.#watchers) settle(false);
  }
}
