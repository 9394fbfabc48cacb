import { type IncomingMessage, request } from "node:http";
import { Buffer } from "node:buffer";

/** A request as it goes on the wire. */
export interface WireRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** POST when given, GET otherwise. */
  readonly body?: Uint8Array;
  /** Send the body in pieces with `Transfer-Encoding: chunked` instead of a `Content-Length`. */
  readonly chunked?: boolean;
}

/** An answer, complete. */
export interface WireAnswer {
  readonly status: number;
  /** As sent, parameters included. */
  readonly contentType: string | undefined;
  readonly body: Uint8Array;
}

const PIECE_BYTES = 8_192;

/** One HTTP/1.1 request with the given headers and none that a browser-like client would add. */
export function exchange({ url, headers, body, chunked }: WireRequest): Promise<WireAnswer> {
  return new Promise((resolve, reject) => {
    const sent = request(url, {
      method: body ? "POST" : "GET",
      headers: { ...headers, ...(body && !chunked && { "Content-Length": String(body.length) }) },
    }, (response) => collect(response).then(resolve, reject));
    sent.on("error", reject);
    if (body && chunked) {
      for (let at = 0; at < body.length; at += PIECE_BYTES) sent.write(body.subarray(at, at + PIECE_BYTES));
    } else if (body) sent.write(body);
    sent.end();
  });
}

function collect(response: IncomingMessage): Promise<WireAnswer> {
  const parts: Uint8Array[] = [];
  return new Promise((resolve, reject) => {
    response.on("data", (part: Uint8Array) => void parts.push(part));
    response.on("error", reject);
    response.on("end", () =>
      resolve({
        status: response.statusCode ?? 0,
        contentType: response.headers["content-type"],
        body: new Uint8Array(Buffer.concat(parts)),
      }));
  });
}
