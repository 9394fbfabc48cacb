import type { NostrEvent } from "../nostr/mod.ts";
import type { SqlValue } from "./statement.ts";
import { type Reader, UNEXPIRED } from "./reader.ts";
import { idOrder } from "./text_key.ts";
import { nextTurn } from "./turn.ts";

/** Events read at once. */
const PAGE = 500;

/** Which served events are wanted. */
export interface EventRange {
  /** Earliest `created_at`, in seconds. */
  readonly since?: number;
  /** Latest `created_at`, in seconds. */
  readonly until?: number;
  /** The event to go on behind; it need not be stored. */
  readonly after?: Pick<NostrEvent, "created_at" | "id">;
}

/** The place of an event in the walk through all events. */
interface Place {
  readonly createdAt: bigint;
  readonly idOrder: bigint;
  readonly id: string;
}

/**
 * JSON texts of all served events in `range`, in pages: by ascending `created_at`, events of one second
 * by descending id. The order depends on the events alone, so that a walk can be continued later.
 */
export async function* eventTexts(reader: Reader, range: EventRange): AsyncGenerator<readonly string[]> {
  const sql = `SELECT json, id, created_at, id_order FROM events INDEXED BY events_by_time
    WHERE ${UNEXPIRED} AND created_at >= ?2 AND created_at <= ?3
      AND (created_at > ?2 OR id_order < ?4 OR (id_order = ?4 AND id < ?5))
    ORDER BY created_at, id_order DESC, id DESC LIMIT ${PAGE}`;
  const until = BigInt(range.until ?? Number.MAX_SAFE_INTEGER);
  let place = startOf(range);
  for (;;) {
    const args: SqlValue[] = [reader.now(), place.createdAt, until, place.idOrder, place.id];
    const rows = await reader.rows(sql, args);
    if (rows.length > 0) yield rows.map((row) => String(row.json));
    const last = rows.at(-1);
    if (!last || rows.length < PAGE) return;
    place = {
      createdAt: BigInt(Number(last.created_at)),
      idOrder: BigInt(Number(last.id_order)),
      id: String(last.id),
    };
    await nextTurn();
  }
}

function startOf({ since = 0, after }: EventRange): Place {
  if (after && after.created_at >= since) {
    return { createdAt: BigInt(after.created_at), idOrder: BigInt(idOrder(after.id)), id: after.id };
  }
  return { createdAt: BigInt(since), idOrder: BigInt(Number.MAX_SAFE_INTEGER), id: "" };
}
