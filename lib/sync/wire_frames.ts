import { Buffer } from "node:buffer";

/** A message of a peer (NIP-01, NIP-42, NIP-45, NIP-77), read as far as its envelope. */
export type PeerFrame =
  | { readonly type: "EVENT"; readonly sub: string; readonly event: unknown }
  | { readonly type: "EOSE"; readonly sub: string }
  | { readonly type: "CLOSED" | "NEG-ERR"; readonly sub: string; readonly reason: string }
  | { readonly type: "NEG-MSG"; readonly sub: string; readonly message: string }
  | { readonly type: "OK"; readonly id: string; readonly accepted: boolean; readonly text: string }
  | { readonly type: "NOTICE"; readonly text: string }
  | { readonly type: "AUTH"; readonly challenge: string }
  | { readonly type: "COUNT" };

/** Longest text of a peer that is looked at, in UTF-16 units. */
const MAX_TEXT_LENGTH = 1_000;

/** Reads one text frame; undefined when it is malformed or of an unknown type. */
export function parsePeerFrame(frame: string): PeerFrame | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(frame);
  } catch {
    return undefined;
  }
  if (!Array.isArray(parsed)) return undefined;
  const [type, first, second, third] = parsed as readonly unknown[];
  if (type === "COUNT") return { type };
  if (typeof first !== "string") return undefined;
  switch (type) {
    case "EVENT":
      return { type, sub: first, event: second };
    case "EOSE":
      return { type, sub: first };
    case "CLOSED":
    case "NEG-ERR":
      return { type, sub: first, reason: textOf(second) };
    case "NEG-MSG":
      return typeof second === "string" ? { type, sub: first, message: second } : undefined;
    case "OK":
      return typeof second === "boolean"
        ? { type, id: first, accepted: second, text: textOf(third) }
        : undefined;
    case "NOTICE":
      return { type, text: textOf(first) };
    case "AUTH":
      return first.length <= MAX_TEXT_LENGTH ? { type, challenge: first } : undefined;
    default:
      return undefined;
  }
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value.slice(0, MAX_TEXT_LENGTH) : "";
}

/** True when `text` takes more than `limit` bytes in UTF-8; counted only where the answer can matter. */
export function isLongerThan(text: string, limit: number): boolean {
  if (text.length * 3 <= limit) return false;
  return text.length > limit || Buffer.byteLength(text) > limit;
}
