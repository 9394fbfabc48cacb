import type { Filter, NostrEvent } from "../nostr/mod.ts";
import type { Item, WaitingAnnouncement } from "./row_types.ts";

/** What following other relays asks of the store beside {@link Store}. */
export interface SyncStore {
  /**
   * All served events of these kinds, oldest first, without a cap; read in slices with turns for other
   * tasks between them.
   */
  eventsOfKinds(kinds: readonly number[]): AsyncIterable<NostrEvent>;
  /** Every announcement in purgatory, soft-expired ones included. */
  waitingAnnouncements(): Promise<readonly WaitingAnnouncement[]>;
  /**
   * The set to negotiate with (NIP-77): what is served or waits and matches `filter`, and refused or
   * expired announcements and states whose kind, time and identifier match. Ascending like
   * `Store.items`; undefined when there are more than `max`.
   */
  heldItems(filter: Filter, max: number): Promise<readonly Item[] | undefined>;
  /**
   * Those of `ids` that must not be fetched: served, waiting, refused and not yet forgotten, expired
   * from purgatory, superseded or deleted.
   */
  unwanted(ids: readonly string[]): Promise<ReadonlySet<string>>;
}
