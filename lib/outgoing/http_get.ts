import { type IncomingMessage, request as httpRequest, type RequestOptions } from "node:http";
import { request as httpsRequest } from "node:https";
import type { GetAnswer, GetRequest, NetworkFailure, PinnedHost } from "../world/mod.ts";
import type { Deadline } from "./deadline.ts";
import type { ConnectionOptions } from "./dial.ts";
import { failure, failureOf } from "./failure.ts";
import { ADDRESS_ATTEMPT_MS, pinnedLookup } from "./pinned_lookup.ts";

/** Largest head of an answer in bytes. */
const MAX_HEAD_BYTES = 32_768;
const FIRST_BODY_BYTES = 16_384;

/** One GET to one of the checked addresses, without following redirects. Never rejects. */
export function getOnce(
  url: URL,
  pinned: PinnedHost,
  request: Pick<GetRequest, "headers" | "maxBytes">,
  deadline: Deadline,
  options: ConnectionOptions,
): Promise<GetAnswer | NetworkFailure> {
  return new Promise((resolve) => {
    const settle = (result: GetAnswer | NetworkFailure) => {
      deadline.signal.removeEventListener("abort", onDeadline);
      resolve(deadline.signal.aborted ? deadline.failure() : result);
      sent?.destroy();
    };
    const onDeadline = () => settle(deadline.failure());
    let sent: ReturnType<typeof httpRequest> | undefined;
    try {
      sent = (url.protocol === "https:" ? httpsRequest : httpRequest)(
        requestOptions(url, pinned, request, options),
      );
      sent.on("error", (error) => settle(failureOf(error)));
      sent.on("upgrade", (_answer, socket) => {
        socket.destroy();
        settle(failure("protocol", "an upgrade nobody asked for"));
      });
      sent.on("response", (answer) => void readAnswer(url, answer, request.maxBytes).then(settle));
      deadline.signal.addEventListener("abort", onDeadline, { once: true });
      sent.end();
    } catch (error) {
      settle(failureOf(error));
    }
  });
}

function requestOptions(
  url: URL,
  pinned: PinnedHost,
  request: Pick<GetRequest, "headers">,
  options: ConnectionOptions,
): RequestOptions & { readonly ca?: string[]; readonly autoSelectFamilyAttemptTimeout: number } {
  return {
    host: pinned.host,
    port: pinned.port,
    path: url.pathname + url.search,
    method: "GET",
    lookup: pinnedLookup(pinned),
    autoSelectFamilyAttemptTimeout: ADDRESS_ATTEMPT_MS,
    // A connection of its own: one kept for later would outlive the check of its address.
    agent: false,
    maxHeaderSize: MAX_HEAD_BYTES,
    headers: {
      "Host": url.host,
      "User-Agent": options.userAgent,
      "Accept-Encoding": "identity",
      ...request.headers,
    },
    ...(options.certificateAuthorities && { ca: [...options.certificateAuthorities] }),
  };
}

async function readAnswer(
  url: URL,
  answer: IncomingMessage,
  maxBytes: number,
): Promise<GetAnswer | NetworkFailure> {
  const headers = headersOf(answer);
  if (Number(headers.get("content-length") ?? 0) > maxBytes) return tooLarge(maxBytes);
  const encoding = headers.get("content-encoding") ?? "identity";
  if (encoding.toLowerCase() !== "identity") return failure("protocol", "an encoded answer nobody asked for");
  const body = await readBody(answer, maxBytes);
  if (!(body instanceof Uint8Array)) return body;
  return { ok: true, status: answer.statusCode ?? 0, headers, body, url: url.href };
}

function readBody(answer: IncomingMessage, maxBytes: number): Promise<Uint8Array | NetworkFailure> {
  return new Promise((resolve) => {
    // Copied as it comes: a server may send it byte by byte, and each piece weighs some hundred bytes.
    let body = new Uint8Array(FIRST_BODY_BYTES);
    let size = 0;
    answer.on("data", (chunk: Uint8Array) => {
      if (size + chunk.length > maxBytes) {
        answer.destroy();
        return resolve(tooLarge(maxBytes));
      }
      if (size + chunk.length > body.length) body = enlarged(body, size + chunk.length);
      body.set(chunk, size);
      size += chunk.length;
    });
    answer.on(
      "end",
      () => resolve(answer.complete ? body.slice(0, size) : failure("network", "the answer was cut off")),
    );
    answer.on("error", (error) => resolve(failureOf(error)));
    answer.on("close", () => resolve(failure("network", "the answer was cut off")));
  });
}

function enlarged(body: Uint8Array<ArrayBuffer>, size: number): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(Math.max(2 * body.length, size));
  larger.set(body);
  return larger;
}

function headersOf(answer: IncomingMessage): Headers {
  const headers = new Headers();
  for (let at = 0; at + 1 < answer.rawHeaders.length; at += 2) {
    try {
      headers.append(answer.rawHeaders[at]!, answer.rawHeaders[at + 1]!);
    } catch {
      // a header no client could have meant
    }
  }
  return headers;
}

function tooLarge(maxBytes: number): NetworkFailure {
  return failure("too_large", `more than ${maxBytes} bytes`);
}
