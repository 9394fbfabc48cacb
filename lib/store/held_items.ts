import { type Filter, KIND, matchesFilter, type NostrEvent } from "../nostr/mod.ts";
import type { ReadableDatabase } from "./database.ts";
import type { SqlValue } from "./statement.ts";
import { among, canMatch, parameter } from "./filter_sql.ts";
import { collectItems, sorted } from "./items.ts";
import { textKey } from "./text_key.ts";
import { nextTurn } from "./turn.ts";
import type { Item } from "./types.ts";
import { Damage, eventOfText } from "./waiting_texts.ts";

/** Rows looked at before other tasks get a turn; fewer when their JSON has to be parsed. */
const ROWS_PER_TURN = 2_000;
const TEXTS_PER_TURN = 100;
/** Ids looked up before other tasks get a turn. */
const IDS_PER_TURN = 1_000;
const ID = 64;

/** A table of events that are held but not served, by the columns that a filter can be compared with. */
interface HeldTable {
  readonly name: string;
  readonly id: string;
  /** A column, or the one kind all its rows have. */
  readonly kind: string;
  /** Undefined when only the event's JSON knows. */
  readonly author: string | undefined;
  readonly identifier: string | undefined;
  readonly createdAt: string;
  /** False for tables that keep no events: a filter on other tags than `d` cannot be answered by them. */
  readonly hasText: boolean;
  /** Kinds its rows may have; undefined for any. */
  readonly kinds: readonly number[] | undefined;
  readonly condition: string;
}

const CREATED_AT = "(json ->> 'created_at')";

const WAITING: readonly HeldTable[] = [
  {
    name: "waiting_announcements",
    id: "event_id",
    kind: String(KIND.announcement),
    author: "owner",
    identifier: "identifier",
    createdAt: CREATED_AT,
    hasText: true,
    kinds: [KIND.announcement],
    condition: "true",
  },
  {
    name: "waiting_states",
    id: "id",
    kind: String(KIND.state),
    author: "author",
    identifier: "identifier",
    createdAt: CREATED_AT,
    hasText: true,
    kinds: [KIND.state],
    condition: "true",
  },
  {
    name: "waiting_pull_requests",
    id: "id",
    kind: "(json ->> 'kind')",
    author: "(json ->> 'pubkey')",
    identifier: undefined,
    createdAt: CREATED_AT,
    hasText: true,
    kinds: [KIND.pullRequest, KIND.pullRequestUpdate],
    condition: "true",
  },
];

/** Announcements and states that must not come again: refused ones, and those that expired. */
const REMEMBERED: readonly HeldTable[] = ["refused_events", "expired_ids"].map((name) => ({
  name,
  id: "id",
  kind: "kind",
  author: "author",
  identifier: "identifier",
  createdAt: "created_at",
  hasText: false,
  kinds: [KIND.announcement, KIND.state],
  condition: name === "refused_events" ? "until > ?1 AND type <> 'related'" : "until > ?1",
}));

/** The set to negotiate with; see `SyncStore.heldItems`. */
export async function collectHeld(
  database: ReadableDatabase,
  filter: Filter,
  max: number,
  nowMs: number,
): Promise<readonly Item[] | undefined> {
  if (!canMatch(filter)) return [];
  const served = await collectItems(database, filter, max, Math.floor(nowMs / 1000));
  if (!served) return undefined;
  const others = new Map<string, Item>();
  for (const table of [...WAITING, ...REMEMBERED]) {
    for await (const item of matchesIn(database, table, filter, nowMs)) {
      others.set(item.id, item);
      // Some of them may be served as well; the exact number is known only after merging.
      if (others.size > max) return undefined;
    }
  }
  if (others.size === 0) return served;
  for (const { id } of served) others.delete(id);
  if (served.length + others.size > max) return undefined;
  return await sorted([...served, ...others.values()]);
}

