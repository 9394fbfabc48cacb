import type { WaitingAnnouncement } from "../store/types.ts";
import { DURATION } from "./durations.ts";

/** What the sweep found out about an overdue announcement. */
export interface OverdueFacts {
  /** A push or another child process uses the repository, or a push was authorised against it. */
  readonly inUse: boolean;
  /** The repository holds a branch or tag: it is never deleted by expiry. */
  readonly hasRefs: boolean;
}

/** What to do with an overdue waiting announcement (purgatory chapter, state machine of announcements). */
export type AnnouncementExpiry =
  | { readonly action: "skip" }
  /** Data is here although nothing released it: look again, never delete. */
  | { readonly action: "release" }
  /** Delete the repository; when it is gone keep the event until `deadlineAt` (ms). */
  | { readonly action: "softExpire"; readonly deadlineAt: number }
  /** Delete the repository, if any; when it is gone forget the event and remember its id. */
  | { readonly action: "expire" };

/** Decides about an announcement whose deadline passed at `now` (ms). */
export function decideExpiry(row: WaitingAnnouncement, facts: OverdueFacts, now: number): AnnouncementExpiry {
  if (row.deadlineAt > now) return { action: "skip" };
  if (row.phase === "soft") return { action: "expire" };
  if (facts.inUse) return { action: "skip" };
  if (facts.hasRefs) return { action: "release" };
  if (now >= row.firstEnteredAt + DURATION.announcementCapMs) return { action: "expire" };
  return { action: "softExpire", deadlineAt: now + DURATION.softExpiredMs };
}

/**
 * Deadline of a waiting entry after a restart: downtime counts, a clock that was set back must not
 * immortalise it, and what is active gets a short grace so that a cut-off push can be repeated.
 */
export function deadlineAfterRestart(
  row: { readonly deadlineAt: number; readonly firstEnteredAt: number },
  durations: { readonly fullMs: number; readonly capMs: number },
  now: number,
): number {
  const graced = Math.max(Math.min(row.deadlineAt, now + durations.fullMs), now + DURATION.restartGraceMs);
  return Math.min(graced, Math.min(row.firstEnteredAt, now) + durations.capMs);
}
