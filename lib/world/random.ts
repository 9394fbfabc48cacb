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

/** A uniform draw from `low` (inclusive) to `high` (exclusive). */
export function uniform(random: Random, low: number, high: number): number {
  const [a = 0, b = 0, c = 0, d = 0] = random.bytes(4);
  return low + (high - low) * ((((a << 24) | (b << 16) | (c << 8) | d) >>> 0) / 2 ** 32);
}
