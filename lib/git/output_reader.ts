import { joinBytes } from "./pkt_line.ts";

/** Most bytes read at a time: what a pipe holds. */
const READ_BYTES = 64 << 10;
/** Read before they are asked for. */
const AHEAD_BYTES = 128 << 10;

/**
 * Reads the output of a child, which often comes in pieces of a few KiB: into one buffer, because the runtime's own
 * reader takes 64 KiB of memory for each of them, and ahead, so that what arrives while the caller is busy becomes
 * one piece.
 */
export class OutputReader {
  readonly #reader: ReadableStreamBYOBReader;
  #buffer = new ArrayBuffer(READ_BYTES);
  #pieces: Uint8Array[] = [];
  #held = 0;
  #hasEnded = false;
  #isReading = false;
  #arrival = Promise.withResolvers<void>();

  constructor(stream: ReadableStream<Uint8Array>) {
    this.#reader = stream.getReader({ mode: "byob" });
  }

  /** The next bytes; undefined at the end, and when the stream breaks. One call at a time. Never rejects. */
  async read(): Promise<Uint8Array | undefined> {
    for (;;) {
      const bytes = this.#pieces.length > 1 ? joinBytes(this.#pieces) : this.#pieces[0];
      this.#pieces = [];
      this.#held = 0;
      this.#readAhead();
      if (bytes || this.#hasEnded) return bytes;
      await this.#arrival.promise;
    }
  }

  /** Takes no more. Never rejects. */
  async cancel(): Promise<void> {
    await this.#reader.cancel().catch(() => {});
  }

  async #readAhead(): Promise<void> {
    if (this.#isReading) return;
    this.#isReading = true;
    while (!this.#hasEnded && this.#held < AHEAD_BYTES) {
      const piece = await this.#piece();
      if (piece) {
        this.#pieces.push(piece);
        this.#held += piece.length;
      } else this.#hasEnded = true;
      this.#arrival.resolve();
      this.#arrival = Promise.withResolvers();
    }
    this.#isReading = false;
  }

  async #piece(): Promise<Uint8Array | undefined> {
    try {
      const { value } = await this.#reader.read(new Uint8Array(this.#buffer));
      if (value === undefined || value.length === 0) return undefined;
      this.#buffer = value.buffer as ArrayBuffer;
      return value.slice();
    } catch {
      return undefined;
    }
  }
}
