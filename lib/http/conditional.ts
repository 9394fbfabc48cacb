import { createHash } from "node:crypto";

/** Headers a 304 repeats from the answer it stands for (RFC 9110, 15.4.5). */
const KEPT = ["Cache-Control", "Vary", "Content-Security-Policy", "Referrer-Policy"];

/**
 * Adds a strong `ETag` to a 200 that may be cached, and answers 304 when `If-None-Match` names it.
 * Reads the whole body: for pages, documents and pictures, not for streams.
 */
export async function revalidated(request: Request, response: Response): Promise<Response> {
  const { headers } = response;
  const caching = headers.get("Cache-Control");
  if (response.status !== 200 || caching === null || caching.includes("no-store")) return response;
  const body = new Uint8Array(await response.arrayBuffer());
  const etag = `"${createHash("sha256").update(body).digest("base64url").slice(0, 22)}"`;
  if (!matches(request.headers.get("if-none-match"), etag)) {
    headers.set("ETag", etag);
    return new Response(body, { status: 200, headers });
  }
  const kept = KEPT.flatMap((name) => headers.has(name) ? [[name, headers.get(name)!] as const] : []);
  return new Response(null, { status: 304, headers: [...kept.map(([n, v]) => [n, v]), ["ETag", etag]] });
}

/** Weak comparison, as `If-None-Match` asks for: the runtime weakens the tag when it compresses. */
function matches(header: string | null, etag: string): boolean {
  const tags = (header ?? "").split(",").map((tag) => tag.trim().replace(/^W\//, ""));
  return tags.includes("*") || tags.includes(etag);
}
