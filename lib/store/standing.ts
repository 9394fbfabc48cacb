import { addressIdentifier, type NostrEvent } from "../nostr/mod.ts";
import type { ReadableDatabase } from "./database.ts";
import { charactersOf } from "./list_reads.ts";
import { UNEXPIRED } from "./reader.ts";
import { textKey } from "./text_key.ts";
import type { EventStanding } from "./types.ts";

/** One character per event, whose lowest five bits are the answers. */
const STANDING =
  `WITH e AS MATERIALIZED (SELECT value ->> 0 AS id, value ->> 1 AS pubkey, value ->> 2 AS kind,
    value ->> 3 AS identifier, value ->> 4 AS created_at FROM json_each(?1))
  SELECT group_concat(char(64
    + EXISTS (SELECT 1 FROM events s WHERE s.id = e.id AND ${UNEXPIRED.replace("?", "?2")})
    + 2 * (EXISTS (SELECT 1 FROM tombstoned_ids t WHERE t.id = e.id AND t.pubkey = e.pubkey)
      OR EXISTS (SELECT 1 FROM tombstoned_coordinates t WHERE t.kind = e.kind AND t.pubkey = e.pubkey
        AND t.identifier = e.identifier AND t.until >= e.created_at))
    + 4 * (EXISTS (SELECT 1 FROM waiting_announcements w WHERE w.event_id = e.id)
      OR EXISTS (SELECT 1 FROM waiting_states w WHERE w.id = e.id)
      OR EXISTS (SELECT 1 FROM waiting_pull_requests w WHERE w.id = e.id))
    + 8 * EXISTS (SELECT 1 FROM refused_events r WHERE r.id = e.id AND r.until > ?3)
    + 16 * EXISTS (SELECT 1 FROM expired_ids x WHERE x.id = e.id AND x.until > ?3)), '') FROM e`;

/** Looks events up everywhere at once, as of `nowMs`: every event that arrives is. */
export async function standingsOf(
  database: ReadableDatabase,
  events: readonly NostrEvent[],
  nowMs: number,
): Promise<readonly EventStanding[]> {
  const rows = events.values().map((event) => {
    const identifier = addressIdentifier(event);
    // Other kinds have no coordinate: nothing equals null.
    const key = identifier === undefined ? null : textKey(identifier);
    return [event.id, event.pubkey, event.kind, key, event.created_at];
  });
  const now = [BigInt(Math.floor(nowMs / 1000)), BigInt(Math.floor(nowMs))];
  const characters = await charactersOf(database, STANDING, rows, now);
  return characters.map((character) => {
    const bits = character.charCodeAt(0);
    return {
      served: (bits & 1) > 0,
      tombstoned: (bits & 2) > 0,
      waiting: (bits & 4) > 0,
      refused: (bits & 8) > 0,
      expired: (bits & 16) > 0,
    };
  });
}
