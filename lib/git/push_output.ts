/** Progress text a client has not read beyond this is dropped; the report never is. */
const MAX_UNREAD_BYTES = 1 << 20;

/**
 * The answer to a push while it is being made. Writing never waits: a client that stops reading, or
 * leaves, must not hold up a push that git is already applying.
 */
export class PushOutput {
  /** The body of the answer. */
  readonly stream: ReadableStream<Uint8Array>;
  /** Resolves at the first bytes or the end: the time to send the head of the answer. */
  readonly started: Promise<void>;
  readonly #onBytes: (count: number) => void;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  #start!: () => void;

  constructor(onBytes: (count: number) => void) {
    this.#onBytes = onBytes;
    this.started = new Promise((resolve) => this.#start = resolve);
    this.stream = new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.#controller = controller;
      },
      cancel: () => {
        this.#controller = undefined;
      },
    }, new ByteLengthQueuingStrategy({ highWaterMark: MAX_UNREAD_BYTES }));
  }

  /** Text the client can do without. */
  progress(bytes: Uint8Array): void {
    if ((this.#controller?.desiredSize ?? 0) > 0) this.write(bytes);
  }

  /** Bytes the client must get. */
  write(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#controller?.enqueue(bytes);
    this.#onBytes(bytes.length);
    this.#start();
  }

  /** Ends the answer. */
  close(): void {
    this.#controller?.close();
    this.#controller = undefined;
    this.#start();
  }
}
