import { addressIdentifier, type NostrEvent } from "../nostr/mod.ts";
import { type Reader, UNEXPIRED } from "./reader.ts";
import { textKey } from "./text_key.ts";
import type { EventStanding } from "./types.ts";

const STANDING = `SELECT
  EXISTS (SELECT 1 FROM events WHERE id = ?1 AND ${UNEXPIRED.replace("?", "?2")}),
  EXISTS (SELECT 1 FROM tombstoned_ids WHERE id = ?1 AND pubkey = ?3)
    OR EXISTS (SELECT 1 FROM tombstoned_coordinates
      WHERE kind = ?4 AND pubkey = ?3 AND identifier = ?5 AND until >= ?6),
  EXISTS (SELECT 1 FROM waiting_announcements WHERE event_id = ?1)
    OR EXISTS (SELECT 1 FROM waiting_states WHERE id = ?1)
    OR EXISTS (SELECT 1 FROM waiting_pull_requests WHERE id = ?1),
  EXISTS (SELECT 1 FROM refused_events WHERE id = ?1 AND until > ?7),
  EXISTS (SELECT 1 FROM expired_ids WHERE id = ?1 AND until > ?7)`;

/** Looks an event up everywhere at once: every event that arrives is, so it is one statement. */
export async function standingOf(reader: Reader, event: NostrEvent): Promise<EventStanding> {
  const identifier = addressIdentifier(event);
  const [row] = await reader.rows(STANDING, [
    event.id,
    reader.now(),
    event.pubkey,
    BigInt(event.kind),
    // Other kinds have no coordinate: nothing equals null.
    identifier === undefined ? null : textKey(identifier),
    BigInt(event.created_at),
    reader.nowMs(),
  ]);
  const isTrue = (column: number) => Number(row?.[column]) === 1;
  return {
    served: isTrue(0),
    tombstoned: isTrue(1),
    waiting: isTrue(2),
    refused: isTrue(3),
    expired: isTrue(4),
  };
}
