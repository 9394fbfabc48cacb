import type { NostrEvent } from "../nostr/mod.ts";

/** Where a waiting event came from; decides log level and hunting delay, never acceptance. */
export type WaitingSource = "direct" | "sync";

/** What names a repository: the hex key of its owner and its identifier, verbatim. */
export interface RepositoryKey {
  readonly owner: string;
  readonly identifier: string;
}

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

/** A pull request or update (kinds 1618, 1619) in purgatory. All times in milliseconds since the epoch. */
export interface WaitingPullRequest {
  readonly event: NostrEvent;
  /** The first `c` value, verbatim. */
  readonly commit: string;
  /** The repositories its 30617 coordinates name; with more than 20 the unit is rejected. */
  readonly targets: readonly RepositoryKey[];
  readonly source: WaitingSource;
  readonly firstEnteredAt: number;
  readonly enteredAt: number;
  readonly deadlineAt: number;
}

/** A pushed `refs/nostr/<id>` whose event is unknown. All times in milliseconds since the epoch. */
export interface Placeholder {
  /** The event id in the ref. */
  readonly id: string;
  /** The commit last pushed; with a scope, the one pushed there. */
  readonly commit: string;
  /** The contributor's repository (GRASP-06) that holds the ref, by submitter and identifier. */
  readonly scope?: RepositoryKey;
  /** Hosted repositories where the ref was written; with more than 1,000 the unit is rejected. */
  readonly repositories: readonly RepositoryKey[];
  readonly firstEnteredAt: number;
  readonly enteredAt: number;
  readonly deadlineAt: number;
}

/**
 * What must not come back (NIP-09, withdrawal): an id by its author, or the versions of a
 * replaceable or addressable coordinate up to a time (`until`, compared with `created_at`, in
 * seconds, inclusive). `identifier` is "" for replaceable kinds.
 */
export type Tombstone =
  | { readonly type: "id"; readonly id: string; readonly pubkey: string }
  | {
    readonly type: "coordinate";
    readonly kind: number;
    readonly pubkey: string;
    readonly identifier: string;
    readonly until: number;
  };

/** What names one thing that is held: when (ms) it was taken out of service, and of which repository. */
export interface RetiredKey extends RepositoryKey {
  readonly retiredAt: number;
}

/**
 * A repository that is no longer served; its directory and events are held for a while after
 * `retiredAt` (ms). One repository may have been retired several times. Events that hung on it, or were
 * hidden, are held in rows of their own, with no directory and without its announcement.
 */
export interface RetiredRepository extends RetiredKey {
  readonly reason: "deleted" | "withdrawn" | "expired" | "operator";
  /** Where its data lies, below the git data path; "" when there was none. */
  readonly directory: string;
  /** The events that went with it, in the order given. */
  readonly events: readonly NostrEvent[];
}

/** One element of a set to reconcile (NIP-77); `createdAt` in seconds. */
export interface Item {
  readonly id: string;
  readonly createdAt: number;
}
