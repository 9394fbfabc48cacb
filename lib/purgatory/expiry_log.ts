import { encodeNpub, KIND, type NostrEvent } from "../nostr/mod.ts";
import type { Logger } from "../observe/mod.ts";
import type { WaitingSource } from "../store/mod.ts";

/** The line operators' tools look for; a warning when a user waits for it, debug for synced events. */
export function logExpiry(
  log: Logger,
  event: NostrEvent,
  source: WaitingSource,
  identifier: string,
  detail?: string,
): void {
  const isPullRequest = event.kind !== KIND.announcement && event.kind !== KIND.state;
  const fields = {
    repo: identifier,
    npub: encodeNpub(event.pubkey),
    event_id: `${event.id.slice(0, 12)}...`,
    kind: event.kind,
    ...(isPullRequest && detail !== undefined && { commit: detail.slice(0, 12) }),
    source,
    reason: "git data not received within 30 minutes",
    ...(event.kind === KIND.announcement && detail !== undefined && { phase: detail }),
  };
  if (source === "direct") log.warn("[PURGATORY_EXPIRED]", fields);
  else log.debug("[PURGATORY_EXPIRED]", fields);
}
