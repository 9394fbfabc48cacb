import { encodeNpub } from "../nostr/mod.ts";
import {
  type AnnouncementExpiry,
  decideExpiry,
  type IdentifierView,
  statesWithoutOwner,
  viewOf,
  waitingAnnouncement,
} from "../policy/mod.ts";
import type { Changes, Placeholder, WaitingAnnouncement } from "../store/mod.ts";
import { expiredId } from "./expired_id.ts";
import { logExpiry } from "./expiry_log.ts";
import { announcementPin } from "./pins.ts";
import type { ReleaseParts } from "./ports.ts";
import { release } from "./release.ts";

/** What became of an overdue entry. */
export type AnnouncementOutcome = AnnouncementExpiry["action"];

/**
 * Handles one overdue announcement under its identifier's lock. Everything is read again: a push may
 * have released or extended it meanwhile.
 */
export async function expireAnnouncement(
  parts: ReleaseParts,
  { owner, identifier }: WaitingAnnouncement,
): Promise<AnnouncementOutcome> {
  const { store, repositories, pins, clock, log } = parts;
  const view = viewOf(identifier, await store.readIdentifier(identifier));
  const row = view.announcements.find(({ announcement, waiting }) => waiting && announcement.owner === owner)
    ?.waiting;
  if (!row) return "skip";
  const repository = { owner, identifier };
  const facts = {
    inUse: repositories.uses(repository) > 0 || pins.has(announcementPin(owner, identifier)),
    hasRefs: row.phase === "active" && await hasBranchOrTag(parts, row),
  };
  const decision = decideExpiry(row, facts, clock.now());
  switch (decision.action) {
    case "skip":
      return "skip";
    case "release":
      return await releaseOverdue(parts, row);
    case "softExpire":
      if (!await removeRepository(parts, row)) return "skip";
      await commitWithPlaceholders(parts, view, row, {
        putAnnouncements: [{ ...row, phase: "soft", deadlineAt: decision.deadlineAt }],
      });
      logExpiry(log, row.event, row.source, identifier, "soft-expired");
      return "softExpire";
    case "expire":
      if (row.phase === "active" && !await removeRepository(parts, row)) return "skip";
      await expireFully(parts, view, row);
      return "expire";
  }
}

/** The same for a soft-expired announcement that has to go early because too many wait. */
export async function giveUpSoftExpired(
  parts: ReleaseParts,
  { owner, identifier }: WaitingAnnouncement,
): Promise<AnnouncementOutcome> {
  const view = viewOf(identifier, await parts.store.readIdentifier(identifier));
  const row = waitingAnnouncement(view, owner)?.waiting;
  if (row?.phase !== "soft") return "skip";
  await expireFully(parts, view, row);
  return "expire";
}

async function hasBranchOrTag(
  { repositories }: ReleaseParts,
  repository: WaitingAnnouncement,
): Promise<boolean> {
  if (!await repositories.exists(repository)) return false;
  const { refs } = await repositories.readRefs(repository);
  return [...refs.keys()].some((name) => /^refs\/(heads|tags)\//.test(name));
}

/** Git data without an event: either the release was missed, or nothing authorises it any more. */
async function releaseOverdue(parts: ReleaseParts, row: WaitingAnnouncement): Promise<"release" | "skip"> {
  const { served } = await release(parts, {
    identifier: row.identifier,
    receivedBy: row.owner,
    via: "startup",
  });
  if (served.has(row.event.id)) return "release";
  parts.log.warn("overdue repository has refs that no state declares; kept", {
    repo: row.identifier,
    npub: encodeNpub(row.owner),
  });
  return "skip";
}

async function removeRepository(
  { repositories, counters, log }: ReleaseParts,
  row: WaitingAnnouncement,
): Promise<boolean> {
  const result = await repositories.remove(row, { force: false });
  counters.repositoryDeleted("expired", result);
  if (result === "removed" || result === "absent") return true;
  log.warn("overdue repository could not be removed, next sweep tries again", {
    repo: row.identifier,
    npub: encodeNpub(row.owner),
    reason: result,
  });
  return false;
}

/** Placeholders recorded for a repository that is gone lose it, and expire when it was their only one. */
async function commitWithPlaceholders(
  { store, counters }: ReleaseParts,
  view: IdentifierView,
  { owner, identifier }: WaitingAnnouncement,
  changes: Changes,
): Promise<void> {
  const left = view.placeholders.map((placeholder): Placeholder => ({
    ...placeholder,
    repositories: placeholder.repositories.filter((other) =>
      other.owner !== owner || other.identifier !== identifier
    ),
  }));
  const expired = left.filter(({ repositories, scope }) => repositories.length === 0 && !scope);
  await store.commit({
    ...changes,
    putPlaceholders: left.filter((placeholder) => !expired.includes(placeholder)),
    removePlaceholders: expired.map(({ id }) => id),
  });
  for (const _ of expired) counters.expired("placeholder", "direct");
}

async function expireFully(
  parts: ReleaseParts,
  view: IdentifierView,
  row: WaitingAnnouncement,
): Promise<void> {
  const { counters, log } = parts;
  const remaining = { ...view, announcements: view.announcements.filter(({ waiting }) => waiting !== row) };
  const orphans = statesWithoutOwner(remaining);
  await commitWithPlaceholders(parts, view, row, {
    removeAnnouncements: [{ owner: row.owner, identifier: row.identifier }],
    removeStates: orphans,
    putExpired: [expiredId(parts, row.event)],
  });
  for (const _ of orphans) counters.removed("state", "unauthorised");
  counters.expired("announcement", row.source);
  logExpiry(log, row.event, row.source, row.identifier, "expired");
}
