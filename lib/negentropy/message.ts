import { type Bound, BoundReader, BoundWriter } from "./bound.ts";
import { ByteReader, ByteWriter, type Malformed, varintBytes } from "./bytes.ts";
import { FINGERPRINT_SIZE, ID_SIZE } from "./item_set.ts";

/** Protocol version 1. */
export const VERSION = 0x61;

const SKIP = 0;
const FINGERPRINT = 1;
const ID_LIST = 2;

/** One range up to an exclusive bound; its lower bound is the one of the range before. */
export type Range =
  | { readonly mode: "skip"; readonly bound: Bound }
  | { readonly mode: "fingerprint"; readonly bound: Bound; readonly fingerprint: Uint8Array }
  /** `ids` is any number of ids, one after the other. */
  | { readonly mode: "ids"; readonly bound: Bound; readonly ids: Uint8Array };

/** Reads the ranges that follow the version byte of a message, one at a time. */
export class RangeReader {
  readonly #reader: ByteReader;
  readonly #bounds: BoundReader;

  /** `ranges` is a message without its version byte. */
  constructor(ranges: Uint8Array) {
    this.#reader = new ByteReader(ranges);
    this.#bounds = new BoundReader(this.#reader);
  }

  /** The next range; undefined at the end. Not to be called again after a {@link Malformed}. */
  next(): Range | Malformed | undefined {
    if (this.#reader.left === 0) return undefined;
    const bound = this.#bounds.read();
    if ("malformed" in bound) return bound;
    const mode = this.#reader.varint();
    if (mode === undefined) return { malformed: "varint" };
    switch (Number(mode)) {
      case SKIP:
        return { mode: "skip", bound };
      case FINGERPRINT: {
        const fingerprint = this.#reader.take(FINGERPRINT_SIZE);
        return fingerprint ? { mode: "fingerprint", bound, fingerprint } : { malformed: "truncated" };
      }
      case ID_LIST:
        return this.#idList(bound);
      default:
        return { malformed: "mode" };
    }
  }

  #idList(bound: Bound): Range | Malformed {
    const count = this.#reader.varint();
    if (count === undefined) return { malformed: "varint" };
    const ids = this.#reader.take(Number(count) * ID_SIZE);
    return ids ? { mode: "ids", bound, ids } : { malformed: "truncated" };
  }
}

/** A state of a {@link RangeWriter}. */
export interface WriterMark {
  readonly length: number;
  readonly timestamp: bigint;
}

/** Writes a message: the version byte, then ranges in ascending order. */
export class RangeWriter {
  readonly #writer = new ByteWriter();
  readonly #bounds = new BoundWriter(this.#writer);

  constructor() {
    this.#writer.add(Uint8Array.of(VERSION));
  }

  /** Bytes written, the version included. */
  get length(): number {
    return this.#writer.length;
  }

  /** Appends one range. */
  write(range: Range): void {
    this.#bounds.write(range.bound);
    switch (range.mode) {
      case "skip":
        return this.#writer.add(varintBytes(SKIP));
      case "fingerprint":
        this.#writer.add(varintBytes(FINGERPRINT));
        return this.#writer.add(range.fingerprint);
      case "ids":
        this.#writer.add(varintBytes(ID_LIST));
        this.#writer.add(varintBytes(range.ids.length / ID_SIZE));
        return this.#writer.add(range.ids);
    }
  }

  /** A point to {@link rewind} to. */
  mark(): WriterMark {
    return { length: this.#writer.length, timestamp: this.#bounds.lastTimestamp };
  }

  /** Forgets what was written after `mark`. */
  rewind(mark: WriterMark): void {
    this.#writer.truncate(mark.length);
    this.#bounds.lastTimestamp = mark.timestamp;
  }

  /** The message so far, as a view. */
  view(): Uint8Array {
    return this.#writer.view();
  }
}
