import type { RefusalReason } from "../nostr/mod.ts";

/** Kinds with a series of their own; every other kind is `other`, because strangers choose kinds. */
const LITERAL_KINDS: ReadonlySet<number> = new Set([
  0,
  5,
  7,
  1111,
  1617,
  1618,
  1619,
  1621,
  1622,
  1630,
  1631,
  1632,
  1633,
  9735,
  10002,
  10317,
  30617,
  30618,
]);

/** Why an event was not stored; the record makes the compiler ask for every reason. */
const REJECT_REASONS: Readonly<Record<RefusalReason | "duplicate", true>> = {
  invalid: true,
  signature: true,
  duplicate: true,
  blacklisted_author: true,
  blacklisted_repo: true,
  not_listed: true,
  not_whitelisted: true,
  read_only: true,
  orphan: true,
  unauthorized: true,
  expired: true,
  rate_limited: true,
  too_large: true,
  deleted: true,
  db_error: true,
  other: true,
};

const OTHER = "other";
const MAX_LABEL_BYTES = 256;
const ELLIPSIS = "…";
/** All control characters but the newline, which the exposition format can escape. */
const CONTROL = /(?!\n)\p{Cc}/gu;

/** Values of the `kind` label. */
export const KIND_LABELS: readonly string[] = [...[...LITERAL_KINDS].map(String), OTHER];

/** Values of the `reason` label of refused events. */
export const REASON_LABELS: readonly string[] = Object.keys(REJECT_REASONS);

/** Types of client messages as counted. */
export const RECEIVED_TYPES = [
  "REQ",
  "EVENT",
  "CLOSE",
  "COUNT",
  "AUTH",
  "NEG-OPEN",
  "NEG-MSG",
  "NEG-CLOSE",
  "invalid",
] as const;

/** Types of messages handed to a socket. */
export const SENT_TYPES = [
  "EVENT",
  "EOSE",
  "OK",
  "NOTICE",
  "CLOSED",
  "COUNT",
  "AUTH",
  "NEG-MSG",
  "NEG-ERR",
] as const;

/** Route classes of finished requests. */
export const HTTP_ROUTES = [
  "landing",
  "nip11",
  "repo_page",
  "git_info_refs",
  "git_upload_pack",
  "git_receive_pack",
  "prs",
  "metrics",
  "health",
  "static",
  "not_found",
] as const;

/** Route class of a finished request. */
export type HttpRoute = (typeof HTTP_ROUTES)[number];

/** Status classes of finished requests; a 101 is counted as a connection instead. */
export const STATUS_CLASSES = ["2xx", "3xx", "4xx", "5xx"] as const;

/** The `kind` label of an event kind. */
export function kindLabel(kind: number): string {
  return LITERAL_KINDS.has(kind) ? String(kind) : OTHER;
}

/** The `reason` label of a refusal. */
export function reasonLabel(reason: string): string {
  return Object.hasOwn(REJECT_REASONS, reason) ? reason : OTHER;
}

/** The class of an HTTP status; undefined outside 200 to 599. */
export function statusClass(status: number): (typeof STATUS_CLASSES)[number] | undefined {
  return STATUS_CLASSES[Math.floor(status / 100) - 2];
}

/**
 * `text` as a label value: no control characters but newlines, at most 256 bytes, cut at a character with
 * `…`. Quotes, backslashes and newlines are escaped when the value is rendered.
 */
export function labelText(text: string): string {
  const clean = text.replace(CONTROL, "").toWellFormed();
  const bytes = new TextEncoder().encode(clean);
  if (bytes.length <= MAX_LABEL_BYTES) return clean;
  const head = bytes.subarray(0, MAX_LABEL_BYTES - new TextEncoder().encode(ELLIPSIS).length);
  // In stream mode a character cut in two is left out instead of being replaced.
  return new TextDecoder().decode(head, { stream: true }) + ELLIPSIS;
}

/** `value` as an amount a counter takes: anything that is not a positive number counts as 0. */
export function amount(value: number): number {
  return Number.isFinite(value) && value > 0 ? value : 0;
}
