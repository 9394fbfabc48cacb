import { createHash } from "node:crypto";
import { type Bound } from "./bound.ts";
import { varintBytes } from "./bytes.ts";
import type { Sliced } from "./sliced.ts";

/** Bytes of an id. */
export const ID_SIZE = 32;
/** Bytes of a fingerprint. */
export const FINGERPRINT_SIZE = 16;

/** One element: 64 lower-case hex digits, and seconds as a non-negative safe integer. */
export interface SetItem {
  readonly id: string;
  readonly createdAt: number;
}

const WORDS = ID_SIZE / 4;
/**
 * The sum of all ids before every n-th item is kept: any range sum is then two of them and at most
 * 2 (n - 1) additions, for 2 bytes an item.
 */
const CHECKPOINT_EVERY = 16;
const ITEMS_PER_SLICE = 4_096;

/** An immutable sorted set; a snapshot of about 42 bytes an item. */
export class ItemSet {
  readonly #timestamps: Float64Array;
  readonly #ids: Uint8Array;
  /** The ids again as 32-bit words: every machine Deno runs on is little-endian, as the sum wants. */
  readonly #words: Uint32Array;
  readonly #checkpoints: Uint32Array;

  /** For {@link createItemSet}; `checkpoints[n]` is the sum of the first 16 n ids. */
  constructor(timestamps: Float64Array, ids: Uint8Array, checkpoints: Uint32Array) {
    this.#timestamps = timestamps;
    this.#ids = ids;
    this.#words = new Uint32Array(ids.buffer, ids.byteOffset, ids.length / 4);
    this.#checkpoints = checkpoints;
  }

  /** Number of items. */
  get size(): number {
    return this.#timestamps.length;
  }

  /** The ids of items `lower` (inclusive) to `upper` (exclusive), one after the other, as a view. */
  ids(lower: number, upper: number): Uint8Array {
    return this.#ids.subarray(lower * ID_SIZE, upper * ID_SIZE);
  }

  /** The first index from `from` on whose item does not stand before `bound`. */
  lowerBound(from: number, bound: Bound): number {
    // Above 2^53 this is not exact, and need not be: no item is as late.
    const timestamp = Number(bound.timestamp);
    let low = from;
    let high = this.size;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#isBefore(middle, timestamp, bound.prefix)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #isBefore(index: number, timestamp: number, prefix: Uint8Array): boolean {
    const own = this.#timestamps[index]!;
    if (own !== timestamp) return own < timestamp;
    for (let i = 0; i < prefix.length; i++) {
      const difference = this.#ids[index * ID_SIZE + i]! - prefix[i]!;
      if (difference !== 0) return difference < 0;
    }
    return false;
  }

  /** The bound at item `index` with its whole id. */
  boundAt(index: number): Bound {
    return { timestamp: BigInt(this.#timestamps[index]!), prefix: this.ids(index, index + 1) };
  }

  /** The shortest bound between items `index - 1` and `index`. */
  boundBefore(index: number): Bound {
    const { timestamp, prefix } = this.boundAt(index);
    if (this.#timestamps[index - 1] !== this.#timestamps[index]) {
      return { timestamp, prefix: prefix.subarray(0, 0) };
    }
    const before = this.ids(index - 1, index);
    let shared = 0;
    while (shared < ID_SIZE - 1 && before[shared] === prefix[shared]) shared++;
    return { timestamp, prefix: prefix.subarray(0, shared + 1) };
  }

  /** The fingerprint of items `lower` (inclusive) to `upper` (exclusive) (NIP-77). */
  fingerprint(lower: number, upper: number): Uint8Array {
    const sum = new Uint32Array(WORDS);
    if (upper - lower <= 2 * CHECKPOINT_EVERY) addIds(sum, this.#words, lower, upper);
    else {
      this.#sumBefore(sum, upper);
      const before = new Uint32Array(WORDS);
      this.#sumBefore(before, lower);
      subtract(sum, before);
    }
    const hash = createHash("sha256").update(new Uint8Array(sum.buffer)).update(varintBytes(upper - lower));
    return new Uint8Array(hash.digest()).subarray(0, FINGERPRINT_SIZE);
  }

  #sumBefore(sum: Uint32Array, index: number): void {
    const checkpoint = Math.floor(index / CHECKPOINT_EVERY);
    addWords(sum, this.#checkpoints, checkpoint * WORDS);
    addIds(sum, this.#words, checkpoint * CHECKPOINT_EVERY, index);
  }
}

/**
 * Makes a set of items sorted by time, then by id, both ascending and without repetitions; throws a
 * RangeError when they are not, which only a bug can cause.
 */
export function* createItemSet(items: readonly SetItem[]): Sliced<ItemSet> {
  const timestamps = new Float64Array(items.length);
  const ids = new Uint8Array(items.length * ID_SIZE);
  const words = new Uint32Array(ids.buffer);
  const checkpoints = new Uint32Array((Math.floor(items.length / CHECKPOINT_EVERY) + 1) * WORDS);
  const sum = new Uint32Array(WORDS);
  for (const [index, item] of items.entries()) {
    if (index % CHECKPOINT_EVERY === 0) checkpoints.set(sum, index / CHECKPOINT_EVERY * WORDS);
    requireOrder(items[index - 1], item);
    timestamps[index] = item.createdAt;
    const { read } = ids.subarray(index * ID_SIZE, (index + 1) * ID_SIZE).setFromHex(item.id);
    if (read !== item.id.length || read !== 2 * ID_SIZE) throw new RangeError("an id is not 32 bytes");
    addWords(sum, words, index * WORDS);
    if ((index + 1) % ITEMS_PER_SLICE === 0) yield;
  }
  if (items.length % CHECKPOINT_EVERY === 0) {
    checkpoints.set(sum, items.length / CHECKPOINT_EVERY * WORDS);
  }
  return new ItemSet(timestamps, ids, checkpoints);
}

function requireOrder(before: SetItem | undefined, { id, createdAt }: SetItem): void {
  const inOrder = !before || before.createdAt < createdAt ||
    (before.createdAt === createdAt && before.id < id);
  if (!inOrder || !Number.isSafeInteger(createdAt) || createdAt < 0) {
    throw new RangeError("items are not in order");
  }
}

function addIds(sum: Uint32Array, words: Uint32Array, lower: number, upper: number): void {
  for (let index = lower; index < upper; index++) addWords(sum, words, index * WORDS);
}

/** `sum += words[at…]`, modulo 2^256. */
function addWords(sum: Uint32Array, words: Uint32Array, at: number): void {
  let carry = 0;
  for (let i = 0; i < WORDS; i++) {
    const word = sum[i]! + words[at + i]! + carry;
    carry = word > 0xffff_ffff ? 1 : 0;
    sum[i] = word;
  }
}

/** `sum -= other`, modulo 2^256. */
function subtract(sum: Uint32Array, other: Uint32Array): void {
  let borrow = 0;
  for (let i = 0; i < WORDS; i++) {
    const word = sum[i]! - other[i]! - borrow;
    borrow = word < 0 ? 1 : 0;
    sum[i] = word;
  }
}