async function* matchesIn(
  database: ReadableDatabase,
  table: HeldTable,
  filter: Filter,
  nowMs: number,
): AsyncGenerator<Item> {
  const { kinds } = table;
  if (kinds && filter.kinds && !filter.kinds.some((kind) => kinds.includes(kind))) return;
  const others = [...filter.tags.keys()].filter((name) => name !== "d" || table.identifier === undefined);
  if (others.length > 0 && !table.hasText) return;
  const parse = others.length > 0;
  const step = (parse ? TEXTS_PER_TURN : ROWS_PER_TURN) * database.bounds.sliceFactor;
  const ends = (await database.read(`SELECT min(rowid), max(rowid) FROM ${table.name}`)).rows[0]!;
  if (ends[0] === null) return;
  const last = Number(ends[1]);
  for (let after = Number(ends[0]) - 1; after < last; after += step) {
    const args: SqlValue[] = [BigInt(Math.floor(nowMs))];
    const where = [
      `rowid > ${parameter(args, BigInt(after))} AND rowid <= ${parameter(args, BigInt(after + step))}`,
      table.condition,
      ...conditions(table, filter, args),
    ].join(" AND ");
    // The present is named even where no condition needs it: a value without a use is an error.
    const columns = parse ? "json" : `group_concat(${table.id} || ${table.createdAt})`;
    const { rows } = await database.read(
      `SELECT ${columns} FROM ${table.name} WHERE ?1 > 0 AND ${where}`,
      args,
    );
    if (parse) {
      for (const row of rows) yield* textMatch(filter, row.json);
    } else if (typeof rows[0]?.[0] === "string") {
      for (const text of rows[0][0].split(",")) {
        yield { id: text.slice(0, ID), createdAt: Number(text.slice(ID)) };
      }
    }
    await nextTurn();
  }
}

function conditions(table: HeldTable, filter: Filter, args: SqlValue[]): string[] {
  const { ids, authors, kinds, since, until, tags } = filter;
  const found: string[] = [];
  if (ids) found.push(among(table.id, ids, args));
  if (authors && table.author) found.push(among(table.author, authors, args));
  if (kinds) found.push(among(table.kind, kinds, args));
  if (since !== undefined) found.push(`${table.createdAt} >= ${parameter(args, BigInt(since))}`);
  if (until !== undefined) found.push(`${table.createdAt} <= ${parameter(args, BigInt(until))}`);
  const identifiers = tags.get("d");
  if (identifiers && table.identifier) {
    found.push(among(table.identifier, identifiers.map(textKey), args));
  }
  return found;
}

function* textMatch(filter: Filter, json: unknown): Generator<Item> {
  let event: NostrEvent;
  try {
    event = eventOfText(json);
  } catch (cause) {
    // Whoever needs the row moves it to quarantine; here it only means that the event may come again.
    if (cause instanceof Damage) return;
    throw cause;
  }
  if (matchesFilter(filter, event)) yield { id: event.id, createdAt: event.created_at };
}

const UNWANTED = `SELECT group_concat(v.value) FROM json_each(?1) v WHERE ${
  [
    "events e WHERE e.id = v.value",
    "waiting_announcements w WHERE w.event_id = v.value",
    "waiting_states w WHERE w.id = v.value",
    "waiting_pull_requests w WHERE w.id = v.value",
    "refused_events r WHERE r.id = v.value AND r.until > ?2",
    "expired_ids x WHERE x.id = v.value AND x.until > ?2",
    "gone_ids g WHERE g.id = v.value AND g.until > ?2",
  ].map((place) => `EXISTS (SELECT 1 FROM ${place})`).join(" OR ")
}`;

/** Those of `ids` that must not be fetched; see `SyncStore.unwanted`. */
export async function unwantedOf(
  database: ReadableDatabase,
  ids: readonly string[],
  nowMs: number,
): Promise<ReadonlySet<string>> {
  const unwanted = new Set<string>();
  for (let at = 0; at < ids.length; at += IDS_PER_TURN) {
    if (at > 0) await nextTurn();
    const args = [JSON.stringify(ids.slice(at, at + IDS_PER_TURN)), BigInt(Math.floor(nowMs))];
    const found = (await database.read(UNWANTED, args)).rows[0]?.[0];
    if (typeof found === "string") { for (const id of found.split(",")) unwanted.add(id); }
  }
  return unwanted;
}
