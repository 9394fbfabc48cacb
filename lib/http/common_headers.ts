/** CORS values every response carries (GRASP-01); browsers do not let `*` cover `Authorization`. */
export const CORS_HEADERS: readonly (readonly [string, string])[] = [
  ["Access-Control-Allow-Origin", "*"],
  ["Access-Control-Allow-Methods", "GET, POST, OPTIONS"],
  [
    "Access-Control-Allow-Headers",
    "Authorization, Content-Type, Git-Protocol, Accept, Content-Encoding, X-Requested-With",
  ],
  ["Access-Control-Expose-Headers", "Content-Type, Content-Length, ETag, Retry-After, WWW-Authenticate"],
];

/** Sets, exactly once, the headers common to all responses. */
export function setCommonHeaders(headers: Headers): void {
  for (const [name, value] of CORS_HEADERS) headers.set(name, value);
  headers.set("Server", "ngit-grasp");
  headers.set("X-Content-Type-Options", "nosniff");
}

/** The answer to `OPTIONS` on any path: no lookup, no body. */
export function preflight(): Response {
  return new Response(null, { status: 204, headers: { "Access-Control-Max-Age": "86400" } });
}

/** A plain-text answer. */
export function plain(status: number, text: string, headers: HeadersInit = {}): Response {
  const response = new Response(text + "\n", { status, headers });
  response.headers.set("Content-Type", "text/plain; charset=utf-8");
  return response;
}

/** The same answer to a `HEAD` request: headers with the length of the body, but no body. */
export async function withoutBody(response: Response): Promise<Response> {
  const { status, headers } = response;
  if (response.body && !headers.has("Content-Length")) {
    headers.set("Content-Length", String((await response.arrayBuffer()).byteLength));
  }
  return new Response(null, { status, headers });
}
