import type { Filter } from "../nostr/mod.ts";
import type { Clock } from "../world/mod.ts";

/** Announcements or states of some authors that became acceptable after their copies were dropped. */
export interface WantedEvents {
  readonly kind: 30617 | 30618;
  /** Hex keys. */
  readonly authors: readonly string[];
  readonly identifier: string;
}

const ONCE_PER_MS = 60_000;
const MAX_REMEMBERED = 10_000;

/** Turns wishes into filters, each author's at most once a minute. */
export class WantedFilters {
  readonly #clock: Clock;
  readonly #perFilter: number;
  /** Monotonic time of the last wish by key, oldest first. */
  readonly #asked = new Map<string, number>();

  constructor(clock: Clock, perFilter: number) {
    this.#clock = clock;
    this.#perFilter = perFilter;
  }

  /** What has not been asked for within the last minute; at the bound of what is remembered nothing is. */
  take({ kind, authors, identifier }: WantedEvents): Filter[] {
    const now = this.#clock.monotonic();
    for (const [key, at] of this.#asked) {
      if (now - at < ONCE_PER_MS) break;
      this.#asked.delete(key);
    }
    const due = [...new Set(authors)].sort().filter((author) => {
      const key = `${kind}:${author}:${identifier}`;
      if (this.#asked.has(key) || this.#asked.size >= MAX_REMEMBERED) return false;
      this.#asked.set(key, now);
      return true;
    });
    const filters: Filter[] = [];
    for (let start = 0; start < due.length; start += this.#perFilter) {
      filters.push({
        kinds: [kind],
        authors: due.slice(start, start + this.#perFilter),
        tags: new Map([["d", [identifier]]]),
      });
    }
    return filters;
  }
}
