/** What is wrong with a message of the other side. */
export type MalformedReason =
  | "empty"
  | "version"
  | "varint"
  | "truncated"
  | "timestamp"
  | "bound"
  | "order"
  | "mode";

/** A message that breaks the protocol; hostile input is a value, never an exception. */
export interface Malformed {
  readonly malformed: MalformedReason;
}

/** Largest varint accepted: timestamps are 64 bits wide. */
const MAX_UINT64 = 2n ** 64n - 1n;
const MAX_VARINT_BYTES = 10;
/** As many base-128 digits fit a number exactly. */
const EXACT_DIGITS = 7;

/** Reads the parts of a message in order; undefined means that there is no such part. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Bytes not read yet. */
  get left(): number {
    return this.#bytes.length - this.#at;
  }

  /** The next `length` bytes, as a view. */
  take(length: number): Uint8Array | undefined {
    if (length > this.left) return undefined;
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  /** The next varint: at most 64 bits, written with as few digits as possible. */
  varint(): bigint | undefined {
    let small = 0;
    let large = 0n;
    for (let digits = 1; digits <= MAX_VARINT_BYTES && this.left > 0; digits++) {
      const byte = this.#bytes[this.#at++]!;
      if (digits === 1 && byte === 0x80) return undefined;
      const digit = byte & 0x7f;
      if (digits <= EXACT_DIGITS) small = small * 128 + digit;
      else large = (digits === EXACT_DIGITS + 1 ? BigInt(small) : large) * 128n + BigInt(digit);
      if (byte < 0x80) {
        const value = digits <= EXACT_DIGITS ? BigInt(small) : large;
        return value <= MAX_UINT64 ? value : undefined;
      }
    }
    return undefined;
  }
}

/** The varint of `value`, a non-negative integer (NIP-77, Varint). */
export function varintBytes(value: bigint | number): Uint8Array {
  const digits: number[] = [];
  let rest = BigInt(value);
  do {
    digits.push(Number(rest & 0x7fn) | (digits.length > 0 ? 0x80 : 0));
    rest >>= 7n;
  } while (rest > 0n);
  return Uint8Array.from(digits.reverse());
}

/** Bytes that grow. */
export class ByteWriter {
  #bytes = new Uint8Array(256);
  #length = 0;

  /** Bytes written. */
  get length(): number {
    return this.#length;
  }

  /** Appends a copy of `bytes`. */
  add(bytes: Uint8Array): void {
    const length = this.#length + bytes.length;
    if (length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(length, this.#bytes.length * 2));
      grown.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = grown;
    }
    this.#bytes.set(bytes, this.#length);
    this.#length = length;
  }

  /** Forgets what was written beyond `length` bytes. */
  truncate(length: number): void {
    this.#length = Math.min(length, this.#length);
  }

  /** What has been written, as a view. */
  view(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }
}

/** `bytes` as lower-case hex. */
export function hexOf(bytes: Uint8Array): string {
  return bytes.toHex();
}
