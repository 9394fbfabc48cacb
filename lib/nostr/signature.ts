import { verifyEvent } from "nostr-tools/pure";
import { initNostrWasm } from "nostr-wasm";
import { eventHash, type NostrEvent } from "./event.ts";
import type { Secp256k1 } from "./secp256k1.ts";

/** Says whether the id is the event's hash and the signature is the author's (NIP-01, BIP-340). */
export type SignatureCheck = (event: NostrEvent) => boolean;

/**
 * Most UTF-16 units of text in an event that WebAssembly checks. Its memory is fixed at 1 MiB and
 * holds the whole serialised event, in which one unit may take six bytes.
 */
const MAX_WASM_UNITS = 65_536;

/** The check of the system's library, for events of any size. */
export function nativeSignatureCheck({ verify }: Secp256k1): SignatureCheck {
  return (event) => eventHash(event) === event.id && verify(event.pubkey, event.id, event.sig);
}

/** Loads the WebAssembly check; events too large for its memory are checked in plain JavaScript. */
export async function loadWasmSignatureCheck(): Promise<SignatureCheck> {
  const wasm = await initNostrWasm();
  return (event) => {
    // A fresh copy of the seven fields: a "verified" mark that a library left on the object must not count.
    const { id, pubkey, created_at, kind, sig, content } = event;
    const tags = event.tags.map((tag) => [...tag]);
    const copy = { id, pubkey, created_at, kind, tags, content, sig };
    if (isLargeEvent(event)) return verifyEvent(copy);
    try {
      wasm.verifyEvent(copy);
      return true;
    } catch {
      return false; // the library reports every mismatch by throwing
    }
  };
}

/** True when checking the event takes milliseconds rather than a fraction of one. */
export function isLargeEvent(event: NostrEvent): boolean {
  let units = event.content.length;
  for (const tag of event.tags) {
    for (const item of tag) units += item.length + 1;
    if (units > MAX_WASM_UNITS) return true;
  }
  return units > MAX_WASM_UNITS;
}
