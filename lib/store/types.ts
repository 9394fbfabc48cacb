import type { Filter, NostrEvent } from "../nostr/mod.ts";

/** Where a waiting event came from; decides log level and hunting delay, never acceptance. */
export type WaitingSource = "direct" | "sync";

/** An announcement in purgatory. All times in milliseconds since the epoch. */
export interface WaitingAnnouncement {
  readonly event: NostrEvent;
  readonly owner: string;
  readonly identifier: string;
  /** `active`: waiting, has a repository on disk; `soft`: soft-expired, has none. */
  readonly phase: "active" | "soft";
  readonly source: WaitingSource;
  readonly firstEnteredAt: number;
  readonly enteredAt: number;
  readonly deadlineAt: number;
}

/** A state in purgatory. All times in milliseconds since the epoch. */
export interface WaitingState {
  readonly event: NostrEvent;
  readonly author: string;
  readonly identifier: string;
  readonly source: WaitingSource;
  readonly firstEnteredAt: number;
  readonly enteredAt: number;
  readonly deadlineAt: number;
}

/** A served announcement; `hosted` is false when only the maintainer exception let it in. */
export interface StoredAnnouncement {
  readonly event: NostrEvent;
  readonly hosted: boolean;
}

/** Everything known about one identifier, read in one go. */
export interface IdentifierRows {
  readonly announcements: readonly StoredAnnouncement[];
  readonly states: readonly NostrEvent[];
  readonly waitingAnnouncements: readonly WaitingAnnouncement[];
  readonly waitingStates: readonly WaitingState[];
}

/** A repository whose refs may have changed without the events having been released yet. */
export interface DirtyMark {
  readonly owner: string;
  readonly identifier: string;
  readonly since: number;
}

/** One event to serve. */
export interface EventInsert {
  readonly event: NostrEvent;
  /** Announcements only: taken by the host (or archive) route. */
  readonly hosted?: boolean;
}

/**
 * The database half of one unit of work. Applied in one transaction, in this order: removals,
 * puts, inserts. Ids and keys that do not exist are ignored, so repeating a unit changes nothing.
 */
export interface Changes {
  readonly insertEvents?: readonly EventInsert[];
  readonly putAnnouncements?: readonly WaitingAnnouncement[];
  readonly removeAnnouncements?: readonly { readonly owner: string; readonly identifier: string }[];
  readonly putStates?: readonly WaitingState[];
  /** Event ids. */
  readonly removeStates?: readonly string[];
  /** Ids that expired from purgatory without git data, with the time (ms). */
  readonly putExpired?: readonly { readonly id: string; readonly at: number }[];
  readonly removeExpired?: readonly string[];
  readonly putDirty?: readonly DirtyMark[];
  readonly removeDirty?: readonly { readonly owner: string; readonly identifier: string }[];
}

/**
 * What became of one inserted event: `stored` (it is now the current version), `duplicate` (this id
 * is stored already) or `superseded` (a newer version of its coordinate is stored).
 */
export type InsertVerdict = "stored" | "duplicate" | "superseded";

/** A page of stored events. */
export interface QueryResult {
  /** Stored JSON texts, newest first (ties: lowest id first), each event once. */
  readonly events: readonly string[];
}

/** The events this server serves, and purgatory, in one database. */
export interface Store {
  /** True when an event with this id is served. */
  has(id: string): Promise<boolean>;
  /** Served events matching any filter; each filter bounded by its own limit (default/max applied). */
  query(filters: readonly Filter[]): Promise<QueryResult>;
  /** Number of distinct served events matching any filter (limits ignored). NIP-45. */
  count(filters: readonly Filter[]): Promise<number>;
  /** The served version of a replaceable or addressable coordinate. */
  currentVersion(kind: number, pubkey: string, identifier: string): Promise<NostrEvent | undefined>;
  /**
   * True when an accepted event links to, or is linked from, `event` (section "related events"):
   * its a/A/q coordinates or e/E/q ids name a stored event, or a stored event names its id or
   * coordinate. Kinds 5 and 10317 are no link targets.
   */
  isRelated(event: NostrEvent): Promise<boolean>;
  /** Announcements and states of one identifier, served and waiting. */
  readIdentifier(identifier: string): Promise<IdentifierRows>;
  /** The phase in purgatory of an event id, if it waits there. */
  waitingKind(id: string): Promise<"announcement" | "state" | undefined>;
  /** True when this id expired from purgatory and is still remembered. */
  isExpired(id: string): Promise<boolean>;
  /** Waiting entries whose deadline is at or before `now` (ms), oldest deadline first. */
  overdue(now: number, limit: number): Promise<{
    readonly announcements: readonly WaitingAnnouncement[];
    readonly states: readonly WaitingState[];
  }>;
  /** Waiting announcements of phase `active` and all waiting states: what a start has to look at. */
  pendingAtStart(): Promise<{
    readonly announcements: readonly WaitingAnnouncement[];
    readonly states: readonly WaitingState[];
  }>;
  /** All dirty marks, oldest first. */
  dirtyMarks(): Promise<readonly DirtyMark[]>;
  /** Sizes of purgatory for limits and metrics. */
  waitingCounts(): Promise<{ readonly active: number; readonly soft: number; readonly states: number }>;
  /** Number of active waiting announcements of one author. */
  waitingAnnouncementsOf(owner: string): Promise<number>;
  /** Forgets expired ids older than `before` (ms); returns how many. */
  pruneExpired(before: number): Promise<number>;
  /**
   * Applies one unit of work. Resolves after the transaction that holds it has been committed and
   * checked; units submitted within a few milliseconds share one transaction (group commit), and
   * later units see earlier ones. Verdicts are in the order of `insertEvents`. Rejects when nothing
   * of the unit was applied.
   */
  commit(changes: Changes): Promise<readonly InsertVerdict[]>;
  /** A trivial query, for readiness. */
  ping(): Promise<void>;
  /** Commits what is pending and closes the database. */
  close(): Promise<void>;
}
