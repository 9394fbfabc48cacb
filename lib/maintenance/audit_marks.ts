import type { NostrEvent } from "../nostr/mod.ts";
import { tagsNamed } from "../nostr/mod.ts";

/** The `t` value by which test clients ask for the removal of their own events. */
export const AUDIT_MARK = "grasp-audit-test-event";
const AFTER = /^audit-cleanup-after-(\d{1,12})$/;
/** An event can ask for this much time after its arrival at most, in milliseconds. */
const MAX_DELAY_MS = 7 * 86_400_000;

/** True when the author asks for the removal of this event. */
export function hasAuditMark(event: NostrEvent): boolean {
  return tagsNamed(event, "t").some(([, value]) => value === AUDIT_MARK);
}

/**
 * When a marked event is to be removed, in milliseconds: `ageMs` after its arrival, or later when it asks
 * for that. What it says about its own age (`created_at`) does not matter.
 */
export function auditDueAt(event: NostrEvent, arrivedAt: number, ageMs: number): number {
  const wished = tagsNamed(event, "t")
    .map(([, value]) => Number(AFTER.exec(value ?? "")?.[1] ?? 0) * 1000);
  const due = arrivedAt + ageMs;
  return Math.max(due, Math.min(Math.max(0, ...wished), arrivedAt + MAX_DELAY_MS));
}
