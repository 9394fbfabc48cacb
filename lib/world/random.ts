/** The injected source of randomness: keys, temporary names, request ids. */
export interface Random {
  /** `length` random bytes. */
  bytes(length: number): Uint8Array;
}

/** The operating system's generator. */
export const systemRandom: Random = {
  bytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
};

/** `byteLength` random bytes as lower-case hex. */
export function randomHex(random: Random, byteLength: number): string {
  return Array.from(random.bytes(byteLength), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
