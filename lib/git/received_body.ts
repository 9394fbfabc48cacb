import type { Clock } from "../world/mod.ts";
import type { Deadlines } from "./deadlines.ts";
import { plainResponse } from "./response.ts";

/** Why a body could not be read to its end. */
export type BodyProblem = "gone" | "idle" | "too-large" | "corrupt";

/** What a {@link BodyReader} rejects with. */
export class BodyError extends Error {
  override readonly name = "BodyError";
  constructor(readonly problem: BodyProblem) {
    super(`request body: ${problem}`);
  }

  /** The answer, if nothing was sent yet. */
  toResponse(): Response {
    switch (this.problem) {
      case "too-large":
        return plainResponse(413, "Git error: request body too large");
      case "idle":
        return plainResponse(408, "Git error: request body stalled");
      case "corrupt":
        return plainResponse(400, "Git error: corrupt gzip in request body");
      case "gone":
        return plainResponse(400, "Git error: request body incomplete");
    }
  }
}

/** Bounds on a request body. */
export interface BodyLimits {
  /** Most bytes, counted before and after decompression; Infinity for no limit. */
  readonly maxBytes: number;
  /** Longest silence of the client. */
  readonly idleMs: number;
  readonly clock: Clock;
  /** Of the same length, for bodies that need no watch of their own. */
  readonly deadlines: Deadlines;
  /** Told the size of every chunk as received. */
  readonly onBytes?: (count: number) => void;
}

/** The chunks of a body, one after the other; readers of streams are such, too. */
export interface BodyReader {
  /** The next chunk. `spare` is one that the caller is done with: its memory may be used again. */
  read(spare?: Uint8Array): Promise<ReadableStreamReadResult<Uint8Array>>;
  /** Takes nothing more. */
  cancel(): Promise<void>;
}

/** Read ahead of the child, per body. */
const READ_AHEAD_BYTES = 512 * 1024;
/** The end of a body of known length is taken in at once, however slow the child is. */
const TAIL_BYTES = 1 << 20;
const CHUNK_BYTES = 64 * 1024;
/** Chunks kept to be filled again: as many as are read ahead. */
const MAX_SPARE = READ_AHEAD_BYTES / CHUNK_BYTES;

/**
 * A request body as it comes in. The client is held back while nobody reads what was read ahead.
 *
 * When a client leaves, the runtime drops the part of its body that we have not read yet (640 KiB
 * seen), even if the body had arrived as a whole. So the tail does not stay there while git works.
 *
 * Chunks go round: memory that is allocated anew for each is freed only after dozens of MiB of them.
 */
export class ReceivedBody implements BodyReader {
  readonly #reader: ReadableStreamBYOBReader | ReadableStreamDefaultReader<Uint8Array>;
  readonly #declared: number;
  readonly #limits: BodyLimits;
  readonly #chunks: Uint8Array[] = [];
  readonly #spare: Uint8Array[] = [];
  readonly #over = new AbortController();
  /** Bytes in `#chunks`, and received so far. */
  #waiting = 0;
  #received = 0;
  #isReceiving = false;
  #isWatched = false;
  /** Since when the client has been waited for, on the monotonic clock. */
  #silentSince: number | undefined;
  #end: "complete" | BodyError | undefined;
  /** Ends the wait of the reader. */
  #wake = () => {};

  /** `declared` is the length the client named, 0 when it named none. */
  constructor(body: ReadableStream<Uint8Array>, declared: number, limits: BodyLimits) {
    this.#reader = readerOf(body);
    this.#declared = declared;
    this.#limits = limits;
    void this.#receive();
  }

