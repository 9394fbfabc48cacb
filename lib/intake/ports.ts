import type { NostrEvent } from "../nostr/mod.ts";
import type { RejectedGroup } from "../observe/mod.ts";
import type { CurationRules } from "../policy/mod.ts";
import type { ReleaseParts } from "../purgatory/mod.ts";
import type { WaitingSource } from "../store/mod.ts";
import type { KeyedLock } from "../world/mod.ts";

/**
 * Where an event comes from: a client, another relay, a second look at one that was judged before, or
 * the operator, who moves a server. Tunes delays and metrics, never what is accepted, but for one thing:
 * the operator vouches for git data that is on disk already.
 */
export type EventSource = "client" | "sync" | "retry" | "import";

/** How a row remembers its source. */
export function waitingSource(source: EventSource): WaitingSource {
  return source === "client" ? "direct" : "sync";
}

/** Counts what comes in; the metrics implement it. */
export interface IntakeCounters {
  received(kind: number): void;
  held(kind: number): void;
  rejected(kind: number, reason: string): void;
}

/** Counts nothing. */
export const noRejectedMetrics: RejectedGroup = {
  hotHits() {},
  hotMiss() {},
  hotExpired() {},
  coldExpired() {},
  invalidated() {},
};

/** Checks signatures, somewhere off the event loop when there is a backlog. */
export interface SignatureVerifier {
  verify(event: NostrEvent): Promise<boolean>;
}

/** Announcements or states to be fetched from the relays of their repository, soon. */
export interface Want {
  readonly kind: 30617 | 30618;
  readonly authors: readonly string[];
  readonly identifier: string;
}

/** How long refused events of other relays are remembered, in milliseconds. */
export interface RefusedLifetimes {
  /** Whole, to be judged again at once when what was missing arrives. */
  readonly hotMs: number;
  /** By id, so that they are neither fetched nor judged again. */
  readonly coldMs: number;
}

/** Options that decide about single events; read for each of them. */
export interface IntakeLimits {
  /** How far ahead `created_at` may lie, in seconds. */
  readonly maxEventFutureSecs: number;
  /** Accept kind 10317 (GRASP lists) from anyone. */
  readonly openGraspLists: boolean;
  /** Store kind 5 events without effect. */
  readonly ignoreDeletionRequests: boolean;
  /** Refuse kind 5 events that concern nothing here. */
  readonly restrictDeletionRequests: boolean;
}

/** Everything intake works with. */
export interface IntakeParts extends ReleaseParts {
  readonly locks: KeyedLock;
  readonly rules: CurationRules;
  readonly verifier: SignatureVerifier;
  readonly limits: IntakeLimits;
  readonly intakeCounters: IntakeCounters;
  readonly rejectedCounters: RejectedGroup;
  readonly refusedLifetimes: RefusedLifetimes;
  /**
   * Called when events refused earlier may have become acceptable and only their ids are left: at most
   * once per author, kind and identifier and minute.
   */
  readonly wanted?: (want: Want) => void;
  /** Called for every synced state and pull request that waits, also when it waited already. */
  readonly handOver?: (event: NostrEvent) => void;
}
