import type { Filter } from "../nostr/mod.ts";
import type { SqlValue, Statement } from "./statement.ts";
import { textKey } from "./text_key.ts";

/** How many events a filter may return. */
export interface FilterLimits {
  /** For a filter that names no limit. */
  readonly defaultFilterLimit: number;
  /** Most for a filter that names one. */
  readonly maxFilterLimit: number;
}

/** Above this many author and kind pairs, authors alone are looked up and kinds compared. */
export const MAX_PAIRS = 2_000;
/** Roughly how many events share a value of a tag; of tags not named here, few: they name one event. */
const SHARED = new Map([
  ["a", 100],
  ["A", 100],
  ["p", 200],
  ["P", 200],
  ["k", 10_000],
  ["K", 10_000],
  [
    "t",
    10_000,
  ],
  ["l", 10_000],
  ["L", 10_000],
]);
const SHARED_BY_FEW = 10;
/** The same for an author. Less than for a repository: strangers add to those of a repository, not to those of an author. */
const SHARED_BY_AUTHOR = 50;

/** The number of events `filter` may return; one with `ids` is never cut below the ids it names. */
export function effectiveLimit(filter: Filter, limits: FilterLimits): number {
  const asked = filter.ids?.length ?? 0;
  const wanted = filter.limit ?? Math.max(asked, limits.defaultFilterLimit);
  return Math.min(wanted, Math.max(asked, limits.maxFilterLimit));
}

/** False when no event can match: an empty list, or a range that ends before it starts. */
export function canMatch(filter: Filter): boolean {
  const lists = [filter.ids, filter.authors, filter.kinds, ...filter.tags.values()];
  return lists.every((list) => list === undefined || list.length > 0) &&
    (filter.since ?? 0) <= (filter.until ?? Infinity);
}

/** Between JSON texts in one value; JSON text cannot contain it raw. */
export const SEPARATOR = "\x1e";

/**
 * The statement that reads the JSON texts of the rows that `rows` selects, in its order, as one value
 * separated by {@link SEPARATOR}: many times cheaper than fetching row by row. The join keeps the
 * order because a subquery with a LIMIT is always its outer loop. Texts of more bytes than the
 * parameter `largest` are left out, which bounds the value; the second column counts all rows.
 */
export function textsStatement(rows: string, largest: string): string {
  return `SELECT group_concat(e.json, '${SEPARATOR}') FILTER (WHERE octet_length(e.json) <= ${largest}), count(*)
    FROM (${rows}) s CROSS JOIN events e ON e.seq = s.seq`;
}

/** The texts of the newest `limit` matches, as {@link textsStatement} reads them. */
export function textsOf(filter: Filter, limit: number, nowSeconds: number, largest: number): Statement {
  const args: SqlValue[] = [];
  const rows = candidates(filter, limit, nowSeconds, args);
  return { sql: textsStatement(rows, parameter(args, BigInt(largest))), args };
}

/** The row numbers of the newest `limit` matches as one value, separated by commas. */
export function rowsOf(filter: Filter, limit: number, nowSeconds: number): Statement {
  const args: SqlValue[] = [];
  return { sql: `SELECT group_concat(seq) FROM (${candidates(filter, limit, nowSeconds, args)})`, args };
}

/** The number of distinct matches of `filters`, each of which {@link canMatch}. */
export function countOf(filters: readonly Filter[], nowSeconds: number): Statement {
  const args: SqlValue[] = [];
  const branches = filters.map((filter) => candidates(filter, undefined, nowSeconds, args));
  return { sql: `SELECT count(DISTINCT seq) FROM (${branches.join(" UNION ALL ")})`, args };
}

/** One value list a look-up runs over, and the column it is compared with. */
interface Dimension {
  readonly column: string;
  readonly values: readonly (string | number)[];
}

/** Row numbers of the newest `limit` matches, in order; of all matches, some twice, without a limit. */
function candidates(filter: Filter, limit: number | undefined, now: number, args: SqlValue[]): string {
  if (filter.ids) return byId(filter, limit, now, args);
  const tag = wayInByTag(filter);
  return tag === undefined ? byColumns(filter, limit, now, args) : byTag(filter, tag, limit, now, args);
}

function byId(filter: Filter, limit: number | undefined, now: number, args: SqlValue[]): string {
  const source = `json_each(${listParameter(args, filter.ids!)}) v CROSS JOIN events x ON x.id = v.value`;
  const conditions = [
    ...rangeConditions(filter, "x", now, args),
    ...tagConditions(filter, "x", undefined, args),
  ];
  if (filter.authors) conditions.push(among("x.pubkey", filter.authors, args));
  if (filter.kinds) conditions.push(among("x.kind", filter.kinds, args));
  return `SELECT x.seq AS seq FROM ${source} WHERE ${conditions.join(" AND ")}${
    newestFirst("x", limit, args)
  }`;
}

function byColumns(filter: Filter, limit: number | undefined, now: number, args: SqlValue[]): string {
  const { authors, kinds } = filter;
  const both = authors && kinds && authors.length * kinds.length <= MAX_PAIRS;
  const dimensions: Dimension[] = [];
  if (authors) dimensions.push({ column: "x.pubkey", values: authors });
  if (kinds && (both || !authors)) dimensions.push({ column: "x.kind", values: kinds });
  const index = both ? "author_kind" : authors ? "author" : kinds ? "kind" : "time";
  return lookUp(dimensions, `events x INDEXED BY events_by_${index}`, "x", limit, args, () => {
    const conditions = [
      ...rangeConditions(filter, "x", now, args),
      ...tagConditions(filter, "x", undefined, args),
    ];
    if (authors && kinds && !both) conditions.push(among("x.kind", kinds, args));
    return conditions;
  });
}

