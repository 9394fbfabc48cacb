import { addressIdentifier, isHex64, KIND, type NostrEvent, parseCoordinate } from "../nostr/mod.ts";
import type { ReadableDatabase } from "./database.ts";
import { charactersOf } from "./list_reads.ts";
import { textKey } from "./text_key.ts";

/** Most references of one event that are followed. */
export const MAX_REFERENCES = 1_000;
/**
 * Kinds that make nothing related: anybody may store one, so a stranger could open the door for
 * arbitrary content by publishing one first.
 */
const NO_LINKS: readonly number[] = [KIND.deletion, KIND.graspList];

/**
 * Whether each of `events` is related to a served one. Its coordinates are looked for first, then its ids, then
 * who names it; what answers ends the search.
 */
export async function areRelated(
  database: ReadableDatabase,
  events: readonly NostrEvent[],
  nowMs: number,
): Promise<readonly boolean[]> {
  const rows = events.values().map((event) => {
    const { coordinates, ids } = referencesOf(event);
    return [coordinates, ids, forwardNames(event)];
  });
  const characters = await charactersOf(database, RELATED, rows, [BigInt(Math.floor(nowMs / 1000))]);
  return characters.map((character) => character === "1");
}

/** True for events that make nothing related, whatever they name. */
export function linksNothing(kind: number): boolean {
  return NO_LINKS.includes(kind);
}

/** What would make an event related, and what an event makes related: each is found by equal keys. */
export interface RelatedKeys {
  /** Under which an orphan waits: what it refers to, and what names it. */
  readonly waits: readonly string[];
  /** Which waiting orphans a served event makes related: those that refer to it, and those it names. */
  readonly opens: readonly string[];
}

/** The keys of `event`, as an orphan and as a served event; {@link areRelated} decides in the end. */
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

const SERVED_LINK = (alias: string) =>
  `${alias}.kind NOT IN (${
    NO_LINKS.join(", ")
  }) AND (${alias}.expires_at IS NULL OR ${alias}.expires_at > ?2)`;

/** One character per event, 1 or 0; see {@link areRelated}. */
export const RELATED = `SELECT group_concat(
  EXISTS (SELECT 1 FROM json_each(r.value, '$[0]') c CROSS JOIN events e INDEXED BY events_by_coordinate
    ON e.kind = c.value ->> 0 AND e.pubkey = c.value ->> 1 AND e.d = c.value ->> 2
    WHERE ${SERVED_LINK("e")})
  OR EXISTS (SELECT 1 FROM json_each(r.value, '$[1]') c CROSS JOIN events e ON e.id = c.value WHERE ${
  SERVED_LINK("e")
})
  OR EXISTS (SELECT 1 FROM json_each(r.value, '$[2]') c CROSS JOIN tags t
    ON t.name = c.value ->> 0 AND t.value = c.value ->> 1 WHERE ${
  SERVED_LINK("t")
}), '') FROM json_each(?1) r`;

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
function forwardNames(event: NostrEvent): [string, string][] {
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
  return names;
}
