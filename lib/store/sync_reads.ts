import type { NostrEvent } from "../nostr/mod.ts";
import type { SqlValue } from "./statement.ts";
import { type Reader, UNEXPIRED } from "./reader.ts";
import { nextTurn } from "./turn.ts";
import type { WaitingAnnouncement } from "./types.ts";
import {
  EVENT_COLUMNS,
  readEvents,
  readWaitingAnnouncements,
  WAITING_ANNOUNCEMENT_COLUMNS,
} from "./waiting_rows.ts";

/** Events read, and waiting announcements read, before other tasks get a turn. */
const EVENTS_PER_TURN = 100;
const WAITING_PER_TURN = 500;

/** The place of an event in the walk along one kind: ascending time, then the index backwards. */
interface Place {
  readonly createdAt: SqlValue;
  readonly idOrder: SqlValue;
  readonly seq: SqlValue;
}

/** All served events of these kinds, oldest first; see `SyncStore.eventsOfKinds`. */
export async function* eventsOfKinds(reader: Reader, kinds: readonly number[]): AsyncGenerator<NostrEvent> {
  const walks = [...new Set(kinds)].map((kind) => ofKind(reader, kind));
  const heads = await Promise.all(walks.map((walk) => walk.next()));
  for (;;) {
    let oldest = -1;
    heads.forEach(({ done, value }, index) => {
      if (!done && (oldest < 0 || value.created_at < heads[oldest]!.value!.created_at)) oldest = index;
    });
    if (oldest < 0) return;
    yield heads[oldest]!.value as NostrEvent;
    heads[oldest] = await walks[oldest]!.next();
  }
}

async function* ofKind(reader: Reader, kind: number): AsyncGenerator<NostrEvent, undefined> {
  const sql = `SELECT ${EVENT_COLUMNS}, created_at, id_order FROM events INDEXED BY events_by_kind
    WHERE kind = ? AND ${UNEXPIRED} AND created_at >= ?3 AND (created_at > ?3 OR id_order < ?4 OR (id_order = ?4 AND seq < ?5))
    ORDER BY created_at, id_order DESC, seq DESC LIMIT ${EVENTS_PER_TURN}`;
  let place: Place = { createdAt: 0n, idOrder: BigInt(Number.MAX_SAFE_INTEGER), seq: 0n };
  for (;;) {
    const args = [BigInt(kind), reader.now(), place.createdAt, place.idOrder, place.seq];
    const rows = await reader.rows(sql, args);
    yield* await reader.usable(readEvents(rows));
    const last = rows.at(-1);
    if (!last || rows.length < EVENTS_PER_TURN) return undefined;
    place = {
      createdAt: BigInt(Number(last.created_at)),
      idOrder: BigInt(Number(last.id_order)),
      seq: BigInt(Number(last.row)),
    };
    await nextTurn();
  }
}

/** Every announcement in purgatory; see `SyncStore.waitingAnnouncements`. */
export async function waitingAnnouncements(reader: Reader): Promise<readonly WaitingAnnouncement[]> {
  const sql = `SELECT ${WAITING_ANNOUNCEMENT_COLUMNS} FROM waiting_announcements
    WHERE rowid > ? ORDER BY rowid LIMIT ${WAITING_PER_TURN}`;
  const found: WaitingAnnouncement[] = [];
  let after = 0n;
  for (;;) {
    const rows = await reader.rows(sql, [after]);
    for (const row of await reader.usable(readWaitingAnnouncements(rows))) found.push(row);
    const last = rows.at(-1);
    if (!last || rows.length < WAITING_PER_TURN) return found;
    after = BigInt(Number(last.row));
    await nextTurn();
  }
}
