import {
  addressIdentifier,
  encodeNpub,
  type NostrEvent,
  parsePullRequest,
  type Refusal,
  refuse,
} from "../nostr/mod.ts";
import {
  ACCEPTED,
  type Decision,
  NEWER_VERSION_MESSAGE,
  STORED_ALREADY_MESSAGE,
  type Verdict,
} from "../policy/mod.ts";
import { applyEffects } from "../purgatory/mod.ts";
import type { InsertVerdict } from "../store/mod.ts";
import type { EventSource, IntakeParts } from "./ports.ts";
import type { JudgeParts } from "./refused_memory.ts";

/** The author asked for its deletion (NIP-09), before or after it arrived. */
export const DELETED: Refusal = refuse("invalid", "deleted", "accepted deletion request for this event");

/** Passes a verdict on; the refusal of an event of another relay is remembered. */
export function noted(
  { memory }: JudgeParts,
  event: NostrEvent,
  source: EventSource,
  verdict: Verdict,
): Verdict {
  const isFromRelay = source === "sync" || source === "retry";
  if (!verdict.ok && isFromRelay) memory.remember(event, verdict);
  return verdict;
}

/** What the store's verdict on an insert means for the sender. */
export function storeVerdict(verdict: InsertVerdict): Verdict {
  switch (verdict) {
    case "stored":
      return ACCEPTED;
    case "duplicate":
      return { ok: true, outcome: "duplicate", message: STORED_ALREADY_MESSAGE };
    case "superseded":
      return { ok: true, outcome: "duplicate", message: NEWER_VERSION_MESSAGE };
    case "forbidden":
      return DELETED;
  }
}

/**
 * Applies a decision under the lock of its identifier. Undefined: accepted because its data is here,
 * but no repository could take it, so nothing was released.
 */
export async function carryOut(
  parts: IntakeParts,
  event: NostrEvent,
  identifier: string,
  decision: Decision,
): Promise<Verdict | undefined> {
  if (decision.effects.length === 0) return decision.verdict;
  // It may have been served, or a deletion request accepted, while this event waited for its lock.
  if (await parts.store.has(event.id)) return storeVerdict("duplicate");
  if (await parts.store.isTombstoned(event)) return DELETED;
  const applied = await applyEffects(parts, identifier, decision.effects);
  if (!applied.ok) return applied;
  const expectsRelease = decision.effects.some((effect) =>
    effect.type === "release" && (effect.incoming ?? effect.incomingPullRequest)
  );
  if (expectsRelease && !applied.released.has(event.id)) return undefined;
  const stored = applied.verdicts.get(event.id);
  return stored && decision.verdict.ok ? storeVerdict(stored) : decision.verdict;
}

/** Structural refusals carry the marker operators' tools look for, one line per repository named. */
export function structuralRefusal({ log }: IntakeParts, event: NostrEvent, refusal: Refusal): Refusal {
  const parsed = parsePullRequest(event);
  const named = parsed.ok ? parsed.pullRequest.targets.map(({ identifier }) => identifier) : [];
  const repos = named.length > 0 ? new Set(named) : [addressIdentifier(event) || "unknown"];
  for (const repo of repos) {
    log.warn("[PARSE_FAIL]", {
      kind: event.kind,
      event_id: `${event.id.slice(0, 12)}...`,
      reason: refusal.text,
      repo,
      npub: encodeNpub(event.pubkey),
    });
  }
  return refusal;
}
