import { serialiseEvent } from "../nostr/mod.ts";
import type { Statement } from "./statement.ts";
import { listStatements } from "./list_statements.ts";
import {
  MAX_GONE,
  MAX_REFUSED,
  MAX_RELATED,
  MAX_WHOLE,
  MAX_WHOLE_BYTES,
  MAX_WHOLE_RELATED,
  type RefusedEvent,
} from "./refused_types.ts";
import { textKey } from "./text_key.ts";
import type { Changes } from "./types.ts";

/** A full memory of whole events is cut to this part of its bounds, so that not every put cuts. */
const CUT_TO = 15 / 16;

const COLUMNS = [
  "id",
  "type",
  "kind",
  "author",
  "identifier",
  "reason",
  "created_at",
  "at",
  "attempts",
  "until",
  "hot_until",
  "json",
];

const DELETE = "DELETE FROM refused_events WHERE id IN (SELECT value FROM json_each(?))";

const UPSERT = `INSERT INTO refused_events (${COLUMNS.join(", ")})
  SELECT ${COLUMNS.map((_, index) => `value ->> ${index}`).join(", ")} FROM json_each(?) WHERE true
  ON CONFLICT (id) DO UPDATE SET ${
  COLUMNS.slice(1).map((column) => `${column} = excluded.${column}`).join(", ")
}`;

const DELETE_KEYS = "DELETE FROM refused_keys WHERE id IN (SELECT value FROM json_each(?))";

const INSERT_KEYS = `INSERT OR IGNORE INTO refused_keys (key, id)
  SELECT value ->> 0, value ->> 1 FROM json_each(?)`;

const UPSERT_GONE =
  `INSERT INTO gone_ids (id, until) SELECT value ->> 0, value ->> 1 FROM json_each(?) WHERE true
  ON CONFLICT (id) DO UPDATE SET until = max(until, excluded.until)`;

const TRIM_GONE = `DELETE FROM gone_ids WHERE rowid IN (SELECT rowid FROM gone_ids ORDER BY rowid
  LIMIT max(0, (SELECT count FROM memory_totals WHERE type = 'gone') - ?))`;

/** The statements for the memory of refused events; the last unit that names an id has the last word. */
export function refusedStatements(units: readonly Changes[]): Statement[] {
  const last = new Map<string, RefusedEvent | undefined>();
  const gone = new Map<string, number>();
  for (const unit of units) {
    for (const id of unit.removeRefused ?? []) last.set(id, undefined);
    for (const refused of unit.putRefused ?? []) last.set(refused.id, refused);
    for (const { id, until } of unit.putGone ?? []) gone.set(id, Math.max(until, gone.get(id) ?? 0));
  }
  const removed = [...last].filter(([, refused]) => !refused).map(([id]) => id);
  const statements = listStatements(DELETE, removed);
  const put = [...last.values()].filter((refused) => refused !== undefined);
  if (put.length > 0) statements.push(...putStatements(put));
  if (gone.size > 0) {
    statements.push(...listStatements(UPSERT_GONE, [...gone]));
    statements.push({ sql: TRIM_GONE, args: [BigInt(MAX_GONE)] });
  }
  return statements;
}

function putStatements(put: readonly RefusedEvent[]): Statement[] {
  const keys = put.flatMap(({ id, keys }) => keys.map((key) => [key, id]));
  const statements: Statement[] = [
    ...listStatements(UPSERT, put.map(cellsOf)),
    ...listStatements(DELETE_KEYS, put.map(({ id }) => id)),
    ...listStatements(INSERT_KEYS, keys),
  ];
  const related = put.some(({ type }) => type === "related");
  const others = put.some(({ type }) => type !== "related");
  return [
    ...statements,
    ...(related ? trims("=", MAX_RELATED, MAX_WHOLE_RELATED) : []),
    ...(others ? trims("<>", MAX_REFUSED, MAX_WHOLE) : []),
  ];
}

function cellsOf(refused: RefusedEvent): unknown[] {
  const { id, type, kind, author, identifier, reason, createdAt, at, attempts, until, whole } = refused;
  return [
    id,
    type,
    kind,
    author,
    textKey(identifier),
    reason,
    createdAt,
    at,
    attempts,
    until,
    whole?.until ?? 0,
    whole ? serialiseEvent(whole.event) : null,
  ];
}

/** Brings the types that are `=` or `<>` `related` back within their bounds. */
function trims(comparison: "=" | "<>", ids: number, whole: number): Statement[] {
  const types = `type ${comparison} 'related'`;
  const total = (column: string) =>
    `(SELECT sum(${column}) FROM memory_totals WHERE ${types} AND type <> 'gone')`;
  return [
    {
      sql: `DELETE FROM refused_events WHERE rowid IN (SELECT rowid FROM refused_events WHERE ${types}
        ORDER BY at LIMIT max(0, ${total("count")} - ?))`,
      args: [BigInt(ids)],
    },
    {
      sql: `UPDATE refused_events SET json = NULL, hot_until = 0 WHERE rowid IN (
        SELECT row FROM (
          SELECT rowid AS row, row_number() OVER newest AS number, sum(octet_length(json)) OVER newest AS bytes
          FROM refused_events WHERE (${total("whole")} > ?1 OR ${total("bytes")} > ?2)
            AND json IS NOT NULL AND ${types}
          WINDOW newest AS (ORDER BY at DESC, rowid DESC ROWS UNBOUNDED PRECEDING)
        ) WHERE number > ?3 OR bytes > ?4)`,
      args: [whole, MAX_WHOLE_BYTES, Math.floor(whole * CUT_TO), Math.floor(MAX_WHOLE_BYTES * CUT_TO)]
        .map(BigInt),
    },
  ];
}
