import { KIND, type NostrEvent } from "../nostr/mod.ts";
import type { RepositoryKey, RetiredRepository } from "../store/mod.ts";
import type { ReleaseParts } from "./ports.ts";

/** Most events, and about the most text in UTF-16 units, that leave in one transaction. */
const SLICE_EVENTS = 200;
const SLICE_SIZE = 1 << 20;

/** The holding row that keeps what is hidden of an author: no repository has an empty identifier. */
export function authorKey(author: string): RepositoryKey {
  return { owner: author, identifier: "" };
}

/** True for the row of a repository itself; others of its key hold events that hung on it. */
export function holdsRepository({ events }: Pick<RetiredRepository, "events">): boolean {
  return events[0]?.kind === KIND.announcement;
}

/**
 * Moves served events out of service into the rows that hold retired repositories, from where an operator
 * can bring them back until their retention ends. A slice is one transaction: a crash between two of
 * them leaves the rest served, for the next start.
 */
export class Hiding {
  readonly #parts: Pick<ReleaseParts, "store" | "clock">;
  /** Rows of one key differ by their time, and a repository's own row has to be the latest of its key. */
  #rows = 0;

  constructor(parts: Pick<ReleaseParts, "store" | "clock">) {
    this.#parts = parts;
  }

  /** Hides `events` under `key`. */
  async hide(key: RepositoryKey, events: readonly NostrEvent[]): Promise<void> {
    const { store } = this.#parts;
    for (const slice of slicesOf(events)) {
      await store.commit({
        putRetired: [{
          ...key,
          reason: "operator",
          directory: "",
          retiredAt: this.nextTime(),
          events: slice,
        }],
        removeEvents: slice.map(({ id }) => id),
      });
    }
  }

  /** The time of one more row, in milliseconds. */
  nextTime(): number {
    return Math.floor(this.#parts.clock.now()) - ++this.#rows;
  }
}

/** Cuts `events` into what leaves in one transaction each. */
export function* slicesOf(events: readonly NostrEvent[]): Generator<readonly NostrEvent[]> {
  let slice: NostrEvent[] = [];
  let size = 0;
  for (const event of events) {
    const own = event.content.length + event.tags.reduce((sum, tag) => sum + tag.join("").length, 0);
    if (slice.length > 0 && (slice.length === SLICE_EVENTS || size + own > SLICE_SIZE)) {
      yield slice;
      slice = [];
      size = 0;
    }
    slice.push(event);
    size += own;
  }
  if (slice.length > 0) yield slice;
}
