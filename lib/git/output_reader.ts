/** Most bytes read at a time: what a pipe holds. */
const READ_BYTES = 64 << 10;

/**
 * Reads a byte stream into one buffer, and gives copies. The runtime's own reader takes a buffer of 64 KiB from
 * the system for every read, however little it finds.
 */
export class OutputReader {
  readonly #reader: ReadableStreamBYOBReader;
  #buffer = new ArrayBuffer(READ_BYTES);

  constructor(stream: ReadableStream<Uint8Array>) {
    this.#reader = stream.getReader({ mode: "byob" });
  }

  /** The next bytes; undefined at the end, and when the stream breaks. One call at a time. */
  async read(): Promise<Uint8Array | undefined> {
    try {
      const { value } = await this.#reader.read(new Uint8Array(this.#buffer));
      if (value === undefined || value.length === 0) return undefined;
      this.#buffer = value.buffer as ArrayBuffer;
      return value.slice();
    } catch {
      return undefined;
    }
  }

  /** Takes no more. Never rejects. */
  async cancel(): Promise<void> {
    await this.#reader.cancel().catch(() => {});
  }
}
