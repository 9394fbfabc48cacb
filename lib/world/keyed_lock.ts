import { Mutex } from "async-mutex";

/**
 * One lock per key, taken in arrival order. The unit of work of a repository identifier runs under
 * its lock, so deciding and applying never interleave with another decision on the same identifier.
 *
 * Entries vanish when nobody holds or awaits them, so the map is bounded by the work in flight.
 */
export class KeyedLock {
  readonly #entries = new Map<string, { mutex: Mutex; users: number }>();

  /** Runs `work` while holding the locks of all `keys`, taken in sorted order (no deadlock). */
  async run<T>(keys: readonly string[], work: () => Promise<T>): Promise<T> {
    const sorted = [...new Set(keys)].sort();
    const releases: (() => void)[] = [];
    try {
      for (const key of sorted) releases.push(await this.#acquire(key));
      return await work();
    } finally {
      for (const release of releases.reverse()) release();
    }
  }

  /** Number of keys held or awaited. */
  get size(): number {
    return this.#entries.size;
  }

  async #acquire(key: string): Promise<() => void> {
    let entry = this.#entries.get(key);
    if (!entry) this.#entries.set(key, entry = { mutex: new Mutex(), users: 0 });
    entry.users++;
    const held = entry;
    const release = await held.mutex.acquire();
    return () => {
      release();
      if (--held.users === 0) this.#entries.delete(key);
    };
  }
}