function byTag(
  filter: Filter,
  tag: string,
  limit: number | undefined,
  now: number,
  args: SqlValue[],
): string {
  const values = filter.tags.get(tag)!.map(textKey);
  const source = filter.authors ? "tags x CROSS JOIN events y ON y.seq = x.seq" : "tags x";
  return lookUp([{ column: "x.value", values }], source, "x", limit, args, () => {
    const conditions = [
      `x.name = ${parameter(args, tag)}`,
      ...rangeConditions(filter, "x", now, args),
      ...tagConditions(filter, "x", tag, args),
    ];
    if (filter.kinds) conditions.push(among("x.kind", filter.kinds, args));
    if (filter.authors) conditions.push(among("y.pubkey", filter.authors, args));
    return conditions;
  });
}

/**
 * A look-up in index order for every combination of the dimensions' values. Once as many rows are kept
 * as the limit allows, SQLite ends the look-up of a combination at the first row that is older than all
 * of them: so what is read follows from what may be returned, not from what an author or tag has in store.
 */
function lookUp(
  dimensions: readonly Dimension[],
  source: string,
  alias: string,
  limit: number | undefined,
  args: SqlValue[],
  moreConditions: () => string[],
): string {
  const lists: string[] = [];
  const matched: string[] = [];
  for (const { column, values } of dimensions) {
    if (values.length === 1) {
      matched.push(`${column} = ${parameter(args, sqlValue(values[0]!))}`);
      continue;
    }
    const list = `v${lists.length}`;
    lists.push(`json_each(${listParameter(args, values)}) ${list}`);
    matched.push(`${column} = ${list}.value`);
  }
  const where = [...matched, ...moreConditions()].join(" AND ");
  const pass = `${[...lists, source].join(" CROSS JOIN ")} WHERE ${where}`;
  // An event has one author and one kind, but may be found under several values of a tag.
  const isRepeated = dimensions.some(({ column, values }) => column === "x.value" && values.length > 1);
  const distinct = isRepeated && limit !== undefined ? "DISTINCT " : "";
  return `SELECT ${distinct}${alias}.seq AS seq FROM ${pass}${newestFirst(alias, limit, args)}`;
}

/** The order in which the events of one second are nearly always those of their ids, and the limit. */
function newestFirst(alias: string, limit: number | undefined, args: SqlValue[]): string {
  if (limit === undefined) return "";
  return ` ORDER BY ${alias}.created_at DESC, ${alias}.id_order LIMIT ${parameter(args, BigInt(limit))}`;
}

/**
 * The tag to look events up by: the one with the fewest values, shared tags last. Undefined when looking
 * them up by author, kind or time is better; author and kind together are better than `d`, which
 * strangers can fill for any value.
 */
export function wayInByTag({ tags, authors, kinds }: Filter): string | undefined {
  const names = [...tags.keys()].filter((name) => !(name === "d" && authors && kinds));
  const cost = (name: string) => (SHARED.get(name) ?? SHARED_BY_FEW) * tags.get(name)!.length;
  const best = names.sort((a, b) => cost(a) - cost(b))[0];
  const isByAuthor = authors && best !== undefined && SHARED_BY_AUTHOR * authors.length < cost(best);
  return isByAuthor ? undefined : best;
}

/** Conditions on time: the filter's own, and NIP-40. */
export function rangeConditions(filter: Filter, alias: string, now: number, args: SqlValue[]): string[] {
  const conditions: string[] = [];
  if (filter.since !== undefined) {
    conditions.push(`${alias}.created_at >= ${parameter(args, BigInt(filter.since))}`);
  }
  if (filter.until !== undefined) {
    conditions.push(`${alias}.created_at <= ${parameter(args, BigInt(filter.until))}`);
  }
  conditions.push(`(${alias}.expires_at IS NULL OR ${alias}.expires_at > ${parameter(args, BigInt(now))})`);
  return conditions;
}

/** Conditions on tags, except the tag named `except`. */
export function tagConditions(
  filter: Filter,
  alias: string,
  except: string | undefined,
  args: SqlValue[],
): string[] {
  // The + makes a long list a membership test on the event's few tags instead of a look-up of each value.
  return [...filter.tags].filter(([name]) => name !== except).map(([name, values]) =>
    `EXISTS (SELECT 1 FROM tags o INDEXED BY tags_by_event WHERE o.seq = ${alias}.seq
      AND o.name = ${parameter(args, name)} AND ${among("+o.value", values.map(textKey), args)})`
  );
}

/** The condition that `column` has one of `values`. */
export function among(column: string, values: readonly (string | number)[], args: SqlValue[]): string {
  return values.length === 1
    ? `${column} = ${parameter(args, sqlValue(values[0]!))}`
    : `${column} IN (SELECT value FROM json_each(${listParameter(args, values)}))`;
}

function sqlValue(value: string | number): SqlValue {
  return typeof value === "number" ? BigInt(value) : value;
}

function listParameter(args: SqlValue[], values: readonly (string | number)[]): string {
  return parameter(args, JSON.stringify(values));
}

/** The name of a new parameter with this value. */
export function parameter(args: SqlValue[], value: SqlValue): string {
  args.push(value);
  return `?${args.length}`;
}
