import type { Bound } from "./bound.ts";
import type { ItemSet } from "./item_set.ts";
import type { Range } from "./message.ts";

/** Into how many parts a range is split that differs. */
export const BUCKETS = 16;

/**
 * Items `lower` (inclusive) to `upper` (exclusive) as ranges that end at `bound`: their ids when they
 * are few, else the fingerprints of 16 parts of equal size, the first ones taking the remainder.
 */
export function split(set: ItemSet, lower: number, upper: number, bound: Bound): Range[] {
  const size = upper - lower;
  if (size < 2 * BUCKETS) return [{ mode: "ids", bound, ids: set.ids(lower, upper) }];
  const ranges: Range[] = [];
  for (let bucket = 0, from = lower; bucket < BUCKETS; bucket++) {
    const to = from + Math.floor(size / BUCKETS) + (bucket < size % BUCKETS ? 1 : 0);
    ranges.push({
      mode: "fingerprint",
      bound: to === upper ? bound : set.boundBefore(to),
      fingerprint: set.fingerprint(from, to),
    });
    from = to;
  }
  return ranges;
}
