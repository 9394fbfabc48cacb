import { isIPv4, isIPv6 } from "node:net";
import ipaddr from "ipaddr.js";

/** A set of addresses sharing their first `prefixBits` bits. */
export interface AddressRange {
  /** The range as written; every range of a word carries the word. */
  readonly text: string;
  /** Network address: 4 bytes for IPv4, 16 for IPv6. */
  readonly bytes: readonly number[];
  readonly prefixBits: number;
}

/** Words an address list may use instead of prefixes. */
export type RangeWord = "loopback" | "private" | "any" | "none";

const WORDS: Readonly<Record<RangeWord, readonly string[]>> = {
  loopback: ["127.0.0.0/8", "::1/128"],
  private: ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7", "fe80::/10"],
  any: ["0.0.0.0/0", "::/0"],
  none: [],
};

/** The prefixes a word stands for. */
export function prefixesOf(word: RangeWord): readonly string[] {
  return WORDS[word];
}

/** Reads an address, a prefix (`10.0.0.0/8`) or one of the words; undefined when it is none of them. */
export function parseRange(text: string): readonly AddressRange[] | undefined {
  const word = text.toLowerCase();
  if (isRangeWord(word)) {
    return WORDS[word].flatMap((prefix) => parsePrefix(prefix) ?? []).map((range) => ({
      ...range,
      text: word,
    }));
  }
  const range = parsePrefix(text);
  return range && [range];
}

/** True for `loopback`, `private`, `any` and `none` in lower case. */
export function isRangeWord(text: string): text is RangeWord {
  return Object.hasOwn(WORDS, text);
}

/** True when `address` (IPv4 or IPv6, IPv4-mapped ones count as IPv4) lies in one of the ranges. */
export function inRanges(ranges: readonly AddressRange[], address: string): boolean {
  const bytes = addressBytes(address.replace(/%.*$/, ""));
  return bytes !== undefined && ranges.some((range) => contains(range, bytes));
}

function parsePrefix(text: string): AddressRange | undefined {
  const [address = "", bits, ...more] = text.split("/");
  const bytes = addressBytes(address);
  if (!bytes || more.length > 0) return undefined;
  // A prefix of an IPv4-mapped address counts from the start of its 16 bytes.
  const shift = bytes.length === 4 && address.includes(":") ? 96 : 0;
  if (bits !== undefined && !/^\d{1,3}$/.test(bits)) return undefined;
  const prefixBits = bits === undefined ? bytes.length * 8 : Number(bits) - shift;
  return prefixBits >= 0 && prefixBits <= bytes.length * 8 ? { text, bytes, prefixBits } : undefined;
}

function addressBytes(address: string): readonly number[] | undefined {
  // ipaddr.js also reads "10.1" and octal forms; only the usual ones are accepted here.
  if (!isIPv4(address) && !isIPv6(address)) return undefined;
  return ipaddr.process(address).toByteArray();
}

function contains(range: AddressRange, bytes: readonly number[]): boolean {
  if (range.bytes.length !== bytes.length) return false;
  const whole = range.prefixBits >> 3;
  for (let at = 0; at < whole; at++) if (range.bytes[at] !== bytes[at]) return false;
  const rest = range.prefixBits & 7;
  return rest === 0 || ((range.bytes[whole]! ^ bytes[whole]!) >> (8 - rest)) === 0;
}
