import type { NostrEvent } from "../nostr/mod.ts";
import type { CurationRules } from "../policy/mod.ts";
import type { ReleaseParts } from "../purgatory/mod.ts";
import type { WaitingSource } from "../store/mod.ts";
import type { KeyedLock } from "../world/mod.ts";

/**
 * Where an event comes from: a client, another relay, or a second look at one that was judged before.
 * Tunes delays and metrics, never what is accepted.
 */
export type EventSource = "client" | "sync" | "retry";

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

/** Checks signatures, somewhere off the event loop when there is a backlog. */
export interface SignatureVerifier {
  verify(event: NostrEvent): Promise<boolean>;
}

/** Everything intake works with. */
export interface IntakeParts extends ReleaseParts {
  readonly locks: KeyedLock;
  readonly rules: CurationRules;
  readonly verifier: SignatureVerifier;
  /** How far ahead `created_at` may lie, in seconds. */
  readonly maxFutureSecs: number;
  /** Accept kind 10317 (GRASP lists) from anyone. */
  readonly openGraspLists: boolean;
  readonly intakeCounters: IntakeCounters;
}
