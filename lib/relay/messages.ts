import { type Filter, parseFilter } from "../nostr/mod.ts";

/** A message of a client (NIP-01, NIP-42, NIP-45, NIP-77), read as far as its envelope. */
export type ClientMessage =
  | { readonly type: "EVENT" | "AUTH"; readonly value: unknown }
  | { readonly type: "REQ" | "COUNT"; readonly id: string; readonly filters: readonly unknown[] }
  | { readonly type: "CLOSE" | "NEG-CLOSE"; readonly id: string }
  | NegentropyMessage
  | { readonly type: "invalid"; readonly notice: Notice };

/** A message of a negentropy session (NIP-77); `filter` is undefined for NEG-MSG. */
export interface NegentropyMessage {
  readonly type: "NEG-OPEN" | "NEG-MSG";
  readonly id: string;
  readonly filter: unknown;
  /** The binary message, which should be hex. */
  readonly message: unknown;
}

/**
 * NOTICE texts. Peers react to words in them (rate and limit, too many, slow down, throttl,
 * envelope, NEG-, negentropy), and client input is never echoed, so these are constants.
 */
export const NOTICE = {
  unparsable: "invalid: could not parse message",
  unsupported: "invalid: unsupported message type",
  binary: "invalid: binary frames are not supported",
  failed: "error: could not process message",
  stopping: "error: this server is shutting down",
} as const;

/** One of the {@link NOTICE} texts. */
export type Notice = (typeof NOTICE)[keyof typeof NOTICE];

/** Longest subscription id that is echoed in a CLOSED, in UTF-16 units. */
const MAX_ECHOED_ID_LENGTH = 4_096;

const UNPARSABLE: ClientMessage = { type: "invalid", notice: NOTICE.unparsable };

/** Reads one text frame. */
export function parseClientMessage(text: string): ClientMessage {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return UNPARSABLE;
  }
  if (!Array.isArray(parsed) || typeof parsed[0] !== "string") return UNPARSABLE;
  const [type, first, ...rest] = parsed as [string, ...unknown[]];
  switch (type) {
    case "EVENT":
    case "AUTH":
      return { type, value: first };
    case "REQ":
    case "COUNT":
      return isEchoable(first) ? { type, id: first, filters: rest } : UNPARSABLE;
    case "NEG-OPEN":
      return isEchoable(first) ? { type, id: first, filter: rest[0], message: rest[1] } : UNPARSABLE;
    case "NEG-MSG":
      return isEchoable(first) ? { type, id: first, filter: undefined, message: rest[0] } : UNPARSABLE;
    case "CLOSE":
    case "NEG-CLOSE":
      return typeof first === "string" ? { type, id: first } : UNPARSABLE;
    default:
      return { type: "invalid", notice: NOTICE.unsupported };
  }
}

function isEchoable(value: unknown): value is string {
  return typeof value === "string" && value.length <= MAX_ECHOED_ID_LENGTH;
}

/** The id an `OK` must carry, exactly as sent; undefined when there are no 64 hex digits to repeat. */
export function answerIdOf(value: unknown): string | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const id = (value as Record<string, unknown>).id;
  return typeof id === "string" && /^[0-9a-fA-F]{64}$/.test(id) ? id : undefined;
}

/** Checks a subscription id; a text says what is wrong with it. */
export function subscriptionIdProblem(id: string, maxLength: number): string | undefined {
  if (id === "") return "subscription id is empty";
  // A character may be two UTF-16 units; counting is needed only between the two bounds.
  const tooLong = id.length > maxLength && (id.length > 2 * maxLength || [...id].length > maxLength);
  return tooLong ? `subscription id is longer than ${maxLength} characters` : undefined;
}

/** Reads the filters of a REQ or COUNT; a text says what is wrong with them. */
export function parseFilters(values: readonly unknown[], maxFilters: number): readonly Filter[] | string {
  if (values.length === 0) return "no filter given";
  if (values.length > maxFilters) return `more than ${maxFilters} filters`;
  const filters: Filter[] = [];
  for (const value of values) {
    const filter = parseFilter(value);
    if (typeof filter === "string") return filter;
    filters.push(filter);
  }
  return filters;
}

const STORED_ID_HEAD = '{"id":"';

/** The id of a stored event text, which starts with it as serialiseEvent writes it. */
export function storedEventId(text: string): string {
  if (text.startsWith(STORED_ID_HEAD)) {
    return text.slice(STORED_ID_HEAD.length, STORED_ID_HEAD.length + 64);
  }
  return String((JSON.parse(text) as Record<string, unknown>).id);
}
