import type { NostrEvent, PullRequest, Refusal, State } from "../nostr/mod.ts";
import type { RemovalReason } from "../observe/mod.ts";
import type {
  RepositoryKey,
  RetiredRepository,
  Tombstone,
  WaitingAnnouncement,
  WaitingPullRequest,
  WaitingState,
} from "../store/types.ts";

/** The text GRASP-01 gives for an event kept back until its git data is here. */
export const HELD_MESSAGE = "purgatory: won't be served until git data arrives";
export const IN_PURGATORY_MESSAGE = "duplicate: in purgatory";
export const STORED_ALREADY_MESSAGE = "duplicate: already have this event";
export const NEWER_VERSION_MESSAGE = "duplicate: have a newer version";

/** What `OK true` says: `accepted` carries no text; the others explain why nothing is served (yet). */
export type Acceptance = {
  readonly ok: true;
  readonly outcome: "accepted" | "held" | "duplicate";
  readonly message: string;
};

/** The answer to an event. */
export type Verdict = Acceptance | Refusal;

/**
 * What a decision changes, as plain data. The executor applies them as one unit of work: git first,
 * then one database transaction, then notifications.
 */
export type Effect =
  /** Create the bare repository if missing; its failure refuses the event and keeps nothing. */
  | { readonly type: "ensureRepository"; readonly owner: string }
  /** Delete a repository that no longer waits for data; with `force` even one that holds refs. */
  | { readonly type: "removeRepository"; readonly owner: string; readonly force?: boolean }
  /** Stop serving a repository and these events; both are held for the retention time. */
  | {
    readonly type: "retire";
    readonly owner: string;
    readonly reason: RetiredRepository["reason"];
    readonly events: readonly NostrEvent[];
  }
  /** Bring a retired repository back in place of a new empty one. */
  | { readonly type: "restore"; readonly retired: RetiredRepository }
  /** Stop serving an event for good. */
  | { readonly type: "removeServed"; readonly id: string }
  | { readonly type: "forbid"; readonly tombstone: Tombstone }
  /** Serve the event and broadcast it once it is the current version. */
  | { readonly type: "serve"; readonly event: NostrEvent; readonly hosted?: boolean }
  /** `revives`: it was soft-expired; `replaces`: an older version waited. */
  | {
    readonly type: "holdAnnouncement";
    readonly row: WaitingAnnouncement;
    readonly revives?: boolean;
    readonly replaces?: boolean;
  }
  | { readonly type: "dropAnnouncement"; readonly owner: string; readonly reason: RemovalReason }
  | { readonly type: "holdState"; readonly row: WaitingState }
  | { readonly type: "dropState"; readonly id: string; readonly reason: RemovalReason }
  | { readonly type: "holdPullRequest"; readonly row: WaitingPullRequest }
  | { readonly type: "dropPullRequest"; readonly id: string; readonly reason: RemovalReason }
  | { readonly type: "dropPlaceholder"; readonly id: string }
  /** Delete `refs/nostr/<id>` where it points to anything but `keep`. */
  | {
    readonly type: "clearPullRequestRef";
    readonly repository: RepositoryKey;
    readonly id: string;
    readonly keep: string | undefined;
  }
  /** Delete `refs/nostr/<id>` in a contributor's repository, and the repository when it was the last ref. */
  | { readonly type: "clearContribution"; readonly scope: RepositoryKey; readonly id: string }
  | { readonly type: "forgetExpired"; readonly id: string }
  /** Re-evaluate what waits for this identifier, after the effects before it. */
  | { readonly type: "release"; readonly incoming?: State; readonly incomingPullRequest?: PullRequest };

/** A pure decision: the answer, and what has to happen for it to be true. */
export interface Decision {
  readonly verdict: Verdict;
  readonly effects: readonly Effect[];
}

/** Accepted and served. */
export const ACCEPTED: Acceptance = { ok: true, outcome: "accepted", message: "" };
/** Accepted into purgatory. */
export const HELD: Acceptance = { ok: true, outcome: "held", message: HELD_MESSAGE };

/** Nothing to do; `message` says why. */
export function duplicate(message: string): Decision {
  return { verdict: { ok: true, outcome: "duplicate", message }, effects: [] };
}

/** Refused; nothing changes. */
export function refused(refusal: Refusal): Decision {
  return { verdict: refusal, effects: [] };
}