  async read(spare?: Uint8Array): Promise<ReadableStreamReadResult<Uint8Array>> {
    if (spare) this.#reuse(spare);
    if (this.#chunks.length === 0 && this.#end === undefined) {
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    const value = this.#chunks.shift();
    if (value !== undefined) {
      this.#waiting -= value.length;
      void this.#receive();
      return { done: false, value };
    }
    if (this.#end instanceof BodyError) throw this.#end;
    return { done: true };
  }

  async cancel(): Promise<void> {
    this.#chunks.length = 0;
    if (this.#end === "complete") return;
    this.#finish("complete");
    await this.#reader.cancel();
  }

  /** Reads as far ahead as it may. Never rejects. */
  async #receive(): Promise<void> {
    if (this.#isReceiving) return;
    this.#isReceiving = true;
    if (!this.#isWatched) void this.#watch();
    while (this.#end === undefined && this.#hasRoom()) {
      this.#silentSince = this.#limits.clock.monotonic();
      const result = await this.#next().catch(() => new BodyError("gone"));
      this.#silentSince = undefined;
      if (this.#end !== undefined) break; // nobody wants it any more
      if (result instanceof BodyError) this.#finish(result);
      else if (result.done) this.#finish("complete");
      else this.#take(result.value);
    }
    this.#isReceiving = false;
  }

  #hasRoom(): boolean {
    return this.#waiting < READ_AHEAD_BYTES ||
      (this.#declared > 0 && this.#declared - this.#received < TAIL_BYTES);
  }

  async #next(): Promise<ReadableStreamReadResult<Uint8Array>> {
    if (this.#reader instanceof ReadableStreamDefaultReader) return await this.#reader.read();
    const left = this.#declared > 0 ? this.#declared - this.#received : CHUNK_BYTES;
    const buffer = this.#spare.pop()?.buffer ?? new ArrayBuffer(Math.min(left, CHUNK_BYTES));
    return await this.#reader.read(new Uint8Array(buffer)) as ReadableStreamReadResult<Uint8Array>;
  }

  #take(chunk: Uint8Array): void {
    this.#received += chunk.length;
    this.#limits.onBytes?.(chunk.length);
    if (this.#received > this.#limits.maxBytes) return this.#finish(new BodyError("too-large"));
    this.#append(chunk);
    this.#waiting += chunk.length;
    // Not waiting for an end that a closed connection would spoil.
    if (this.#received === this.#declared) this.#finish("complete");
    else this.#wake();
  }

  /** Tiny chunks would take the memory of large ones each: behind one with room left, they are copied into it. */
  #append(chunk: Uint8Array): void {
    const last = this.#chunks.at(-1);
    const isOurs = this.#reader instanceof ReadableStreamBYOBReader;
    if (!last || !isOurs || last.length + chunk.length > last.buffer.byteLength) {
      this.#chunks.push(chunk);
      return;
    }
    const joined = new Uint8Array(last.buffer, 0, last.length + chunk.length);
    joined.set(chunk, last.length);
    this.#chunks[this.#chunks.length - 1] = joined;
    this.#reuse(chunk);
  }

  #reuse(chunk: Uint8Array): void {
    if (chunk.buffer.byteLength === CHUNK_BYTES && this.#spare.length < MAX_SPARE) this.#spare.push(chunk);
  }

  #finish(end: "complete" | BodyError): void {
    this.#end = end;
    this.#over.abort("over"); // without a reason it makes a DOMException, which is dear
    if (end instanceof BodyError) this.#reader.cancel().catch(() => {});
    this.#wake();
  }

  /** Gives up on a client that is silent although we read. Ends when we do not. */
  async #watch(): Promise<void> {
    const { clock, idleMs } = this.#limits;
    this.#isWatched = true;
    for (let leftMs = idleMs; leftMs > 0;) {
      await clock.sleep(leftMs, this.#over.signal);
      if (this.#over.signal.aborted) return;
      if (this.#silentSince === undefined) {
        this.#isWatched = false;
        return;
      }
      leftMs = this.#silentSince + idleMs - clock.monotonic();
    }
    this.#finish(new BodyError("idle"));
  }
}

/** Bodies of our listener fill memory of ours; others bring their own. */
function readerOf(body: ReadableStream<Uint8Array>) {
  try {
    return body.getReader({ mode: "byob" });
  } catch {
    return body.getReader();
  }
}
