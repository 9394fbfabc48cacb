import { setImmediate } from "node:timers";
import type { Filter } from "../nostr/mod.ts";
import type { Database } from "./database.ts";
import {
  canMatch,
  countOf,
  effectiveLimit,
  type FilterLimits,
  rowsOf,
  SEPARATOR,
  textsOf,
  textsStatement,
} from "./filter_sql.ts";

/** Filters answered before other tasks get a turn: the database never yields by itself. */
const FILTERS_PER_TURN = 8;
/** Most filters whose matches are counted together (SQLite's limit on compound statements is 500). */
const MAX_COUNTED_FILTERS = 400;

/** Stored JSON texts of the events matching any filter; see `Store.query`. */
export async function queryTexts(
  database: Database,
  filters: readonly Filter[],
  limits: FilterLimits,
  nowSeconds: number,
): Promise<readonly string[]> {
  const wanted = filters.map((filter) => ({ filter, limit: effectiveLimit(filter, limits) }))
    .filter(({ filter, limit }) => limit > 0 && canMatch(filter));
  const only = wanted[0];
  if (!only) return [];
  if (wanted.length === 1) {
    const { sql, args } = textsOf(only.filter, only.limit, nowSeconds);
    return split((await database.read(sql, args)).rows[0]?.[0], SEPARATOR);
  }
  const rows = new Set<string>();
  for (const [index, { filter, limit }] of wanted.entries()) {
    if (index > 0 && index % FILTERS_PER_TURN === 0) {
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    const { sql, args } = rowsOf(filter, limit, nowSeconds);
    for (const row of split((await database.read(sql, args)).rows[0]?.[0], ",")) rows.add(row);
  }
  return split((await database.read(TEXTS_OF_ROWS, [`[${[...rows].join(",")}]`])).rows[0]?.[0], SEPARATOR);
}

const TEXTS_OF_ROWS = textsStatement(
  `SELECT seq FROM events NOT INDEXED WHERE seq IN (SELECT value FROM json_each(?))
    ORDER BY created_at DESC, id LIMIT -1`,
);

/** Number of distinct events matching any filter; throws RangeError above 400 filters. */
export async function countEvents(
  database: Database,
  filters: readonly Filter[],
  nowSeconds: number,
): Promise<number> {
  const wanted = filters.filter(canMatch);
  if (wanted.length > MAX_COUNTED_FILTERS) throw new RangeError("too many filters to count");
  if (wanted.length === 0) return 0;
  const { sql, args } = countOf(wanted, nowSeconds);
  return Number((await database.read(sql, args)).rows[0]?.[0]);
}

function split(value: unknown, separator: string): string[] {
  return typeof value === "string" && value !== "" ? value.split(separator) : [];
}
