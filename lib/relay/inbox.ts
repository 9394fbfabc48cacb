import { nextTurn } from "./turn.ts";

/** Messages handled in one turn of the event loop before others get theirs. */
const MESSAGES_PER_TURN = 64;

/**
 * The incoming side of one connection: handles messages in order, one at a time, and bounds what
 * waits. A WebSocket has no back-pressure towards its sender, so at the bound it can only end.
 */
export class Inbox<T> {
  readonly #handle: (message: T) => Promise<void> | void;
  readonly #maxMessages: number;
  readonly #maxBytes: number;
  readonly #waiting: { message: T; bytes: number }[] = [];
  #bytes = 0;
  #open = true;
  #discarded = false;
  #busy = false;
  #running: Promise<void> = Promise.resolve();

  /** `handle` must not reject. */
  constructor(handle: (message: T) => Promise<void> | void, maxMessages: number, maxBytes: number) {
    this.#handle = handle;
    this.#maxMessages = maxMessages;
    this.#maxBytes = maxBytes;
  }

  /** Queues a message of `bytes` bytes; false when it does not fit. Ignored once finished. */
  push(message: T, bytes: number): boolean {
    if (!this.#open) return true;
    if (this.#waiting.length >= this.#maxMessages || this.#bytes + bytes > this.#maxBytes) return false;
    this.#waiting.push({ message, bytes });
    this.#bytes += bytes;
    if (!this.#busy) this.#running = this.#run();
    return true;
  }

  /** Takes no further messages; resolves when those that waited have been handled. */
  async finish(): Promise<void> {
    this.#open = false;
    await this.#running;
  }

  /** Takes no further messages and forgets those that wait. */
  discard(): void {
    this.#open = false;
    this.#discarded = true;
    this.#waiting.length = 0;
  }

  async #run(): Promise<void> {
    this.#busy = true;
    while (this.#waiting.length > 0) {
      // Taken out in slices, because shifting a long array one by one is quadratic.
      for (const { message, bytes } of this.#waiting.splice(0, MESSAGES_PER_TURN)) {
        if (this.#discarded) break;
        await this.#handle(message);
        this.#bytes -= bytes;
      }
      if (this.#waiting.length > 0) await nextTurn();
    }
    this.#busy = false;
  }
}
