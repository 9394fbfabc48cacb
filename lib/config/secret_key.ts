import { decode } from "nostr-tools/nip19";
import { getPublicKey } from "nostr-tools/pure";

/** The secret key of an `nsec1…` or of 64 hex digits, blanks around it ignored; undefined when invalid. */
export function readSecretKey(text: string): Uint8Array | undefined {
  const word = text.trim();
  const bytes = /^[0-9a-fA-F]{64}$/.test(word) ? bytesOfHex(word) : bytesOfNsec(word);
  return bytes !== undefined && isSecretKey(bytes) ? bytes : undefined;
}

/** True when the 32 bytes are a scalar of the curve (neither zero nor too large). */
export function isSecretKey(bytes: Uint8Array): boolean {
  try {
    getPublicKey(bytes);
    return true;
  } catch {
    return false; // the library throws for every unusable key; there is nothing to add
  }
}

/** Public key (hex) of a valid secret key. */
export function pubkeyOfSecret(secretKey: Uint8Array): string {
  return getPublicKey(secretKey);
}

function bytesOfHex(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

function bytesOfNsec(word: string): Uint8Array | undefined {
  if (!/^nsec1[02-9ac-hj-np-z]{58}$/.test(word)) return undefined;
  try {
    const decoded = decode(word);
    return decoded.type === "nsec" ? decoded.data : undefined;
  } catch {
    return undefined; // a bad checksum is an ordinary typo
  }
}
