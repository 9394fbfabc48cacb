import { Buffer } from "node:buffer";
import { Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import type { Clock } from "../world/mod.ts";
import { plainResponse } from "./response.ts";

/** Why a body could not be read to its end. */
export type BodyProblem = "gone" | "idle" | "too-large" | "corrupt";

/** What the stream of {@link openBody} fails with. */
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
  /** Told the size of every chunk as received. */
  readonly onBytes?: (count: number) => void;
}

type BodyReader = ReadableStreamDefaultReader<Uint8Array>;

/**
 * Opens a request body for streaming, decompressed when it is gzip. A response instead when it is
 * refused before reading. The reader rejects with {@link BodyError} only.
 */
export function openBody(request: Request, limits: BodyLimits): BodyReader | Response {
  const encoding = (request.headers.get("content-encoding") ?? "identity").trim().toLowerCase();
  const isGzip = encoding === "gzip" || encoding === "x-gzip";
  if (!isGzip && encoding !== "identity" && encoding !== "") {
    return plainResponse(415, "Git error: unsupported content encoding");
  }
  const declared = Number(request.headers.get("content-length") ?? "0");
  if (declared > limits.maxBytes) return new BodyError("too-large").toResponse();
  const received = streamOf(receive(request.body, declared, limits), readAhead(declared));
  return isGzip ? streamOf(gunzip(received, limits.maxBytes)).getReader() : received.getReader();
}

async function* receive(
  body: ReadableStream<Uint8Array> | null,
  declared: number,
  limits: BodyLimits,
): AsyncGenerator<Uint8Array> {
  if (!body) return;
  const reader = body.getReader();
  let size = 0;
  let complete = false;
  try {
    while (true) {
      const { done, value } = await withinIdleTime(reader, limits);
      if (done) break;
      size += value.length;
      limits.onBytes?.(value.length);
      if (size > limits.maxBytes) throw new BodyError("too-large");
      yield value;
      if (size === declared) break; // not waiting for an end that a closed connection would spoil
    }
    complete = true;
  } finally {
    if (!complete) reader.cancel().catch(() => {});
  }
}

async function withinIdleTime(reader: BodyReader, { clock, idleMs }: BodyLimits) {
  const over = new AbortController();
  const read = reader.read().catch(() => {
    throw new BodyError("gone");
  });
  const idle = clock.sleep(idleMs, over.signal).then((): never => {
    throw new BodyError("idle");
  });
  idle.catch(() => {}); // the sleep also ends when the read was first
  read.catch(() => {});
  try {
    return await Promise.race([read, idle]);
  } finally {
    over.abort();
  }
}

async function* gunzip(source: ReadableStream<Uint8Array>, maxBytes: number): AsyncGenerator<Uint8Array> {
  const unpacked = createGunzip();
  const packed = Readable.from(asBuffers(source), { objectMode: false, highWaterMark: 64 * 1024 });
  packed.on("error", (error) => unpacked.destroy(error));
  packed.pipe(unpacked);
  let size = 0;
  try {
    for await (const chunk of unpacked as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > maxBytes) throw new BodyError("too-large");
      yield new Uint8Array(chunk.buffer as ArrayBuffer, chunk.byteOffset, chunk.byteLength);
    }
  } catch (error) {
    throw error instanceof BodyError ? error : new BodyError("corrupt");
  } finally {
    packed.destroy();
    unpacked.destroy();
  }
}

async function* asBuffers(source: ReadableStream<Uint8Array>): AsyncGenerator<Buffer> {
  for await (const chunk of source) yield Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
}

/** Pulls one chunk at a time; the client is held back while nobody reads. */
function streamOf(
  source: AsyncGenerator<Uint8Array>,
  strategy: QueuingStrategy<Uint8Array> = { highWaterMark: 0 },
): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await source.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    async cancel() {
      await source.return(undefined);
    },
  }, strategy);
}

