import { addressIdentifier, KIND, type NostrEvent } from "../nostr/mod.ts";
import type { Verdict } from "../policy/mod.ts";

/** How long a refused synced event is kept whole, in milliseconds. */
const KEPT_MS = 120_000;
/** Most events kept; beyond it the oldest go, and are synced again when their time comes. */
const MAX_KEPT = 5_000;
/** Refusals that another announcement or state may overturn. */
const OVERTURNED: ReadonlySet<string> = new Set(["orphan", "unauthorized", "not_listed", "not_whitelisted"]);

interface Kept {
  readonly event: NostrEvent;
  readonly identifier: string;
  readonly until: number;
}

/**
 * Announcements and states that arrived by sync before the announcement that makes them acceptable.
 * Clients are told and send again; a synced copy would not come back for a day. In memory only.
 */
export class RefusedEvents {
  readonly #kept = new Map<string, Kept>();

  /** Keeps a refused event if its refusal may be overturned. `now` in milliseconds. */
  remember(event: NostrEvent, verdict: Verdict, now: number): void {
    const isRepositoryEvent = event.kind === KIND.announcement || event.kind === KIND.state;
    if (verdict.ok || !isRepositoryEvent || !OVERTURNED.has(verdict.reason)) return;
    const identifier = addressIdentifier(event) ?? "";
    this.#kept.delete(event.id);
    this.#kept.set(event.id, { event, identifier, until: now + KEPT_MS });
    for (const id of this.#kept.keys()) {
      if (this.#kept.size <= MAX_KEPT) break;
      this.#kept.delete(id);
    }
  }

  /** Takes out everything kept for `identifier`, oldest first; what is too old is forgotten. */
  take(identifier: string, now: number): NostrEvent[] {
    const taken: NostrEvent[] = [];
    for (const [id, kept] of this.#kept) {
      if (kept.until > now && kept.identifier !== identifier) continue;
      this.#kept.delete(id);
      if (kept.until > now) taken.push(kept.event);
    }
    return taken;
  }
}
