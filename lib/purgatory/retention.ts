import { addressIdentifier, encodeNpub, KIND, type NostrEvent } from "../nostr/mod.ts";
import { orphanedStates, viewOf } from "../policy/mod.ts";
import type { RepositoryKey } from "../store/mod.ts";
import { type KeyedLock, nowSeconds } from "../world/mod.ts";
import { hideDependents } from "./dependents.ts";
import { applyEffects } from "./executor.ts";
import { holdsRepository } from "./hidden.ts";
import type { ReleaseParts } from "./ports.ts";

/** About the most events that leave under one lock. */
const HIDDEN_AT_ONCE = 2_000;
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

/**
 * Takes out of service what still hangs on a retired repository, with turns for others who wait for its
 * lock: what was too much for the transaction of its end, what a crash left, and all of it where an
 * earlier version retired it. Ends early when `signal` aborts.
 */
export async function hideLeftDependents(
  parts: ReleaseParts,
  locks: KeyedLock,
  { owner, identifier }: RepositoryKey,
  signal?: AbortSignal,
): Promise<void> {
  const { store } = parts;
  const isDone = () =>
    locks.run([identifier], async () => {
      const row = await store.lastRetired(owner, identifier);
      if (!row || row.reason === "operator" || !holdsRepository(row)) return true;
      const isServed = await store.currentVersion(KIND.announcement, owner, identifier);
      return isServed !== undefined || await hideDependents(parts, row, HIDDEN_AT_ONCE);
    });
  while (!signal?.aborted && !await isDone());
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
