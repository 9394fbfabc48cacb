import {
  addressIdentifier,
  compareNewestFirst,
  expirationOf,
  KIND,
  type NostrEvent,
  serialiseEvent,
} from "../nostr/mod.ts";
import type { Database } from "./database.ts";
import type { Statement } from "./statement.ts";
import { listStatements } from "./list_statements.ts";
import { refusedStatements } from "./refused_plan.ts";
import { idOrder, textKey } from "./text_key.ts";
import type { Changes, EventInsert, InsertVerdict, Tombstone } from "./types.ts";
import { waitingStatements } from "./waiting_plan.ts";

/** Longest tag value that filters can find, in UTF-16 units: what a parsed filter may ask for. */
const MAX_INDEXED_VALUE = 4_096;

/** What a group of units comes to: the answers, and the statements of its transaction. */
export interface GroupPlan {
  /** One list per unit, in order. */
  readonly verdicts: readonly (readonly InsertVerdict[])[];
  /** Empty when the group changes nothing. */
  readonly statements: readonly Statement[];
}

/** A version of a coordinate; `seq` is undefined when this very group inserts it. */
interface Version {
  readonly id: string;
  readonly created_at: number;
  readonly seq: bigint | undefined;
}

/** A stored event that is to be removed; `key` is its {@link coordinateKey}. */
interface Removable {
  readonly seq: bigint;
  readonly key: string | undefined;
}

/** What the database holds of the ids and coordinates a group is about. */
interface Known {
  /** Of the ids to insert or remove, those that are served. */
  readonly ids: Set<string>;
  /** Of the ids to remove, those in the database. */
  readonly removable: ReadonlyMap<string, Removable>;
  readonly versions: Map<string, Version>;
  /** Of the ids to insert, those that a tombstone covers. */
  readonly forbidden: ReadonlySet<string>;
  readonly lastSeq: number;
}

/**
 * Reads what is stored of everything `units` remove and insert, and decides unit by unit, each seeing the ones
 * before it. Nothing is written. Only the single writer may plan, and must apply before it plans again.
 */
export async function planGroup(
  database: Database,
  units: readonly Changes[],
  arrivedAt: number,
): Promise<GroupPlan> {
  const inserts = units.flatMap((unit) => unit.insertEvents ?? []);
  const removals = units.flatMap((unit) => unit.removeEvents ?? []);
  const resolver = new Resolver(await readKnown(database, inserts, removals));
  const verdicts = units.map((unit) => {
    for (const id of unit.removeEvents ?? []) resolver.remove(id);
    for (const stone of unit.putTombstones ?? []) resolver.forbid(stone);
    return (unit.insertEvents ?? []).map((insert) => resolver.decide(insert));
  });
  return {
    verdicts,
    statements: [
      ...resolver.statements(arrivedAt),
      ...waitingStatements(units),
      ...refusedStatements(units),
    ],
  };
}

/** Decides removals and inserts one after the other against what is known. */
class Resolver {
  readonly #known: Known;
  /** Inserts that stand, by id, in arrival order. */
  readonly #standing = new Map<string, EventInsert>();
  /** Stored rows that are to go. */
  readonly #gone: bigint[] = [];
  /** What units of this group forbid: `id:pubkey`, and coordinates up to a time. */
  readonly #forbiddenIds = new Set<string>();
  readonly #forbiddenUntil = new Map<string, number>();

  constructor(known: Known) {
    this.#known = known;
  }

  remove(id: string): void {
    const { ids, removable, versions } = this.#known;
    if (!ids.delete(id)) return;
    const standing = this.#standing.get(id);
    const stored = removable.get(id);
    const key = standing ? coordinateKey(standing.event) : stored?.key;
    if (standing) this.#standing.delete(id);
    else if (stored) this.#gone.push(stored.seq);
    if (key !== undefined && versions.get(key)?.id === id) versions.delete(key);
  }

  forbid(stone: Tombstone): void {
    if (stone.type === "id") {
      this.#forbiddenIds.add(`${stone.id}:${stone.pubkey}`);
    } else {
      const key = keyOfColumns(stone.kind, stone.pubkey, textKey(stone.identifier));
      this.#forbiddenUntil.set(key, Math.max(stone.until, this.#forbiddenUntil.get(key) ?? 0));
    }
  }