/** Read ahead of the child, per body. */
const READ_AHEAD_BYTES = 512 * 1024;
/** The end of a body of known length is taken in at once, however slow the child is. */
const TAIL_BYTES = 1 << 20;

/**
 * When a client leaves, the runtime drops the part of its body that we have not read yet (640 KiB
 * seen), even if the body had arrived as a whole. So the tail does not stay there while git works.
 */
function readAhead(declared: number): QueuingStrategy<Uint8Array> {
  let seen = 0;
  return {
    highWaterMark: READ_AHEAD_BYTES,
    size: (chunk) => {
      seen += chunk?.length ?? 0;
      return declared - seen < TAIL_BYTES && declared > 0 ? 0 : chunk?.length ?? 0;
    },
  };
}

/** Longest time spent on reading what nobody wants (git-http 1.10). */
const DRAIN_MS = 120_000;
/** How long a proxy may be silent meanwhile. */
const PROXY_QUIET_MS = 2_000;

/**
 * Longest silence while the rest of a body is read that nobody wants. A client that pauses goes on, but a proxy
 * that streams bodies (nginx) passes on nothing once it has seen our answer begin, and its client waits for the
 * end of that answer.
 */
export function patience({ headers }: Request): number {
  const isForwarded = ["x-forwarded-for", "forwarded", "via"].some((name) => headers.has(name));
  return isForwarded ? PROXY_QUIET_MS : DRAIN_MS;
}

/**
 * Reads and discards the rest of a body, because a client that is cut off while sending never shows
 * our answer. Gives up after 120 s, when nothing came for `quietMs`, or when the body fails. Never rejects;
 * true when the end was seen.
 */
export async function drain(reader: BodyReader, clock: Clock, quietMs = DRAIN_MS): Promise<boolean> {
  const over = new AbortController();
  const deadline = clock.monotonic() + DRAIN_MS;
  let lastReadAt = clock.monotonic();
  const watching = (async () => {
    for (;;) {
      const leftMs = Math.min(lastReadAt + quietMs, deadline) - clock.monotonic();
      if (leftMs <= 0) break;
      await clock.sleep(leftMs, over.signal);
      if (over.signal.aborted) return "read";
    }
    reader.cancel().catch(() => {});
    return "given up";
  })();
  let complete = false;
  try {
    while (!(await reader.read()).done) lastReadAt = clock.monotonic();
    complete = true;
  } catch {
    // The client is gone; nothing is left to drain.
  }
  over.abort();
  return await watching === "read" && complete;
}

/** How feeding a child ended: `broken-pipe` when it stopped reading; then the body was drained. */
export type PumpEnd = "complete" | "broken-pipe" | BodyError;

/**
 * Feeds `head` and the rest of a body into a child's stdin and closes it, chunk by chunk as the child
 * reads. Never rejects: a body that fails ends the input early, which git notices.
 */
export async function pump(
  head: Uint8Array,
  reader: BodyReader,
  stdin: WritableStream<Uint8Array>,
  options: { readonly clock: Clock; readonly quietMs?: number; readonly onProgress: () => void },
): Promise<PumpEnd> {
  const writer = stdin.getWriter();
  writer.closed.catch(() => {});
  let chunk: Uint8Array | undefined = head;
  let problem: BodyError | undefined;
  while (chunk !== undefined) {
    options.onProgress();
    if (chunk.length > 0 && !(await succeeds(writer.write(chunk)))) {
      await succeeds(writer.abort());
      await drain(reader, options.clock, options.quietMs);
      return "broken-pipe";
    }
    try {
      chunk = (await reader.read()).value;
    } catch (error) {
      problem = error instanceof BodyError ? error : new BodyError("gone");
      chunk = undefined;
    }
  }
  await succeeds(writer.close());
  return problem ?? "complete";
}

async function succeeds(work: Promise<unknown>): Promise<boolean> {
  try {
    await work;
    return true;
  } catch {
    return false;
  }
}
