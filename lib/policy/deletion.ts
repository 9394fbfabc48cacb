import { type Coordinate, isHex64, KIND, type NostrEvent, parseCoordinate, tagsNamed } from "../nostr/mod.ts";
import type { Tombstone } from "../store/types.ts";
import type { Effect } from "./effects.ts";
import { orphanedStates, statesWithoutOwner } from "./orphans.ts";
import type { IdentifierView, KnownAnnouncement } from "./view.ts";

/** Most targets of one deletion request that are looked at. */
const MAX_TARGETS = 1_000;

/** A deletion request (NIP-09), reduced to the targets its author has authority over. */
export interface DeletionRequest {
  readonly event: NostrEvent;
  readonly ids: ReadonlySet<string>;
  /** Coordinates of the author's own events. */
  readonly coordinates: readonly Coordinate[];
}

/** Reads a kind 5 event; targets of other authors are skipped silently. */
export function parseDeletion(event: NostrEvent): DeletionRequest {
  const ids = tagsNamed(event, "e").map(([, id]) => id).filter(isHex64).slice(0, MAX_TARGETS);
  const coordinates = tagsNamed(event, "a").slice(0, MAX_TARGETS)
    .map(([, value]) => value === undefined ? undefined : parseCoordinate(value))
    .filter((coordinate) => coordinate !== undefined && coordinate.pubkey === event.pubkey) as Coordinate[];
  return { event, ids: new Set(ids), coordinates };
}

/** What the request forbids to come back. */
export function tombstonesOf({ event, ids, coordinates }: DeletionRequest): Tombstone[] {
  return [
    ...[...ids].map((id): Tombstone => ({ type: "id", id, pubkey: event.pubkey })),
    ...coordinates.map((coordinate): Tombstone => ({
      type: "coordinate",
      ...coordinate,
      until: event.created_at,
    })),
  ];
}

/** True when the request names `target`: by id, or by a coordinate and not older than the target. */
export function names(request: DeletionRequest, target: NostrEvent, identifier: string): boolean {
  if (target.pubkey !== request.event.pubkey || target.kind === KIND.deletion) return false;
  return request.ids.has(target.id) ||
    request.coordinates.some((coordinate) =>
      coordinate.kind === target.kind && coordinate.identifier === identifier &&
      target.created_at <= request.event.created_at
    );
}

/**
 * What a deletion request does to the announcements, states and pull requests of one identifier.
 * The request itself is stored by the caller, whatever this returns.
 */
export function decideDeletion(view: IdentifierView, request: DeletionRequest): Effect[] {
  const isNamed = (event: NostrEvent) => names(request, event, view.identifier);
  const gone = view.announcements.filter(({ announcement }) => isNamed(announcement.event));
  const states = view.waitingStates.filter(({ row }) => isNamed(row.event));
  const remaining: IdentifierView = {
    ...view,
    announcements: view.announcements.filter((known) => !gone.includes(known)),
    waitingStates: view.waitingStates.filter((known) => !states.includes(known)),
  };
  const dropped = [...states.map(({ row }) => row.event.id), ...statesWithoutOwner(remaining)];
  return [
    ...gone.flatMap((known) => removeAnnouncement(known, remaining)),
    ...view.storedStates.filter(({ event }) => isNamed(event)).map(({ event }): Effect => ({
      type: "removeServed",
      id: event.id,
    })),
    ...dropped.map((id): Effect => ({ type: "dropState", id, reason: "deleted" })),
    ...view.waitingPullRequests.filter(({ row }) => isNamed(row.event)).map(({ row }): Effect => ({
      type: "dropPullRequest",
      id: row.event.id,
      reason: "deleted",
    })),
  ];
}

function removeAnnouncement(known: KnownAnnouncement, remaining: IdentifierView): Effect[] {
  const { announcement: { owner, event }, waiting } = known;
  if (waiting) {
    return [{ type: "removeRepository", owner, force: true }, {
      type: "dropAnnouncement",
      owner,
      reason: "deleted",
    }];
  }
  return [{ type: "retire", owner, reason: "deleted", events: [event, ...orphanedStates(remaining)] }];
}
