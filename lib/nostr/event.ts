import { createHash } from "node:crypto";

/** A Nostr event (NIP-01). `created_at` is in seconds; `id`, `pubkey`, `sig` are lower-case hex. */
export interface NostrEvent {
  readonly id: string;
  readonly pubkey: string;
  readonly created_at: number;
  readonly kind: number;
  readonly tags: readonly (readonly string[])[];
  readonly content: string;
  readonly sig: string;
}

/** What {@link parseEvent} found: an event, or the id to answer with when one could be read. */
export type ParsedEvent =
  | { readonly ok: true; readonly event: NostrEvent }
  | { readonly ok: false; readonly id: string | undefined };

const HEX_64 = /^[0-9a-f]{64}$/;
const HEX_128 = /^[0-9a-f]{128}$/;

/** True for 64 lower-case hex digits: an event id or a public key. */
export function isHex64(value: unknown): value is string {
  return typeof value === "string" && HEX_64.test(value);
}

/**
 * Strict shape check of an untrusted value against NIP-01: types, hex lengths, integer ranges.
 * Returns a fresh object with exactly the seven fields, so that duplicate or extra fields of the
 * received frame are never served on. Neither id nor signature is checked here.
 */
export function parseEvent(value: unknown): ParsedEvent {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return { ok: false, id: undefined };
  }
  const { id, pubkey, created_at, kind, tags, content, sig } = value as Record<string, unknown>;
  const answerId = isHex64(id) ? id : undefined;
  const wellFormed = answerId !== undefined && isHex64(pubkey) && typeof sig === "string" &&
    HEX_128.test(sig) &&
    isIntegerWithin(created_at, 0, Number.MAX_SAFE_INTEGER) && isIntegerWithin(kind, 0, 65_535) &&
    typeof content === "string" && isTagList(tags);
  if (!wellFormed) return { ok: false, id: answerId };
  return {
    ok: true,
    event: { id: answerId, pubkey, created_at, kind, tags, content, sig },
  };
}

function isIntegerWithin(value: unknown, min: number, max: number): value is number {
  return Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max;
}

function isTagList(value: unknown): value is string[][] {
  return Array.isArray(value) &&
    value.every((tag) =>
      Array.isArray(tag) && tag.length > 0 && tag.every((item) => typeof item === "string")
    );
}

/** The NIP-01 hash of an event's fields, as hex: what its `id` must be. */
export function eventHash(event: Omit<NostrEvent, "id" | "sig">): string {
  const serialised = JSON.stringify([
    0,
    event.pubkey,
    event.created_at,
    event.kind,
    event.tags,
    event.content,
  ]);
  return createHash("sha256").update(serialised).digest("hex");
}

/** The text we store and serve: the seven fields, without raw control characters (JSON escapes them). */
export function serialiseEvent(event: NostrEvent): string {
  const { id, pubkey, created_at, kind, tags, content, sig } = event;
  return JSON.stringify({ id, pubkey, created_at, kind, tags, content, sig });
}

/**
 * The one total order of versions (NIP-01): newer `created_at` first, ties by lowest id.
 * Negative when `a` is newer than `b`; usable as a sort comparator "newest first".
 */
export function compareNewestFirst(
  a: Pick<NostrEvent, "created_at" | "id">,
  b: Pick<NostrEvent, "created_at" | "id">,
): number {
  if (a.created_at !== b.created_at) return b.created_at - a.created_at;
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}
