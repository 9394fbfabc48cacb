/** NIP-01 machine-readable prefixes a refusal may start with. */
export type RefusalPrefix = "blocked" | "invalid" | "rate-limited" | "error";

/**
 * The closed list of reasons; metrics label and the only thing code may branch on (never text).
 */
export type RefusalReason =
  | "invalid"
  | "signature"
  | "blacklisted_author"
  | "blacklisted_repo"
  | "not_listed"
  | "not_whitelisted"
  | "read_only"
  | "orphan"
  | "unauthorized"
  | "expired"
  | "rate_limited"
  | "too_large"
  | "deleted"
  | "db_error"
  | "other";

/** A refusal is a value: the same sentence reaches the client and the log. */
export interface Refusal {
  readonly ok: false;
  readonly prefix: RefusalPrefix;
  readonly reason: RefusalReason;
  /** One plain ASCII sentence, without the prefix. */
  readonly text: string;
}

/** Builds a {@link Refusal}; the text is made one printable ASCII line. */
export function refuse(prefix: RefusalPrefix, reason: RefusalReason, text: string): Refusal {
  return { ok: false, prefix, reason, text: asciiLine(text) };
}

/** The message as it goes on the wire: `<prefix>: <text>`. */
export function refusalMessage(refusal: Refusal): string {
  return `${refusal.prefix}: ${refusal.text}`;
}

/** `text` as one ASCII line: control and non-ASCII characters become `\u{…}` escapes. */
export function asciiLine(text: string): string {
  return text.replace(/[^\x20-\x7e]/gu, (char) => `\\u{${char.codePointAt(0)!.toString(16)}}`);
}

/** A value copied from an event into a text: at most 200 characters. */
export function quoted(value: string): string {
  return value.length > 200 ? value.slice(0, 200) + "..." : value;
}