  /** A deletion request cannot be deleted (NIP-09). */
  #isForbidden(event: NostrEvent, key: string | undefined): boolean {
    if (event.kind === KIND.deletion) return false;
    return this.#known.forbidden.has(event.id) || this.#forbiddenIds.has(`${event.id}:${event.pubkey}`) ||
      (key !== undefined && event.created_at <= (this.#forbiddenUntil.get(key) ?? -1));
  }

  decide(insert: EventInsert): InsertVerdict {
    const { event } = insert;
    const { ids, versions } = this.#known;
    if (ids.has(event.id)) return "duplicate";
    const key = coordinateKey(event);
    if (this.#isForbidden(event, key)) return "forbidden";
    const current = key === undefined ? undefined : versions.get(key);
    if (current) {
      if (compareNewestFirst(event, current) > 0) return "superseded";
      ids.delete(current.id);
      this.#standing.delete(current.id);
      if (current.seq !== undefined) this.#gone.push(current.seq);
    }
    if (key !== undefined) versions.set(key, { id: event.id, created_at: event.created_at, seq: undefined });
    ids.add(event.id);
    this.#standing.set(event.id, insert);
    return "stored";
  }

  statements(arrivedAt: number): Statement[] {
    const statements = listStatements(DELETE_EVENTS, this.#gone.map(Number));
    if (this.#standing.size === 0) return statements;
    const rows: unknown[] = [];
    const tags: unknown[] = [];
    let seq = this.#known.lastSeq;
    for (const insert of this.#standing.values()) {
      rows.push(eventRow(++seq, insert, arrivedAt));
      tags.push(...tagRows(seq, insert.event));
    }
    return [...statements, ...listStatements(INSERT_EVENTS, rows), ...listStatements(INSERT_TAGS, tags)];
  }
}

const DELETE_EVENTS = "DELETE FROM events WHERE seq IN (SELECT value FROM json_each(?))";

const INSERT_EVENTS = `INSERT INTO events
  (seq, id, pubkey, kind, created_at, id_order, expires_at, hosted, arrived_at, d, json)
  SELECT ${columns(11)} FROM json_each(?)`;

const INSERT_TAGS = `INSERT INTO tags (seq, name, value, created_at, id_order, kind, expires_at)
  SELECT ${columns(7)} FROM json_each(?)`;

function columns(count: number): string {
  return Array.from({ length: count }, (_, index) => `value ->> ${index}`).join(", ");
}

function eventRow(seq: number, { event, hosted }: EventInsert, arrivedAt: number): unknown[] {
  const identifier = addressIdentifier(event);
  return [
    seq,
    event.id,
    event.pubkey,
    event.kind,
    event.created_at,
    idOrder(event.id),
    expirationOf(event) ?? null,
    hosted === true ? 1 : 0,
    arrivedAt,
    identifier === undefined ? null : textKey(identifier),
    serialiseEvent(event),
  ];
}

/** One row per distinct first value of a single-letter tag (NIP-01). */
function tagRows(seq: number, event: NostrEvent): unknown[] {
  const seen = new Set<string>();
  const rows: unknown[] = [];
  const expiresAt = expirationOf(event) ?? null;
  for (const [name, value] of event.tags) {
    if (name === undefined || value === undefined || !/^[a-zA-Z]$/.test(name)) continue;
    if (value.length > MAX_INDEXED_VALUE || seen.has(name + value)) continue;
    seen.add(name + value);
    rows.push([seq, name, textKey(value), event.created_at, idOrder(event.id), event.kind, expiresAt]);
  }
  return rows;
}

const READ_KNOWN = `SELECT
  (SELECT group_concat(id) FROM events WHERE id IN (SELECT value FROM json_each(?1))),
  (SELECT json_group_array(json_array(id, seq, kind, pubkey, d)) FROM events
     WHERE id IN (SELECT value FROM json_each(?2))),
  (SELECT json_group_array(json_array(c.value ->> 3, e.seq, e.id, e.created_at))
     FROM json_each(?3) c CROSS JOIN events e INDEXED BY events_by_coordinate
     ON e.kind = c.value ->> 0 AND e.pubkey = c.value ->> 1 AND e.d = c.value ->> 2),
  (SELECT seq FROM sqlite_sequence WHERE name = 'events'),
  (SELECT group_concat(c.value ->> 0) FROM json_each(?4) c
     WHERE EXISTS (SELECT 1 FROM tombstoned_ids t WHERE t.id = c.value ->> 0 AND t.pubkey = c.value ->> 1)
     OR EXISTS (SELECT 1 FROM tombstoned_coordinates t WHERE t.kind = c.value ->> 2
       AND t.pubkey = c.value ->> 1 AND t.identifier = c.value ->> 3 AND t.until >= c.value ->> 4))`;

async function readKnown(
  database: Database,
  inserts: readonly EventInsert[],
  removals: readonly string[],
): Promise<Known> {
  if (inserts.length + removals.length === 0) {
    return { ids: new Set(), removable: new Map(), versions: new Map(), forbidden: new Set(), lastSeq: 0 };
  }
  const coordinates = new Map<string, unknown[]>();
  const keys: string[] = [];
  for (const { event } of inserts) {
    const key = coordinateKey(event);
    if (key === undefined || coordinates.has(key)) continue;
    coordinates.set(key, [event.kind, event.pubkey, textKey(addressIdentifier(event)!), keys.length]);
    keys.push(key);
  }
  const described = inserts.map(({ event }) => {
    const identifier = addressIdentifier(event);
    const d = identifier === undefined ? null : textKey(identifier);
    return [event.id, event.pubkey, event.kind, d, event.created_at];
  });
  const lists = [inserts.map(({ event }) => event.id), removals, [...coordinates.values()], described];
  const row = (await database.read(READ_KNOWN, lists.map((list) => JSON.stringify(list)))).rows[0]!;
  const stored = JSON.parse(String(row[1])) as [string, number, number, string, string | null][];
  const found = JSON.parse(String(row[2])) as [number, number, string, number][];
  return {
    ids: new Set([...String(row[0] ?? "").split(","), ...stored.map(([id]) => id)]),
    removable: new Map(stored.map(([id, seq, kind, pubkey, d]) => [
      id,
      { seq: BigInt(seq), key: d === null ? undefined : keyOfColumns(kind, pubkey, d) },
    ])),
    versions: new Map(found.map(([index, seq, id, created_at]) => [
      keys[index]!,
      { id, created_at, seq: BigInt(seq) },
    ])),
    forbidden: new Set(String(row[4] ?? "").split(",")),
    lastSeq: Number(row[3] ?? 0),
  };
}

function coordinateKey(event: NostrEvent): string | undefined {
  const identifier = addressIdentifier(event);
  return identifier === undefined ? undefined : keyOfColumns(event.kind, event.pubkey, textKey(identifier));
}

function keyOfColumns(kind: number, pubkey: string, d: string): string {
  return `${kind}:${pubkey}:${d}`;
}
