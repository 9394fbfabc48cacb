import { compareNewestFirst, type NostrEvent } from "../nostr/mod.ts";
import { isEmpty, itemSet, type MutableItems, type SyncLevel } from "./items.ts";
import type { WantedRepo } from "./targets.ts";

/** One version of an announcement as far as following its repository needs it. */
interface Version {
  readonly id: string;
  readonly created_at: number;
  readonly relays: readonly string[];
}

/** Why a repository is wanted: its announcement is served, or waits in purgatory, or both. */
interface Entry extends WantedRepo {
  level: SyncLevel;
  relays: ReadonlySet<string>;
  readonly rootEvents: Set<string>;
  served: Version | undefined;
  waiting: Version | undefined;
  /** What {@link RepoIndex.settle} last saw in `served`. */
  wasServed: boolean;
}

/** What one settling changed. */
export interface Settled {
  /** Some repository came, went, changed its level or its relays, or has a root event it had not. */
  readonly isChanged: boolean;
  /** Repositories and root events that are no longer wanted, or begin anew at a lower level. */
  readonly gone: MutableItems;
}

/**
 * What is wanted: repositories by coordinate, with the relays their newest announcement names and
 * their root events. Changes of one unit of work are noted first and settled together, so that a
 * promotion (out of purgatory and into service at once) never looks like a removal.
 */
export class RepoIndex {
  readonly #entries = new Map<string, Entry>();
  readonly #servedRefs = new Map<string, string>();
  readonly #rootRefs = new Map<string, Set<string>>();
  readonly #touched = new Set<string>();
  #isChanged = false;
  #hasAppeared = false;
  #goneRoots = new Set<string>();

  /** All repositories by coordinate. */
  get entries(): ReadonlyMap<string, WantedRepo> {
    return this.#entries;
  }

  get size(): number {
    return this.#entries.size;
  }

  has(ref: string): boolean {
    return this.#entries.has(ref);
  }

  levelOf(ref: string): SyncLevel | undefined {
    return this.#entries.get(ref)?.level;
  }

  /** True when some repository has this root event. */
  hasRoot(id: string): boolean {
    return this.#rootRefs.has(id);
  }

  /** Whether a repository appeared since this was last asked. */
  takeAppeared(): boolean {
    const hasAppeared = this.#hasAppeared;
    this.#hasAppeared = false;
    return hasAppeared;
  }

  /** Id of the waiting announcement of a repository. */
  waitingId(ref: string): string | undefined {
    return this.#entries.get(ref)?.waiting?.id;
  }

  /** Coordinates of waiting announcements. */
  waitingRefs(): string[] {
    return [...this.#entries].filter(([, entry]) => entry.waiting !== undefined).map(([ref]) => ref);
  }

  /** An announcement is served; an older version than the known one changes nothing. */
  setServed(ref: string, event: NostrEvent, relays: readonly string[]): void {
    const entry = this.#entry(ref);
    if (entry.served && compareNewestFirst(entry.served, event) <= 0) return;
    if (entry.served) this.#servedRefs.delete(entry.served.id);
    this.#servedRefs.set(event.id, ref);
    entry.served = { id: event.id, created_at: event.created_at, relays };
    this.#touched.add(ref);
  }

  /** An event is not served any more: an announcement, a root event, or something else. */
  removeEvent(id: string): void {
    const ref = this.#servedRefs.get(id);
    if (ref !== undefined) {
      this.#servedRefs.delete(id);
      this.#entries.get(ref)!.served = undefined;
      this.#touched.add(ref);
    }
    for (const owner of this.#rootRefs.get(id) ?? []) this.#entries.get(owner)?.rootEvents.delete(id);
    if (this.#rootRefs.delete(id)) this.#goneRoots.add(id);
  }

  /** An announcement waits in purgatory, soft-expired or not. */
  setWaiting(ref: string, event: NostrEvent, relays: readonly string[]): void {
    const entry = this.#entry(ref);
    entry.waiting = { id: event.id, created_at: event.created_at, relays };
    this.#touched.add(ref);
  }

  removeWaiting(ref: string): void {
    const entry = this.#entries.get(ref);
    if (!entry?.waiting) return;
    entry.waiting = undefined;
    this.#touched.add(ref);
  }

  /** Adds a root event to a repository; false when the repository is unknown. Raises no level. */
  addRoot(ref: string, id: string): boolean {
    const entry = this.#entries.get(ref);
    if (!entry) return false;
    if (entry.rootEvents.has(id)) return true;
    entry.rootEvents.add(id);
    const refs = this.#rootRefs.get(id) ?? new Set();
    this.#rootRefs.set(id, refs.add(ref));
    this.#goneRoots.delete(id);
    this.#isChanged = true;
    return true;
  }

  /** Recomputes what was touched and removes repositories that nothing names any more. */
  settle(): Settled {
    const gone = itemSet();
    for (const ref of this.#touched) this.#settleOne(ref, gone);
    for (const id of this.#goneRoots) if (!this.#rootRefs.has(id)) gone.roots.add(id);
    const isChanged = this.#isChanged || !isEmpty(gone);
    this.#touched.clear();
    this.#goneRoots.clear();
    this.#isChanged = false;
    return { isChanged, gone };
  }

  clear(): void {
    this.#entries.clear();
    this.#servedRefs.clear();
    this.#rootRefs.clear();
  }

  #settleOne(ref: string, gone: MutableItems): void {
    const entry = this.#entries.get(ref)!;
    const { served, waiting } = entry;
    // A repository whose served announcement went begins anew, even if another version waits.
    if (entry.wasServed && !served) {
      gone.repos.set(ref, "Full");
      this.#dropRoots(ref, entry, gone);
    }
    if (!served && !waiting) {
      gone.repos.set(ref, entry.level);
      this.#dropRoots(ref, entry, gone);
      this.#entries.delete(ref);
      return;
    }
    const newest = served && waiting && compareNewestFirst(waiting, served) < 0
      ? waiting
      : served ?? waiting!;
    const level = served ? "Full" : "StateOnly";
    const relays = new Set(newest.relays);
    if (level !== entry.level || relays.symmetricDifference(entry.relays).size > 0) this.#isChanged = true;
    entry.level = level;
    entry.relays = relays;
    entry.wasServed = served !== undefined;
  }

  #dropRoots(ref: string, entry: Entry, gone: MutableItems): void {
    for (const id of entry.rootEvents) {
      const refs = this.#rootRefs.get(id);
      refs?.delete(ref);
      if (refs?.size !== 0) continue;
      this.#rootRefs.delete(id);
      gone.roots.add(id);
    }
    entry.rootEvents.clear();
  }

  #entry(ref: string): Entry {
    let entry = this.#entries.get(ref);
    if (!entry) {
      entry = {
        level: "StateOnly",
        relays: new Set(),
        rootEvents: new Set(),
        served: undefined,
        waiting: undefined,
        wasServed: false,
      };
      this.#hasAppeared = true;
      this.#entries.set(ref, entry);
      this.#touched.add(ref);
      this.#isChanged = true;
    }
    return entry;
  }
}
