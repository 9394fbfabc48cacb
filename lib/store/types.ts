import type { Filter, NostrEvent } from "../nostr/mod.ts";
import type { WaitingAges, WaitingSizes } from "../observe/mod.ts";
import type { GoneId, IdTraces, RefusedEvent, RefusedStore } from "./refused_types.ts";
import type {
  Item,
  Placeholder,
  RepositoryKey,
  RetiredKey,
  RetiredRepository,
  Tombstone,
  WaitingAnnouncement,
  WaitingPullRequest,
  WaitingState,
} from "./row_types.ts";
import type { SyncStore } from "./sync_types.ts";
import type { UpkeepStore } from "./upkeep_types.ts";

export type * from "./row_types.ts";

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
  /** Those of which some target has the identifier. */
  readonly waitingPullRequests: readonly WaitingPullRequest[];
  /** Those of which some repository has the identifier. */
  readonly placeholders: readonly Placeholder[];
}

/** An event that left purgatory without git data. Times in milliseconds. */
export interface ExpiredId {
  readonly id: string;
  readonly at: number;
  /** When it is forgotten. */
  readonly until: number;
  /** What a negotiation compares with its filter; unknown for ids from elsewhere. */
  readonly about?: {
    readonly kind: number;
    readonly author: string;
    /** In seconds. */
    readonly createdAt: number;
    /** "" for kinds without one. */
    readonly identifier: string;
  };
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

/** Waiting entries of every sort. */
export interface WaitingEntries {
  readonly announcements: readonly WaitingAnnouncement[];
  readonly states: readonly WaitingState[];
  readonly pullRequests: readonly WaitingPullRequest[];
  readonly placeholders: readonly Placeholder[];
}

/**
 * The database half of one unit of work. Applied in one transaction, in this order: removals,
 * puts, inserts. Ids and keys that do not exist are ignored, so repeating a unit changes nothing.
 * An inserted event that waits in purgatory stays there unless the unit also removes it.
 */
export interface Changes {
  readonly insertEvents?: readonly EventInsert[];
  /** Ids of served events. */
  readonly removeEvents?: readonly string[];
  readonly putAnnouncements?: readonly WaitingAnnouncement[];
  readonly removeAnnouncements?: readonly RepositoryKey[];
  readonly putStates?: readonly WaitingState[];
  /** Event ids. */
  readonly removeStates?: readonly string[];
  /** Replaces an entry of the same event id, targets included. */
  readonly putPullRequests?: readonly WaitingPullRequest[];
  /** Event ids. */
  readonly removePullRequests?: readonly string[];
  /** Replaces an entry of the same id, repositories included. */
  readonly putPlaceholders?: readonly Placeholder[];
  /** Event ids. */
  readonly removePlaceholders?: readonly string[];
  /** Tombstones never go; of one coordinate the latest `until` stands. */
  readonly putTombstones?: readonly Tombstone[];
  readonly putRetired?: readonly RetiredRepository[];
  readonly removeRetired?: readonly RetiredKey[];
  readonly putExpired?: readonly ExpiredId[];
  readonly removeExpired?: readonly string[];
  /** Replaces an entry of the same id, keys included; the oldest go at the bounds. */
  readonly putRefused?: readonly RefusedEvent[];
  /** Event ids. */
  readonly removeRefused?: readonly string[];
  /** The oldest go at the bound. */
  readonly putGone?: readonly GoneId[];
  readonly putDirty?: readonly DirtyMark[];
  readonly removeDirty?: readonly RepositoryKey[];
}

/**
 * What became of one inserted event: `stored` (it is now the current version), `duplicate` (this id
 * is stored already), `superseded` (a newer version of its coordinate is stored) or `forbidden` (a
 * tombstone covers it; never for kind 5).
 */
export type InsertVerdict = "stored" | "duplicate" | "superseded" | "forbidden";

/** Told about a committed unit of work; `verdicts` are those of its `insertEvents`, in order. */
export type CommitListener = (changes: Changes, verdicts: readonly InsertVerdict[]) => void;

/** A page of stored events. */
export interface QueryResult {
  /** Stored JSON texts, newest first (ties: lowest id first), each event once. */
  readonly events: readonly string[];
}

/** What the database knows of an event that arrives. */
export interface EventStanding {
  /** See `Store.has`. */
  readonly served: boolean;
  /** See `Store.isTombstoned`. */
  readonly tombstoned: boolean;
  /** It waits in purgatory; see `Store.waitingKind`. */
  readonly waiting: boolean;
  /** Its id is remembered as refused. */
  readonly refused: boolean;
  /** See `Store.isExpired`. */
  readonly expired: boolean;
}

/** The events this server serves, and purgatory, in one database. */
export interface Store extends SyncStore, RefusedStore, UpkeepStore {
  /** Everything that decides whether an event that arrives is looked at any further. */
  standing(event: NostrEvent): Promise<EventStanding>;
  /** True when an event with this id is served. */
  has(id: string): Promise<boolean>;
  /** The served events among `ids`, newest first. */
  get(ids: readonly string[]): Promise<readonly NostrEvent[]>;
  /**
   * Served events matching any filter; each filter bounded by its own limit (default/max applied).
   * The page is also cut after about 64 MiB of JSON: it then holds fewer events than the limits
   * allow, the newest ones, and at least one.
   */
  query(filters: readonly Filter[]): Promise<QueryResult>;
  /** Number of distinct served events matching any filter (limits ignored). NIP-45. */
  count(filters: readonly Filter[]): Promise<number>;
  /**
   * All served events matching `filter`, its `limit` ignored, oldest first (ties: lowest id first);
   * undefined when there are more than `max`. Read in slices with turns for other tasks between
   * them: what is stored or removed meanwhile may or may not be in it. NIP-77.
   */
  items(filter: Filter, max: number): Promise<readonly Item[] | undefined>;
  /** Events whose NIP-40 time is at or before `now` (s), to be removed, earliest time first. */
  expiredServed(now: number, limit: number): Promise<readonly NostrEvent[]>;
  /** The served version of a replaceable or addressable coordinate. */
  currentVersion(kind: number, pubkey: string, identifier: string): Promise<NostrEvent | undefined>;
  /**
   * True when an accepted event links to, or is linked from, `event` (section "related events"):
   * its a/A/q coordinates or e/E/q ids name a stored event, or a stored event names its id or
   * coordinate. Kinds 5 and 10317 are no link targets.
   */
  isRelated(event: NostrEvent): Promise<boolean>;
  /** Everything of one identifier, served and waiting. */
  readIdentifier(identifier: string): Promise<IdentifierRows>;
  /** The waiting announcement, state or pull request with this id. */
  waitingEvent(id: string): Promise<NostrEvent | undefined>;
  /** What waits in purgatory under an event id. Placeholders are no events and do not count. */
  waitingKind(id: string): Promise<"announcement" | "state" | "pullRequest" | undefined>;
  /** The pull request or update that waits under this event id. */
  waitingPullRequest(id: string): Promise<WaitingPullRequest | undefined>;
  /** The placeholder for this event id. */
  placeholder(id: string): Promise<Placeholder | undefined>;
  /** True when this id expired from purgatory and is still remembered. */
  isExpired(id: string): Promise<boolean>;
  /**
   * True when `event` must not come back: a tombstone names its id and its own pubkey, or its
   * replaceable or addressable coordinate up to its `created_at` or later.
   */
  isTombstoned(event: NostrEvent): Promise<boolean>;
  /** What is remembered of an id that is neither served nor waiting. */
  traces(id: string): Promise<IdTraces>;
  /** The last time this repository was retired, if that is still held: events that hung on it are earlier. */
  lastRetired(owner: string, identifier: string): Promise<RetiredRepository | undefined>;
  /**
   * Everything held of this repository, or of all of this owner, earliest first; read row by row, because
   * there may be many events.
   */
  held(owner: string, identifier?: string): AsyncIterable<RetiredRepository>;
  /** What is held, without the events: of one repository, or of all. */
  heldKeys(repository?: RepositoryKey): Promise<readonly RetiredKey[]>;
  /**
   * Repositories retired before `time` (ms), earliest first: at most 1,000 and about 64 MiB of
   * events, but at least one. The rest is returned once these have been removed.
   */
  retiredBefore(time: number): Promise<readonly RetiredRepository[]>;
  /** Waiting entries whose deadline is at or before `now` (ms), oldest first; `limit` is for each sort. */
  overdue(now: number, limit: number): Promise<WaitingEntries>;
  /** What is more than `most` soft-expired announcements, nearest deadline first, at most `limit`. */
  softExpiredBeyond(most: number, limit: number): Promise<readonly WaitingAnnouncement[]>;
  /** All that waits except announcements of phase `soft`: what a start has to look at. */
  pendingAtStart(): Promise<WaitingEntries>;
  /** All dirty marks, oldest first. */
  dirtyMarks(): Promise<readonly DirtyMark[]>;
  /** Sizes of purgatory for limits and metrics. */
  waitingCounts(): Promise<WaitingSizes>;
  /**
   * When the oldest entry of each sort first entered (ms), how many expired ids are remembered, and how
   * many repositories are marked dirty. Reads every entry: for metrics, not for decisions.
   */
  waitingAges(): Promise<WaitingAges>;
  /** Number of active waiting announcements of one author. */
  waitingAnnouncementsOf(owner: string): Promise<number>;
  /** Number of placeholders with a ref in one repository. */
  placeholdersIn(repository: RepositoryKey): Promise<number>;
  /** Number of placeholders with this scope. */
  placeholdersInScope(scope: RepositoryKey): Promise<number>;
  /** Number of waiting pull requests and updates with one repository among their targets. */
  waitingPullRequestsFor(repository: RepositoryKey): Promise<number>;
  /** Removes expired ids whose time was up at `now` (ms); returns how many. */
  pruneExpired(now: number): Promise<number>;
  /**
   * Applies one unit of work. Resolves after the transaction that holds it has been committed and
   * checked; units submitted within a few milliseconds share one transaction (group commit), and
   * later units see earlier ones. Verdicts are in the order of `insertEvents`. Rejects when nothing
   * of the unit was applied.
   */
  commit(changes: Changes): Promise<readonly InsertVerdict[]>;
  /**
   * Calls `listener` with every unit of work right after its commit, in commit order, before the
   * promise of `commit` resolves. It must not throw and must not wait. Returns what ends it.
   */
  watch(listener: CommitListener): () => void;
  /** A trivial query, for readiness. */
  ping(): Promise<void>;
  /** Commits what is pending and closes the database. */
  close(): Promise<void>;
}
