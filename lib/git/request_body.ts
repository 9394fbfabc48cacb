import { Buffer } from "node:buffer";
import { Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import type { Clock } from "../world/mod.ts";
import { BodyError, type BodyLimits, type BodyReader, ReceivedBody } from "./received_body.ts";
import { plainResponse } from "./response.ts";
import { isShort, ShortBody } from "./short_body.ts";

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
  if (!isGzip && isShort(request, declared)) return new ShortBody(request, limits);
  if (!request.body) return EMPTY;
  const received = new ReceivedBody(request.body, declared, limits);
  return isGzip ? gunzipped(received, limits.maxBytes) : received;
}

const EMPTY: BodyReader = {
  read: () => Promise.resolve({ done: true }),
  cancel: () => Promise.resolve(),
};

function gunzipped(received: BodyReader, maxBytes: number): BodyReader {
  const unpacked = gunzip(received, maxBytes);
  return {
    async read() {
      const { done, value } = await unpacked.next();
      return done ? { done } : { done: false, value };
    },
    async cancel() {
      await received.cancel();
      await unpacked.return(undefined);
    },
  };
}

async function* gunzip(source: BodyReader, maxBytes: number): AsyncGenerator<Uint8Array> {
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
    source.cancel().catch(() => {});
  }
}

async function* asBuffers(source: BodyReader): AsyncGenerator<Buffer> {
  for (let chunk = await source.read(); !chunk.done; chunk = await source.read(chunk.value)) {
    yield Buffer.from(chunk.value); // a copy: many wait, and each may be few bytes in much memory
  }
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
    for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read(chunk.value)) {
      lastReadAt = clock.monotonic();
    }
    complete = true;
  } catch {
    // The client is gone; nothing is left to drain.
  }
  over.abort("read");
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
      chunk = (await reader.read(chunk === head ? undefined : chunk)).value;
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
