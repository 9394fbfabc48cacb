import {
  addressIdentifier,
  compareNewestFirst,
  expirationOf,
  kindClass,
  type NostrEvent,
  serialiseEvent,
} from "../nostr/mod.ts";
import type { Database, Statement } from "./database.ts";
import { idOrder, textKey } from "./text_key.ts";
import type { Changes, EventInsert, InsertVerdict } from "./types.ts";
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

/** What the database holds of the ids and coordinates a group is about. */
interface Known {
  readonly ids: Set<string>;
  readonly versions: Map<string, Version>;
  readonly lastSeq: number;
}

/**
 * Reads what is stored of everything `units` insert, and decides unit by unit, each seeing the ones
 * before it. Nothing is written. Only the single writer may plan, and must apply before it plans again.
 */
export async function planGroup(
  database: Database,
  units: readonly Changes[],
  arrivedAt: number,
): Promise<GroupPlan> {
  const inserts = units.flatMap((unit) => unit.insertEvents ?? []);
  const resolver = new Resolver(await readKnown(database, inserts));
  const verdicts = units.map((unit) => (unit.insertEvents ?? []).map((insert) => resolver.decide(insert)));
  return { verdicts, statements: [...resolver.statements(arrivedAt), ...waitingStatements(units)] };
}

/** Decides inserts one after the other against what is known. */
class Resolver {
  readonly #known: Known;
  /** Inserts that stand, by id, in arrival order. */
  readonly #standing = new Map<string, EventInsert>();
  readonly #replaced: bigint[] = [];

  constructor(known: Known) {
    this.#known = known;
  }

  decide(insert: EventInsert): InsertVerdict {
    const { event } = insert;
    const { ids, versions } = this.#known;
    if (ids.has(event.id)) return "duplicate";
    const key = coordinateKey(event);
    const current = key === undefined ? undefined : versions.get(key);
    if (current) {
      if (compareNewestFirst(event, current) > 0) return "superseded";
      ids.delete(current.id);
      this.#standing.delete(current.id);
      if (current.seq !== undefined) this.#replaced.push(current.seq);
    }
    if (key !== undefined) versions.set(key, { id: event.id, created_at: event.created_at, seq: undefined });
    ids.add(event.id);
    this.#standing.set(event.id, insert);
    return "stored";
  }

  statements(arrivedAt: number): Statement[] {
    const statements: Statement[] = [];
    if (this.#replaced.length > 0) {
      const list = JSON.stringify(this.#replaced.map(Number));
      statements.push({ sql: DELETE_EVENTS, args: [list] });
    }
    if (this.#standing.size === 0) return statements;
    const rows: unknown[] = [];
    const tags: unknown[] = [];
    let seq = this.#known.lastSeq;
    for (const insert of this.#standing.values()) {
      rows.push(eventRow(++seq, insert, arrivedAt));
      tags.push(...tagRows(seq, insert.event));
    }
    statements.push({ sql: INSERT_EVENTS, args: [JSON.stringify(rows)] });
    if (tags.length > 0) statements.push({ sql: INSERT_TAGS, args: [JSON.stringify(tags)] });
    return statements;
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
  (SELECT json_group_array(json_array(c.value ->> 3, e.seq, e.id, e.created_at))
     FROM json_each(?2) c CROSS JOIN events e INDEXED BY events_by_coordinate
     ON e.kind = c.value ->> 0 AND e.pubkey = c.value ->> 1 AND e.d = c.value ->> 2),
  (SELECT coalesce(max(seq), 0) FROM events)`;

async function readKnown(database: Database, inserts: readonly EventInsert[]): Promise<Known> {
  if (inserts.length === 0) return { ids: new Set(), versions: new Map(), lastSeq: 0 };
  const coordinates = new Map<string, unknown[]>();
  const keys: string[] = [];
  for (const { event } of inserts) {
    const key = coordinateKey(event);
    if (key === undefined || coordinates.has(key)) continue;
    coordinates.set(key, [event.kind, event.pubkey, textKey(addressIdentifier(event)!), keys.length]);
    keys.push(key);
  }
  const ids = JSON.stringify(inserts.map(({ event }) => event.id));
  const row = (await database.read(READ_KNOWN, [ids, JSON.stringify([...coordinates.values()])])).rows[0]!;
  const found = JSON.parse(String(row[1])) as [number, number, string, number][];
  return {
    ids: new Set(String(row[0] ?? "").split(",")),
    versions: new Map(found.map(([index, seq, id, created_at]) => [
      keys[index]!,
      { id, created_at, seq: BigInt(seq) },
    ])),
    lastSeq: Number(row[2]),
  };
}

function coordinateKey(event: NostrEvent): string | undefined {
  const identifier = addressIdentifier(event);
  return identifier === undefined ? undefined : `${event.kind}:${event.pubkey}:${identifier}`;
}

/** Rough size of a unit in the transaction, in UTF-16 units; throws when an event must not be stored. */
export function unitSize(changes: Changes): number {
  let size = 0;
  for (const { event } of changes.insertEvents ?? []) {
    if (kindClass(event.kind) === "ephemeral") {
      throw new Error(`kind ${event.kind} is ephemeral and never stored`);
    }
    size += eventSize(event);
  }
  for (const { event } of changes.putAnnouncements ?? []) size += eventSize(event);
  for (const { event } of changes.putStates ?? []) size += eventSize(event);
  return size;
}

function eventSize(event: NostrEvent): number {
  let size = event.content.length + 300;
  for (const tag of event.tags) for (const item of tag) size += item.length + 4;
  return size;
}
