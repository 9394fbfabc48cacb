import type { Announcement } from "../nostr/mod.ts";

/** Reads the relays of an announcement: normalised, without repetition. */
export type RelayUrlsOf = (announcement: Announcement) => readonly string[];

/** Relays followed per announcement; the rest is ignored. */
const MAX_RELAYS = 20;

/** The relays of an announcement, at most 20. */
export function relaysOf(announcement: Announcement, relayUrlsOf: RelayUrlsOf): readonly string[] {
  return relayUrlsOf(announcement).slice(0, MAX_RELAYS);
}
