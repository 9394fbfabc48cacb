const HEADER_BYTES = 4;
const DIGITS = new TextEncoder().encode("0123456789abcdef");

/** Puts pkt-lines together from ranges of bytes, without an object per line. */
export class PktWriter {
  #bytes: Uint8Array<ArrayBuffer>;
  #length = 0;
  #lineStart = 0;

  /** `expected` is how many bytes there will be, roughly. */
  constructor(expected: number) {
    this.#bytes = new Uint8Array(Math.max(expected, 64));
  }

  /** Begins a line. */
  begin(): this {
    this.#lineStart = this.#length;
    this.#makeRoom(HEADER_BYTES);
    this.#length += HEADER_BYTES;
    return this;
  }

  /** Adds `source` from `start` to before `end`: a part of the line begun, or whole lines between lines. */
  add(source: Uint8Array, start = 0, end = source.length): this {
    this.#makeRoom(end - start);
    this.#bytes.set(source.subarray(start, end), this.#length);
    this.#length += end - start;
    return this;
  }

  /** Ends the line begun, which has fewer than 65,517 bytes. */
  end(): void {
    const length = this.#length - this.#lineStart;
    for (let digit = 0; digit < HEADER_BYTES; digit++) {
      this.#bytes[this.#lineStart + digit] = DIGITS[(length >> (12 - 4 * digit)) & 15]!;
    }
  }

  /** Everything added. */
  take(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#length);
  }

  #makeRoom(count: number): void {
    if (this.#length + count <= this.#bytes.length) return;
    const grown = new Uint8Array(2 * (this.#length + count));
    grown.set(this.take());
    this.#bytes = grown;
  }
}
