import { decode, npubEncode } from "nostr-tools/nip19";
import { isHex64 } from "./event.ts";

/** Most answers remembered in one direction: every request for a repository asks for the same few. */
const MAX_REMEMBERED = 2_000;
const npubs = new Map<string, string>();
const pubkeys = new Map<string, string>();

/** Remembers an answer; all others are forgotten at the bound, which costs no more than working them out again. */
function remember(answers: Map<string, string>, question: string, answer: string): string {
  if (answers.size >= MAX_REMEMBERED) answers.clear();
  answers.set(question, answer);
  return answer;
}

/** NIP-19 `npub1…` of a public key in 64 lower-case hex digits. */
export function encodeNpub(pubkey: string): string {
  return npubs.get(pubkey) ?? remember(npubs, pubkey, npubEncode(pubkey));
}

/**
 * Public key (hex) of a canonical npub: lower-case bech32, valid checksum, 32 bytes.
 * Undefined for anything else, hex keys and `nprofile` included.
 */
export function decodeNpub(npub: string): string | undefined {
  const known = pubkeys.get(npub);
  if (known !== undefined) return known;
  if (!/^npub1[02-9ac-hj-np-z]{58}$/.test(npub)) return undefined;
  try {
    const decoded = decode(npub);
    if (decoded.type !== "npub" || !isHex64(decoded.data)) return undefined;
    // Its own text as the key: a part of a URL would keep the whole of it in memory.
    return remember(pubkeys, encodeNpub(decoded.data), decoded.data);
  } catch {
    return undefined; // a bad checksum is an ordinary "not an npub"
  }
}

/** Public key (hex) of an npub or of 64 hex digits in any case, as operators write keys. */
export function parsePubkey(text: string): string | undefined {
  return decodeNpub(text) ?? (/^[0-9a-fA-F]{64}$/.test(text) ? text.toLowerCase() : undefined);
}

/** Event id (hex) of 64 hex digits in any case, or of a NIP-19 `note1…` or `nevent1…`, as operators write ids. */
export function parseEventId(text: string): string | undefined {
  if (/^[0-9a-fA-F]{64}$/.test(text)) return text.toLowerCase();
  if (!/^(note|nevent)1[02-9ac-hj-np-z]{1,1000}$/.test(text)) return undefined;
  try {
    const decoded = decode(text);
    return decoded.type === "note" ? decoded.data : decoded.type === "nevent" ? decoded.data.id : undefined;
  } catch {
    return undefined; // a bad checksum is an ordinary "not an id"
  }
}
