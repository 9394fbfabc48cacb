import type { Filter } from "../nostr/mod.ts";
import type { SqlValue, Statement } from "./statement.ts";
import { among, MAX_PAIRS, parameter, rangeConditions, tagConditions, wayInByTag } from "./filter_sql.ts";
import { textKey } from "./text_key.ts";

/** Ids looked up in one go. */
const IDS_PER_WALK = 500;

/** A place in an index: entries are newest first, those of one second by the start of their ids. */
export interface Place {
  readonly createdAt: number;
  readonly idOrder: number;
}

/**
 * One walk along an index, in which every match of a filter with one value (author, kind, tag) is
 * found. Together the walks of a filter find all its matches; only those of a tag may meet an event
 * twice.
 */
export interface Walk {
  /** The index, as a table `x`. */
  readonly source: string;
  /** Columns of `x` and the values that make the walk. */
  readonly fixed: readonly (readonly [string, SqlValue])[];
  /** The filter without what `fixed` says already. */
  readonly rest: Filter;
}

/** The walks for `filter`, which must not be impossible. */
export function* walksOf(filter: Filter): Generator<Walk> {
  const { ids, authors, kinds, tags, ...range } = filter;
  const tag = wayInByTag(filter);
  if (ids) {
    const distinct = [...new Set(ids)];
    for (let at = 0; at < distinct.length; at += IDS_PER_WALK) {
      const rest = { ...filter, ids: distinct.slice(at, at + IDS_PER_WALK) };
      yield { source: "events x", fixed: [], rest };
    }
  } else if (tag !== undefined) {
    const rest = { ...filter, tags: new Map([...tags].filter(([name]) => name !== tag)) };
    for (const value of new Set(tags.get(tag)!)) {
      yield { source: "tags x", fixed: [["x.name", tag], ["x.value", textKey(value)]], rest };
    }
  } else if (authors && kinds && authors.length * kinds.length <= MAX_PAIRS) {
    for (const author of new Set(authors)) {
      for (const kind of new Set(kinds)) {
        const fixed = [["x.pubkey", author], ["x.kind", BigInt(kind)]] as const;
        yield { source: events("author_kind"), fixed, rest: { ...range, tags } };
      }
    }
  } else if (authors) {
    const rest = { ...range, tags, ...(kinds && { kinds }) };
    for (const author of new Set(authors)) {
      yield { source: events("author"), fixed: [["x.pubkey", author]], rest };
    }
  } else if (kinds) {
    for (const kind of new Set(kinds)) {
      yield { source: events("kind"), fixed: [["x.kind", BigInt(kind)]], rest: { ...range, tags } };
    }
  } else {
    yield { source: events("time"), fixed: [], rest: filter };
  }
}

/** Reads the place of entry number `size` after `after`; no row when the walk ends before. */
export function placeAhead(walk: Walk, after: Place | undefined, size: number): Statement {
  const args: SqlValue[] = [];
  const where = [...fixedConditions(walk, args), ...stretch(walk.rest, after, undefined, args)];
  const sql = `SELECT x.created_at, x.id_order FROM ${walk.source} WHERE ${all(where)}
    ORDER BY x.created_at DESC, x.id_order LIMIT 1 OFFSET ${parameter(args, BigInt(size - 1))}`;
  return { sql, args };
}

/**
 * Reads the matches after `after` up to and with `upTo` (or the walk's end) as one value: 64 digits
 * of id and the decimal `created_at` each, separated by commas.
 */
export function matchesBetween(
  walk: Walk,
  after: Place | undefined,
  upTo: Place | undefined,
  nowSeconds: number,
): Statement {
  const args: SqlValue[] = [];
  const { ids, authors, kinds } = walk.rest;
  const where = [
    ...fixedConditions(walk, args),
    ...(ids ? [among("x.id", ids, args)] : stretch(walk.rest, after, upTo, args)),
    ...rangeConditions(walk.rest, "e", nowSeconds, args),
    ...tagConditions(walk.rest, "e", undefined, args),
  ];
  if (authors) where.push(among("e.pubkey", authors, args));
  if (kinds) where.push(among("e.kind", kinds, args));
  const sql = `SELECT group_concat(e.id || e.created_at) FROM ${walk.source}
    CROSS JOIN events e ON e.seq = x.seq WHERE ${all(where)}`;
  return { sql, args };
}

function events(index: string): string {
  return `events x INDEXED BY events_by_${index}`;
}

function fixedConditions({ fixed }: Walk, args: SqlValue[]): string[] {
  return fixed.map(([column, value]) => `${column} = ${parameter(args, value)}`);
}

/** Conditions for the entries between two places, within the filter's time; one bound at each end for the index. */
function stretch(
  { since, until }: Filter,
  after: Place | undefined,
  upTo: Place | undefined,
  args: SqlValue[],
): string[] {
  const conditions: string[] = [];
  const newest = Math.min(until ?? Infinity, after?.createdAt ?? Infinity);
  const oldest = Math.max(since ?? 0, upTo?.createdAt ?? 0);
  if (newest < Infinity) conditions.push(`x.created_at <= ${parameter(args, BigInt(newest))}`);
  if (oldest > 0) conditions.push(`x.created_at >= ${parameter(args, BigInt(oldest))}`);
  if (after) conditions.push(beyond("<", ">", after, args));
  if (upTo) conditions.push(beyond(">", "<=", upTo, args));
  return conditions;
}

function beyond(time: string, order: string, place: Place, args: SqlValue[]): string {
  const second = parameter(args, BigInt(place.createdAt));
  const start = parameter(args, BigInt(place.idOrder));
  return `(x.created_at ${time} ${second} OR (x.created_at = ${second} AND x.id_order ${order} ${start}))`;
}

function all(conditions: readonly string[]): string {
  return conditions.length > 0 ? conditions.join(" AND ") : "true";
}
