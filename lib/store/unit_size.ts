import { kindClass, type NostrEvent } from "../nostr/mod.ts";
import type { Changes, RepositoryKey } from "./types.ts";

/** Most targets of a waiting pull request. */
const MAX_TARGETS = 20;
/** Most repositories of a placeholder. */
const MAX_PLACES = 1_000;
/** Rough size of a row beside its texts, in UTF-16 units. */
const ROW = 300;

/**
 * Rough size of a unit in the transaction, in UTF-16 units. Throws when the unit must not be
 * stored: an ephemeral event, or a waiting entry that names too many repositories.
 */
export function unitSize(changes: Changes): number {
  let size = ((changes.removeEvents?.length ?? 0) + (changes.putTombstones?.length ?? 0)) * ROW;
  for (const { event } of changes.insertEvents ?? []) {
    if (kindClass(event.kind) === "ephemeral") {
      throw new Error(`kind ${event.kind} is ephemeral and never stored`);
    }
    size += eventSize(event);
  }
  for (const { event } of changes.putAnnouncements ?? []) size += eventSize(event);
  for (const { event } of changes.putStates ?? []) size += eventSize(event);
  for (const { event, targets } of changes.putPullRequests ?? []) {
    size += eventSize(event) + placesSize(targets, MAX_TARGETS);
  }
  for (const { repositories } of changes.putPlaceholders ?? []) {
    size += ROW + placesSize(repositories, MAX_PLACES);
  }
  for (const { events } of changes.putRetired ?? []) {
    size += ROW;
    for (const event of events) size += eventSize(event);
  }
  for (const { whole, keys } of changes.putRefused ?? []) {
    size += ROW + keys.length * ROW + (whole ? eventSize(whole.event) : 0);
  }
  return size + (changes.putGone?.length ?? 0) * ROW;
}

function placesSize(places: readonly RepositoryKey[], most: number): number {
  if (places.length > most) throw new Error(`a waiting entry names more than ${most} repositories`);
  return places.length * ROW;
}

function eventSize(event: NostrEvent): number {
  let size = event.content.length + ROW;
  for (const tag of event.tags) for (const item of tag) size += item.length + 4;
  return size;
}
