import { type ByteReader, type ByteWriter, type Malformed, varintBytes } from "./bytes.ts";

/** The reserved timestamp that stands after every item. */
export const INFINITY = 2n ** 64n - 1n;
const MAX_PREFIX = 32;

/** A point between items: omitted trailing bytes of the id are 0 (NIP-77, Bound). */
export interface Bound {
  readonly timestamp: bigint;
  readonly prefix: Uint8Array;
}

const NO_PREFIX = new Uint8Array(0);

/** Before every item. */
export const START: Bound = { timestamp: 0n, prefix: NO_PREFIX };
/** After every item. */
export const END: Bound = { timestamp: INFINITY, prefix: NO_PREFIX };

/** Negative, 0 or positive as `a` stands before, at or after `b`. */
export function compareBounds(a: Bound, b: Bound): number {
  if (a.timestamp !== b.timestamp) return a.timestamp < b.timestamp ? -1 : 1;
  for (let i = 0; i < Math.max(a.prefix.length, b.prefix.length); i++) {
    const difference = (a.prefix[i] ?? 0) - (b.prefix[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Reads the bounds of one message; they must not decrease. */
export class BoundReader {
  readonly #reader: ByteReader;
  #last: Bound = START;

  constructor(reader: ByteReader) {
    this.#reader = reader;
  }

  /** The next bound. After infinity only infinity may follow: then a range is empty. */
  read(): Bound | Malformed {
    const encoded = this.#reader.varint();
    if (encoded === undefined) return { malformed: "varint" };
    const timestamp = encoded === 0n ? INFINITY : this.#last.timestamp + encoded - 1n;
    if (encoded !== 0n && timestamp >= INFINITY) return { malformed: "timestamp" };
    const length = this.#reader.varint();
    if (length === undefined) return { malformed: "varint" };
    if (length > MAX_PREFIX) return { malformed: "bound" };
    const prefix = this.#reader.take(Number(length));
    if (!prefix) return { malformed: "truncated" };
    const bound = { timestamp, prefix };
    if (compareBounds(bound, this.#last) < 0) return { malformed: "order" };
    return this.#last = bound;
  }
}

/** Writes the bounds of one message, in ascending order. */
export class BoundWriter {
  readonly #writer: ByteWriter;
  /** What the next bound is written relative to. */
  lastTimestamp = 0n;

  constructor(writer: ByteWriter) {
    this.#writer = writer;
  }

  /** Appends one bound. */
  write({ timestamp, prefix }: Bound): void {
    const encoded = timestamp === INFINITY ? 0n : 1n + timestamp - this.lastTimestamp;
    this.lastTimestamp = timestamp;
    this.#writer.add(varintBytes(encoded));
    this.#writer.add(varintBytes(prefix.length));
    this.#writer.add(prefix);
  }
}
