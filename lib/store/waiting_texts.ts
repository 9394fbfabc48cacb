import { isHex64, type NostrEvent, parseEvent } from "../nostr/mod.ts";
import type { RepositoryKey, RetiredRepository } from "./types.ts";

/** A column that does not hold what was put there; the message is one plain phrase. */
export class Damage extends Error {}

/** Throws {@link Damage} unless `condition` holds. */
export function requireThat(condition: boolean, otherwise: string): asserts condition {
  if (!condition) throw new Damage(otherwise);
}

/** Repositories as one text. */
export function placesText(places: readonly RepositoryKey[]): string {
  return JSON.stringify(places.map(({ owner, identifier }) => [owner, identifier]));
}

/** The repositories of a parsed {@link placesText}. */
export function placesOf(value: unknown): readonly RepositoryKey[] {
  requireThat(Array.isArray(value), "repositories are not a list");
  return value.map((place: unknown) => {
    const [owner, identifier] = Array.isArray(place) ? place as unknown[] : [];
    requireThat(isHex64(owner) && typeof identifier === "string", "a repository is malformed");
    return { owner, identifier };
  });
}

/** The row text of a retired repository: what its key columns do not say. */
export function retiredText({ reason, directory, events }: RetiredRepository): string {
  return JSON.stringify({ reason, directory, events });
}

/** What {@link retiredText} made. */
export function retiredOf(text: unknown): Pick<RetiredRepository, "reason" | "directory" | "events"> {
  const { reason, directory, events } = objectOf(text);
  requireThat(typeof directory === "string", "a directory is not a text");
  requireThat(Array.isArray(events), "events are not a list");
  return {
    reason: oneOf(reason, ["deleted", "withdrawn", "expired", "operator"]),
    directory,
    events: events.map(eventOf),
  };
}

/** The event in a row text. */
export function eventOfText(text: unknown): NostrEvent {
  return eventOf(parsed(text, "event is not JSON"));
}

/** The object in a row text. */
export function objectOf(text: unknown): Readonly<Record<string, unknown>> {
  const value = parsed(text, "row is not JSON");
  requireThat(typeof value === "object" && value !== null, "row is not an object");
  return value as Readonly<Record<string, unknown>>;
}

/** The value of a JSON column. */
export function parsed(text: unknown, otherwise: string): unknown {
  try {
    return JSON.parse(String(text));
  } catch {
    throw new Damage(otherwise);
  }
}

/** `value` as one of the words `allowed`. */
export function oneOf<T extends string>(value: unknown, allowed: readonly T[]): T {
  const found = allowed.find((item) => item === value);
  if (found === undefined) throw new Damage("a column has an unknown word");
  return found;
}

function eventOf(value: unknown): NostrEvent {
  const result = parseEvent(value);
  if (!result.ok) throw new Damage("event is malformed");
  return result.event;
}
