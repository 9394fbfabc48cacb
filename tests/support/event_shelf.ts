import {
  addressIdentifier,
  compareNewestFirst,
  type Filter,
  kindClass,
  matchesFilter,
  type NostrEvent,
} from "../../lib/nostr/mod.ts";
import type { SetItem } from "../../lib/negentropy/mod.ts";

/** Events in memory, accepted without any policy; of replaceable and addressable ones the newest stays. */
export class EventShelf {
  readonly #events = new Map<string, NostrEvent>();

  get size(): number {
    return this.#events.size;
  }

  has(id: string): boolean {
    return this.#events.has(id);
  }

  /** False when it is there already, or an equal or newer version is. */
  put(event: NostrEvent): boolean {
    if (this.#events.has(event.id)) return false;
    const identifier = addressIdentifier(event);
    if (kindClass(event.kind) === "ephemeral") return true;
    if (identifier !== undefined) {
      const current = [...this.#events.values()].find((other) =>
        other.kind === event.kind && other.pubkey === event.pubkey && addressIdentifier(other) === identifier
      );
      if (current && compareNewestFirst(current, event) < 0) return false;
      if (current) this.#events.delete(current.id);
    }
    this.#events.set(event.id, event);
    return true;
  }

  remove(id: string): void {
    this.#events.delete(id);
  }

  clear(): void {
    this.#events.clear();
  }

  /** Newest first; at most the filter's own limit, and at most `cap`. */
  query(filter: Filter, cap = Infinity): NostrEvent[] {
    return this.#matching(filter).sort(compareNewestFirst).slice(0, Math.min(filter.limit ?? Infinity, cap));
  }

  /** The set to negotiate with, ascending. */
  items(filter: Filter): SetItem[] {
    return this.#matching(filter).map(({ id, created_at }) => ({ id, createdAt: created_at }))
      .sort((a, b) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1));
  }

  #matching(filter: Filter): NostrEvent[] {
    return [...this.#events.values()].filter((event) => matchesFilter(filter, event));
  }
}
