import { addressIdentifier, type NostrEvent } from "../nostr/mod.ts";
import { DURATION } from "../policy/mod.ts";
import type { ExpiredId } from "../store/mod.ts";
import type { ReleaseParts } from "./ports.ts";

/** What is remembered of an event that leaves purgatory without git data, so that sync leaves it alone. */
export function expiredId({ clock, expiryCause }: ReleaseParts, event: NostrEvent): ExpiredId {
  const at = clock.now();
  const lifetimeMs = expiryCause?.(event) === "unreachable"
    ? DURATION.expiredUnreachableMs
    : DURATION.expiredMemoryMs;
  return {
    id: event.id,
    at,
    until: at + lifetimeMs,
    about: {
      kind: event.kind,
      author: event.pubkey,
      createdAt: event.created_at,
      identifier: addressIdentifier(event) ?? "",
    },
  };
}
