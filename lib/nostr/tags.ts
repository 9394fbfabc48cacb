import type { NostrEvent } from "./event.ts";
import { kindClass } from "./kinds.ts";

type Tagged = Pick<NostrEvent, "tags">;

/** All tags named `name`, in order (names are case-sensitive). */
export function tagsNamed(event: Tagged, name: string): readonly (readonly string[])[] {
  return event.tags.filter((tag) => tag[0] === name);
}

/** Value of the first tag named `name`; undefined when absent or without a value. */
export function firstTagValue(event: Tagged, name: string): string | undefined {
  return event.tags.find((tag) => tag[0] === name)?.[1];
}

/** The `d` value by which NIP-01 addresses an event: "" when an addressable event has none. */
export function addressIdentifier(event: Pick<NostrEvent, "tags" | "kind">): string | undefined {
  switch (kindClass(event.kind)) {
    case "addressable":
      return firstTagValue(event, "d") ?? "";
    case "replaceable":
      return "";
    default:
      return undefined;
  }
}

/** A parsed coordinate `<kind>:<pubkey>:<identifier>` (NIP-01 `a` tag). */
export interface Coordinate {
  readonly kind: number;
  readonly pubkey: string;
  readonly identifier: string;
}

/**
 * Parses a coordinate, split at the first two colons so that identifiers may contain colons.
 * The short form `<kind>:<pubkey>` means an empty identifier. Undefined when malformed.
 */
export function parseCoordinate(text: string): Coordinate | undefined {
  const match = /^(\d{1,5}):([0-9a-fA-F]{64})(?::([\s\S]*))?$/.exec(text);
  if (!match) return undefined;
  const kind = Number(match[1]);
  if (kind > 65_535) return undefined;
  return { kind, pubkey: match[2]!.toLowerCase(), identifier: match[3] ?? "" };
}

/** NIP-40: the time in seconds after which the event must no longer be served, if it names one. */
export function expirationOf(event: Tagged): number | undefined {
  const value = firstTagValue(event, "expiration");
  return value !== undefined && /^\d{1,15}$/.test(value) ? Number(value) : undefined;
}
