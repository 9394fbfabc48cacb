import { parseAnnouncement } from "../nostr/mod.ts";
import type { Changes, SyncStore, WaitingAnnouncement } from "../store/mod.ts";
import type { Clock } from "../world/mod.ts";
import { repoRef } from "./items.ts";
import type { SyncSettings } from "./ports.ts";
import type { RepoIndex } from "./repo_index.ts";
import { relaysOf, type RelayUrlsOf } from "./repo_relays.ts";
import { Timer } from "./timer.ts";

/** What {@link PurgatoryWatch} needs. */
export interface PurgatoryWatchParts {
  readonly store: Pick<SyncStore, "waitingAnnouncements">;
  readonly repos: RepoIndex;
  readonly relayUrlsOf: RelayUrlsOf;
  readonly clock: Clock;
  readonly settings: Pick<SyncSettings, "purgatoryDebounceMs" | "selfBatchMs">;
  /** Acts on what has come together. */
  readonly onPass: () => void;
}

/**
 * Follows announcements in purgatory, which are never served and so never seen by subscribers: they
 * enter the index at their commit. Acting on them is debounced, but never put off for longer than a
 * batch of accepted events would be.
 */
export class PurgatoryWatch {
  readonly #parts: PurgatoryWatchParts;
  readonly #timer: Timer;
  /** Monotonic time of the first change that has not been acted on. */
  #waitingSince: number | undefined;
  /** While the database is read: what commits have changed meanwhile. */
  #changed: Set<string> | undefined;
  #announcementsSeen = 0;

  constructor(parts: PurgatoryWatchParts) {
    this.#parts = parts;
    this.#timer = new Timer(parts.clock);
  }

  /** Announcements put in purgatory since the start. */
  get announcementsSeen(): number {
    return this.#announcementsSeen;
  }

  /** Makes the index agree with what waits in the database; commits that come meanwhile win. */
  async load(): Promise<void> {
    const changed = this.#changed = new Set<string>();
    try {
      const waiting = await this.#parts.store.waitingAnnouncements();
      const refs = new Set<string>();
      for (const entry of waiting) {
        const ref = repoRef(entry.owner, entry.identifier);
        refs.add(ref);
        if (!changed.has(ref)) this.#put(ref, entry);
      }
      for (const ref of this.#parts.repos.waitingRefs()) {
        if (!refs.has(ref) && !changed.has(ref)) this.#parts.repos.removeWaiting(ref);
      }
    } finally {
      this.#changed = undefined;
    }
  }

  /** Notes one unit of work; true when it may have changed what is wanted. */
  apply(changes: Changes): boolean {
    for (const { owner, identifier } of changes.removeAnnouncements ?? []) {
      const ref = repoRef(owner, identifier);
      this.#changed?.add(ref);
      this.#parts.repos.removeWaiting(ref);
    }
    for (const entry of changes.putAnnouncements ?? []) {
      const ref = repoRef(entry.owner, entry.identifier);
      this.#changed?.add(ref);
      this.#announcementsSeen++;
      this.#put(ref, entry);
    }
    return (changes.removeAnnouncements?.length ?? 0) + (changes.putAnnouncements?.length ?? 0) > 0;
  }

  /** Lets a pass run soon: a moment after the last change, at the latest one batch interval after the first. */
  schedule(): void {
    const { clock, settings: { purgatoryDebounceMs, selfBatchMs }, onPass } = this.#parts;
    const now = clock.monotonic();
    this.#waitingSince ??= now;
    this.#timer.start(Math.min(purgatoryDebounceMs, this.#waitingSince + selfBatchMs - now), () => {
      this.#waitingSince = undefined;
      onPass();
    });
  }

  stop(): void {
    this.#timer.stop();
  }

  #put(ref: string, entry: WaitingAnnouncement): void {
    if (this.#parts.repos.waitingId(ref) === entry.event.id) return;
    const parsed = parseAnnouncement(entry.event);
    if (!parsed.ok) return;
    this.#parts.repos.setWaiting(ref, entry.event, relaysOf(parsed.announcement, this.#parts.relayUrlsOf));
  }
}
