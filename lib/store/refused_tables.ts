import type { Row } from "@libsql/client";
import type { SqlValue } from "./statement.ts";
import type { Reader } from "./reader.ts";
import type { RefusedCounts, RefusedMatch, RefusedQuery, RefusedType } from "./refused_types.ts";
import { textKey, valueOfTextKey } from "./text_key.ts";
import { Damage, eventOfText, oneOf } from "./waiting_texts.ts";
import type { Writer } from "./writer.ts";

const TYPES = ["announcement", "state", "related"] as const;

/** A whole event past its time reads as an id; the parameter before the last two is the present. */
const COLUMNS = `id, type, kind, author, identifier, reason, created_at, at, attempts, until, hot_until,
  iif(hot_until > ?1, json, NULL) AS json`;
const FRESH = `until > ?1 AND attempts < ?2`;
const WHOLE_FIRST = `ORDER BY (json IS NULL OR hot_until <= ?1), at, id LIMIT ?3`;

/** What {@link RefusedTables} needs. */
export interface RefusedTablesParts {
  readonly reader: Reader;
  readonly writer: Pick<Writer, "run">;
}

/** Reads and sweeps the memory of refused events. The methods are those of the same names of `Store`. */
export class RefusedTables {
  readonly #parts: RefusedTablesParts;

  /** Works on the tables behind `parts`. */
  constructor(parts: RefusedTablesParts) {
    this.#parts = parts;
  }

  /** What is remembered of one refused id, however often it was looked at. */
  async find(id: string): Promise<RefusedMatch | undefined> {
    const sql = `SELECT ${COLUMNS} FROM refused_events WHERE id = ?2 AND until > ?1`;
    return (await this.#parts.reader.rows(sql, [this.#parts.reader.nowMs(), id])).flatMap(matchOf)[0];
  }

  /** See `RefusedStore.hasRefused`. */
  async hasRefused(identifier: string): Promise<boolean> {
    const sql = `SELECT 1 FROM refused_events INDEXED BY refused_by_identifier
      WHERE identifier = ? AND type <> 'related' AND until > ? LIMIT 1`;
    return await this.#any(sql, textKey(identifier));
  }

  /** See `RefusedStore.refused`. */
  async refused(query: RefusedQuery, attempts: number, limit: number): Promise<readonly RefusedMatch[]> {
    const sql = `SELECT ${COLUMNS} FROM refused_events INDEXED BY refused_by_identifier
      WHERE identifier = ?4 AND type <> 'related' AND ${FRESH} AND (
        (type = 'announcement' AND author IN (SELECT value FROM json_each(?5)))
        OR (type = 'state' AND author IN (SELECT value FROM json_each(?6)))) ${WHOLE_FIRST}`;
    const { identifier, announcementsBy, statesBy } = query;
    return await this.#matches(sql, attempts, limit, [
      textKey(identifier),
      JSON.stringify(announcementsBy),
      JSON.stringify(statesBy),
    ]);
  }

  /** See `RefusedStore.refusedByKeys`. */
  async refusedByKeys(
    keys: readonly string[],
    attempts: number,
    limit: number,
  ): Promise<readonly RefusedMatch[]> {
    const sql = `SELECT ${COLUMNS} FROM refused_events WHERE id IN (
        SELECT k.id FROM json_each(?4) v CROSS JOIN refused_keys k ON k.key = v.value)
      AND ${FRESH} ${WHOLE_FIRST}`;
    return await this.#matches(sql, attempts, limit, [JSON.stringify(keys)]);
  }

  /** See `RefusedStore.refusedCounts`. */
  async refusedCounts(): Promise<RefusedCounts> {
    const rows = await this.#parts.reader.rows("SELECT type, whole, count FROM memory_totals");
    const of = (type: RefusedType) => {
      const row = rows.find((row) => row.type === type);
      return { whole: Number(row?.whole ?? 0), ids: Number(row?.count ?? 0) };
    };
    return { announcement: of("announcement"), state: of("state"), related: of("related") };
  }

  /** See `RefusedStore.sweepWhole`. */
  async sweepWhole(now: number): Promise<Readonly<Record<RefusedType, number>>> {
    const due = "WHERE json IS NOT NULL AND hot_until <= ?";
    return await this.#sweep(due, now, `UPDATE refused_events SET json = NULL, hot_until = 0 ${due}`);
  }

  /** See `RefusedStore.sweepRefused`. */
  async sweepRefused(now: number): Promise<Readonly<Record<RefusedType, number>>> {
    const due = "WHERE until <= ?";
    const swept = await this.#sweep(due, now, `DELETE FROM refused_events ${due}`);
    await this.#parts.writer.run([{ sql: `DELETE FROM gone_ids ${due}`, args: [BigInt(Math.floor(now))] }]);
    return swept;
  }

  async #sweep(
    due: string,
    now: number,
    statement: string,
  ): Promise<Readonly<Record<RefusedType, number>>> {
    const { reader, writer } = this.#parts;
    const args = [BigInt(Math.floor(now))];
    const rows = await reader.rows(
      `SELECT type, count(*) AS n FROM refused_events ${due} GROUP BY type`,
      args,
    );
    // Sweeps are frequent and mostly find nothing: no write then.
    if (rows.length > 0) await writer.run([{ sql: statement, args }]);
    const of = (type: RefusedType) => Number(rows.find((row) => row.type === type)?.n ?? 0);
    return { announcement: of("announcement"), state: of("state"), related: of("related") };
  }

  async #any(sql: string, key: string): Promise<boolean> {
    return (await this.#parts.reader.rows(sql, [key, this.#parts.reader.nowMs()])).length > 0;
  }

  async #matches(
    sql: string,
    attempts: number,
    limit: number,
    args: readonly SqlValue[],
  ): Promise<readonly RefusedMatch[]> {
    const all = [this.#parts.reader.nowMs(), BigInt(attempts), BigInt(limit), ...args];
    return (await this.#parts.reader.rows(sql, all)).flatMap(matchOf);
  }
}

/** Nothing for a damaged row, which only means that the event is fetched again once its time is up. */
function matchOf(row: Row): RefusedMatch[] {
  try {
    return [{
      id: String(row.id),
      type: oneOf(row.type, TYPES),
      kind: Number(row.kind),
      author: String(row.author),
      identifier: valueOfTextKey(String(row.identifier)),
      reason: String(row.reason),
      createdAt: Number(row.created_at),
      at: Number(row.at),
      attempts: Number(row.attempts),
      until: Number(row.until),
      whole: row.json === null ? undefined : { event: eventOfText(row.json), until: Number(row.hot_until) },
    }];
  } catch (cause) {
    if (cause instanceof Damage || cause instanceof SyntaxError) return [];
    throw cause;
  }
}
