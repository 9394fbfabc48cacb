import { addressIdentifier, encodeNpub, KIND, type NostrEvent } from "../nostr/mod.ts";
import { orphanedStates, viewOf } from "../policy/mod.ts";
import { type KeyedLock, nowSeconds } from "../world/mod.ts";
import { applyEffects } from "./executor.ts";
import type { ReleaseParts } from "./ports.ts";

/** Most expired events handled in one pass. */
const MAX_PURGED = 500;

/**
 * Deletes retired repositories and their events, and hidden events, for good when they were retired
 * before `time` (ms); returns how many.
 */
export async function discardRetired(
  { store, repositories, counters, log }: ReleaseParts,
  time: number,
): Promise<number> {
  let count = 0;
  for (const { owner, identifier, retiredAt, directory } of await store.retiredBefore(time)) {
    try {
      await repositories.discardRetired(directory);
      await store.commit({ removeRetired: [{ owner, identifier, retiredAt }] });
      if (directory !== "") counters.repositoryDeleted("retention", "removed");
      count++;
      const what = directory === "" ? "events" : "repository";
      log.info(`retired ${what} deleted for good`, { repo: identifier, npub: encodeNpub(owner) });
    } catch (error) {
      counters.repositoryDeleted("retention", "failed");
      log.error("retired repository could not be deleted", { repo: identifier, error: String(error) });
    }
  }
  return count;
}

/** NIP-40: served events whose time passed leave; a hosted announcement takes its repository along. */
export async function purgeExpiredEvents(parts: ReleaseParts, locks: KeyedLock): Promise<void> {
  const expired = await parts.store.expiredServed(nowSeconds(parts.clock), MAX_PURGED);
  const others = expired.filter(({ kind }) => kind !== KIND.announcement);
  if (others.length > 0) await parts.store.commit({ removeEvents: others.map(({ id }) => id) });
  for (const event of expired.filter(({ kind }) => kind === KIND.announcement)) {
    const identifier = addressIdentifier(event)!;
    await locks.run([identifier], () => retireExpired(parts, event, identifier));
  }
  if (expired.length > 0) parts.log.info("expired events removed", { count: expired.length });
}

async function retireExpired(parts: ReleaseParts, event: NostrEvent, identifier: string): Promise<void> {
  const view = viewOf(identifier, await parts.store.readIdentifier(identifier));
  // Expired events are not in the view: an announcement of the owner there is a newer one.
  const isRenewed = view.announcements.some(({ announcement }) => announcement.owner === event.pubkey);
  await applyEffects(
    parts,
    identifier,
    isRenewed ? [{ type: "removeServed", id: event.id }] : [{
      type: "retire",
      owner: event.pubkey,
      reason: "expired",
      events: [event, ...orphanedStates(view)],
    }],
  );
}
