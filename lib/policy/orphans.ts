import type { NostrEvent } from "../nostr/mod.ts";
import { Authority } from "./maintainers.ts";
import type { IdentifierView } from "./view.ts";

/** Waiting states (ids) whose author no remaining announcement authorises. */
export function statesWithoutOwner(remaining: IdentifierView): string[] {
  const authority = new Authority(remaining);
  return remaining.waitingStates
    .filter(({ row }) => authority.ownersTrusting(row.author).length === 0)
    .map(({ row }) => row.event.id);
}

/** Served states whose author no remaining announcement authorises: they leave with the repository. */
export function orphanedStates(remaining: IdentifierView): NostrEvent[] {
  const authority = new Authority(remaining);
  return remaining.storedStates.filter(({ author }) => authority.ownersTrusting(author).length === 0)
    .map(({ event }) => event);
}
