import { compareNewestFirst, type Filter } from "../nostr/mod.ts";
import type { ReadableDatabase } from "./database.ts";
import type { Statement } from "./statement.ts";
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
import { ID_ORDER_DIGITS } from "./text_key.ts";
import { nextTurn } from "./turn.ts";

/** Most filters whose matches are counted together (SQLite's limit on compound statements is 500). */
const MAX_COUNTED_FILTERS = 400;
/** Most events of several filters that are read as one piece. */
const MAX_WHOLE_ROWS = 2_500;
/** Most bytes of JSON in one page, and in one read of a page that comes in pieces. */
const MAX_PAGE_BYTES = 64 * 1024 * 1024;
const MAX_PIECE_BYTES = 3 * 1024 * 1024;

interface Wanted {
  readonly filter: Filter;
  readonly limit: number;
}

/** Stored JSON texts of the events matching any filter; see `Store.query`. */
export async function queryTexts(
  database: ReadableDatabase,
  filters: readonly Filter[],
  limits: FilterLimits,
  nowSeconds: number,
): Promise<readonly string[]> {
  return inOrder(await textsOfAny(database, filters, limits, nowSeconds));
}

async function textsOfAny(
  database: ReadableDatabase,
  filters: readonly Filter[],
  limits: FilterLimits,
  nowSeconds: number,
): Promise<readonly string[]> {
  const wanted = filters.map((filter) => ({ filter, limit: effectiveLimit(filter, limits) }))
    .filter(({ filter, limit }) => limit > 0 && canMatch(filter));
  const only = wanted[0];
  if (!only) return [];
  /** Bytes each of `count` events may have so that all of them fit one value. */
  const share = (count: number) => Math.floor(database.bounds.valueBytes / Math.max(1, count));
  if (wanted.length === 1) {
    const statement = textsOf(only.filter, only.limit, nowSeconds, share(only.limit));
    const page = await wholePage(database, statement);
    if (page) return page;
  }
  const rows = await rowsOfAny(database, wanted, nowSeconds);
  const list = `[${rows.join(",")}]`;
  const statement = { sql: TEXTS_OF_ROWS, args: [list, BigInt(share(rows.length))] };
  const page = rows.length <= MAX_WHOLE_ROWS ? await wholePage(database, statement) : undefined;
  return page ?? await pageInPieces(database, list);
}

/** The page that `statement` (of {@link textsStatement}) reads; undefined when it left out large events. */
async function wholePage(
  database: ReadableDatabase,
  { sql, args }: Statement,
): Promise<string[] | undefined> {
  const row = (await database.read(sql, args)).rows[0];
  const texts = split(row?.[0], SEPARATOR);
  return texts.length === Number(row?.[1] ?? 0) ? texts : undefined;
}

/** Sorts texts where `id_order`, by which they were read, cannot tell two of them apart. */
function inOrder(texts: readonly string[]): readonly string[] {
  if (!texts.some((text, index) => index > 0 && haveSameIdOrder(texts[index - 1]!, text))) return texts;
  return texts.map((text) => ({ text, ...placeOf(text) })).sort(compareNewestFirst).map(({ text }) => text);
}

/** Stored texts begin with `{"id":"<64 digits>","pubkey":"<64 digits>","created_at":<seconds>`. */
const ID_AT = 7;

function haveSameIdOrder(a: string, b: string): boolean {
  let at = ID_AT;
  while (at < ID_AT + ID_ORDER_DIGITS && a.charCodeAt(at) === b.charCodeAt(at)) at++;
  return at === ID_AT + ID_ORDER_DIGITS;
}

function placeOf(text: string): { id: string; created_at: number } {
  const createdAt = /"created_at":(\d+)/.exec(text)?.[1];
  return { id: text.slice(ID_AT, ID_AT + 64), created_at: Number(createdAt) };
}

async function rowsOfAny(
  database: ReadableDatabase,
  wanted: readonly Wanted[],
  nowSeconds: number,
): Promise<readonly string[]> {
  const rows = new Set<string>();
  const { readsAtOnce } = database.bounds;
  for (let at = 0; at < wanted.length; at += readsAtOnce) {
    const some = wanted.slice(at, at + readsAtOnce);
    const results = await database.readAll(
      some.map(({ filter, limit }) => rowsOf(filter, limit, nowSeconds)),
    );
    for (const { rows: [found] } of results) for (const row of split(found?.[0], ",")) rows.add(row);
  }
  return [...rows];
}

/** As many texts of these rows as a page holds, newest first, and at least one. */
async function pageInPieces(database: ReadableDatabase, list: string): Promise<string[]> {
  const texts: string[] = [];
  let pageBytes = 0;
  let pieceBytes = 0;
  let piece: string[] = [];
  const readPiece = async () => {
    const args = [`[${piece.join(",")}]`, BigInt(Number.MAX_SAFE_INTEGER)];
    for (const text of split((await database.read(TEXTS_OF_ROWS, args)).rows[0]?.[0], SEPARATOR)) {
      texts.push(text);
    }
    piece = [];
    pieceBytes = 0;
    await nextTurn();
  };
  for (const entry of split((await database.read(SIZES_OF_ROWS, [list])).rows[0]?.[0], ",")) {
    const [row, bytes] = entry.split(":") as [string, string];
    pageBytes += Number(bytes);
    if (pageBytes > MAX_PAGE_BYTES && pageBytes !== Number(bytes)) break;
    if (piece.length > 0 && pieceBytes + Number(bytes) > MAX_PIECE_BYTES) await readPiece();
    piece.push(row);
    pieceBytes += Number(bytes);
  }
  if (piece.length > 0) await readPiece();
  return texts;
}

// NOT INDEXED leaves only the look-up by row number, or a planner may walk all events by time.
const TEXTS_OF_ROWS = textsStatement(
  `SELECT seq FROM events NOT INDEXED WHERE seq IN (SELECT value FROM json_each(?1))
    ORDER BY created_at DESC, id_order LIMIT -1`,
  "?2",
);

const SIZES_OF_ROWS = `SELECT group_concat(seq || ':' || size) FROM (
  SELECT seq, octet_length(json) AS size FROM events NOT INDEXED
  WHERE seq IN (SELECT value FROM json_each(?)) ORDER BY created_at DESC, id_order LIMIT -1)`;

/** Number of distinct events matching any filter; throws RangeError above 400 filters. */
export async function countEvents(
  database: ReadableDatabase,
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
