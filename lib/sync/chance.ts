import type { Random } from "../world/mod.ts";

/** A uniform draw from `low` (inclusive) to `high` (exclusive). */
export function uniform(random: Random, low: number, high: number): number {
  const [a = 0, b = 0, c = 0, d = 0] = random.bytes(4);
  return low + (high - low) * ((((a << 24) | (b << 16) | (c << 8) | d) >>> 0) / 2 ** 32);
}
