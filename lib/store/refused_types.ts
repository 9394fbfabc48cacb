import type { NostrEvent } from "../nostr/mod.ts";
import type { RetiredRepository } from "./row_types.ts";

/** What a refused event is remembered as: `related` is an orphan that waits for what it refers to. */
export type RefusedType = "announcement" | "state" | "related";

/** A refused event of another relay. Times in milliseconds since the epoch. */
export interface RefusedEvent {
  readonly id: string;
  readonly type: RefusedType;
  readonly kind: number;
  readonly author: string;
  /** Verbatim; "" for type `related`. */
  readonly identifier: string;
  /** In seconds. */
  readonly createdAt: number;
  /** A reason code. */
  readonly reason: string;
  /** When it was refused first. */
  readonly at: number;
  /** How often it was looked at again and refused. */
  readonly attempts: number;
  /** When the id is forgotten. */
  readonly until: number;
  /** The whole event and how long it is kept; undefined when only the id is remembered. */
  readonly whole: { readonly event: NostrEvent; readonly until: number } | undefined;
  /** Type `related` only: under which it is found by {@link RefusedStore.refusedByKeys}. */
  readonly keys: readonly string[];
}

/** An id that will not become acceptable again: superseded, deleted, or of a blocked author. */
export interface GoneId {
  readonly id: string;
  /** When it is forgotten, in milliseconds since the epoch. */
  readonly until: number;
}

/** A refused event as it is handed out for another look. */
export type RefusedMatch = Omit<RefusedEvent, "keys">;

/** What the database remembers of an event that is neither served nor waiting. Times in milliseconds. */
export interface IdTraces {
  /** Offered by another relay and refused. */
  readonly refused: RefusedMatch | undefined;
  /** Superseded, deleted or of a blocked author: not fetched again until then. */
  readonly goneUntil: number | undefined;
  /** Left purgatory without its git data. */
  readonly expired: { readonly at: number; readonly until: number } | undefined;
  /** Keys that asked for the deletion of this id (NIP-09). */
  readonly deletionAskedBy: readonly string[];
  /** Taken out of service together with its repository. */
  readonly retired: RetiredRepository | undefined;
}

/** Which refused announcements and states an invalidation concerns. */
export interface RefusedQuery {
  readonly identifier: string;
  /** Keys of authors. */
  readonly announcementsBy: readonly string[];
  readonly statesBy: readonly string[];
}

/** Sizes by type: whole events and all ids. */
export type RefusedCounts = Readonly<
  Record<RefusedType, { readonly whole: number; readonly ids: number }>
>;

/** Most refused announcements and states kept whole, and the bytes of their JSON. */
export const MAX_WHOLE = 5_000;
export const MAX_WHOLE_BYTES = 20 << 20;
/** Most ids of refused announcements and states. */
export const MAX_REFUSED = 100_000;
/** The same for type `related`; the bytes are bounded by {@link MAX_WHOLE_BYTES} too. */
export const MAX_WHOLE_RELATED = 2_000;
export const MAX_RELATED = 20_000;
/** Most gone ids. */
export const MAX_GONE = 100_000;

/**
 * Memory of refused events. The oldest go first at the bounds, after which a whole event is an id and
 * an id is forgotten. What is past its time is never returned, whether it was swept or not.
 */
export interface RefusedStore {
  /** True when some announcement or state of this identifier is remembered. */
  hasRefused(identifier: string): Promise<boolean>;
  /** What matches and has fewer than `attempts`, whole events first, oldest first, at most `limit`. */
  refused(query: RefusedQuery, attempts: number, limit: number): Promise<readonly RefusedMatch[]>;
  /** The same of type `related` for entries with one of these keys. */
  refusedByKeys(keys: readonly string[], attempts: number, limit: number): Promise<readonly RefusedMatch[]>;
  /** Sizes, entries past their time and not yet swept included. */
  refusedCounts(): Promise<RefusedCounts>;
  /** Reduces whole events past their time to ids; returns how many of each type. */
  sweepWhole(now: number): Promise<Readonly<Record<RefusedType, number>>>;
  /** Removes refused and gone ids past their time; returns how many refused ones of each type. */
  sweepRefused(now: number): Promise<Readonly<Record<RefusedType, number>>>;
}
