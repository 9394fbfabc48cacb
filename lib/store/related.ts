import { addressIdentifier, isHex64, KIND, type NostrEvent, parseCoordinate } from "../nostr/mod.ts";
import type { SqlValue, Statement } from "./statement.ts";
import { textKey } from "./text_key.ts";

/** Most references of one event that are followed. */
const MAX_REFERENCES = 1_000;
/**
 * Kinds that make nothing related: anybody may store one, so a stranger could open the door for
 * arbitrary content by publishing one first.
 */
const NO_LINKS = `(${KIND.deletion}, ${KIND.graspList})`;

/**
 * The queries that decide whether `event` is related to a served one, to be asked in order until
 * one returns a row: its coordinates, its ids, and who names it. At most one query per class.
 */
export function relatedQueries(event: NostrEvent, nowSeconds: number): readonly Statement[] {
  const { coordinates, ids } = referencesOf(event);
  const now = BigInt(nowSeconds);
  const queries: Statement[] = [];
  if (coordinates.length > 0) queries.push({ sql: BY_COORDINATE, args: [JSON.stringify(coordinates), now] });
  if (ids.length > 0) queries.push({ sql: BY_ID, args: [JSON.stringify(ids), now] });
  return [...queries, { sql: BY_WHO_NAMES_IT, args: [...forwardNames(event), now] }];
}

/** Kinds that make nothing related. */
function linksNothing(kind: number): boolean {
  return kind === KIND.deletion || kind === KIND.graspList;
}

/** What would make an event related, and what an event makes related: each is found by equal keys. */
export interface RelatedKeys {
  /** Under which an orphan waits: what it refers to, and what names it. */
  readonly waits: readonly string[];
  /** Which waiting orphans a served event makes related: those that refer to it, and those it names. */
  readonly opens: readonly string[];
}

/** The keys of `event`, as an orphan and as a served event; {@link relatedQueries} decides in the end. */
export function relatedKeys(event: NostrEvent): RelatedKeys {
  const { coordinates, ids } = referencesOf(event);
  const refersTo = [...ids, ...coordinates.map((parts) => (parts as unknown[]).join(":"))];
  const identifier = addressIdentifier(event);
  const own = identifier === undefined
    ? [event.id]
    : [event.id, `${event.kind}:${event.pubkey}:${textKey(identifier)}`];
  return {
    waits: [...refersTo, ...own.map((key) => `=${key}`)],
    opens: linksNothing(event.kind) ? [] : [...own, ...refersTo.map((key) => `=${key}`)],
  };
}

const BY_COORDINATE = `SELECT 1 FROM json_each(?1) c CROSS JOIN events e INDEXED BY events_by_coordinate
  ON e.kind = c.value ->> 0 AND e.pubkey = c.value ->> 1 AND e.d = c.value ->> 2
  WHERE e.kind NOT IN ${NO_LINKS} AND (e.expires_at IS NULL OR e.expires_at > ?2) LIMIT 1`;

const BY_ID = `SELECT 1 FROM json_each(?1) c CROSS JOIN events e ON e.id = c.value
  WHERE e.kind NOT IN ${NO_LINKS} AND (e.expires_at IS NULL OR e.expires_at > ?2) LIMIT 1`;

const BY_WHO_NAMES_IT = `SELECT 1 FROM json_each(?1) c CROSS JOIN tags t
  ON t.name = c.value ->> 0 AND t.value = c.value ->> 1
  WHERE t.kind NOT IN ${NO_LINKS} AND (t.expires_at IS NULL OR t.expires_at > ?2) LIMIT 1`;

/** What the reference tags of `event` name; malformed ones are inert. */
function referencesOf(event: NostrEvent): { coordinates: unknown[]; ids: string[] } {
  const coordinates: unknown[] = [];
  const ids: string[] = [];
  for (const [name, value] of event.tags) {
    if (coordinates.length + ids.length >= MAX_REFERENCES) break;
    if (value === undefined || !/^[aAeEq]$/.test(name ?? "")) continue;
    const coordinate = /^[aA]$/.test(name!) || (name === "q" && value.includes(":"));
    if (!coordinate) {
      if (isHex64(value)) ids.push(value);
      continue;
    }
    const parsed = parseCoordinate(value);
    if (parsed) coordinates.push([parsed.kind, parsed.pubkey, textKey(parsed.identifier)]);
  }
  return { coordinates, ids };
}

/** Tag names and values by which a stored event may name `event`. */
function forwardNames(event: NostrEvent): SqlValue[] {
  const names: [string, string][] = [["e", event.id], ["E", event.id], ["q", event.id]];
  const identifier = addressIdentifier(event);
  if (identifier !== undefined) {
    const short = `${event.kind}:${event.pubkey}`;
    const spellings = [`${short}:${identifier}`];
    // NIP-01 writes a trailing colon; without one occurs for replaceable events.
    if (identifier === "") spellings.push(short);
    for (const spelling of spellings) {
      for (const name of ["a", "A", "q"]) names.push([name, textKey(spelling)]);
    }
  }
  return [JSON.stringify(names)];
}
