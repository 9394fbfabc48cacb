/** Headers of every git response: nothing on the way may cache or recompress it (git-http 1.4). */
const GIT_HEADERS: Readonly<Record<string, string>> = {
  "Cache-Control": "no-cache, max-age=0, must-revalidate, no-transform",
  "Pragma": "no-cache",
  "Expires": "Fri, 01 Jan 1980 00:00:00 GMT",
  "X-Content-Type-Options": "nosniff",
};

/** A git response; `contentType` without parameters, because libgit2 compares it byte by byte. */
export function gitResponse(
  contentType: string,
  body: Uint8Array | ReadableStream<Uint8Array> | null,
): Response {
  return new Response(body as BodyInit | null, {
    status: 200,
    headers: { ...GIT_HEADERS, "Content-Type": contentType },
  });
}

/** An error of the HTTP layer, for people and logs; git clients show little of it. */
export function plainResponse(status: number, text: string, headers: Record<string, string> = {}): Response {
  return new Response(`${text}\n`, {
    status,
    headers: { ...GIT_HEADERS, "Content-Type": "text/plain", ...headers },
  });
}

/** 404 of every git path that leads to no repository. */
export function repositoryNotFound(): Response {
  return plainResponse(404, "Git error: repository not found");
}

/** 503 after the wait for a free git process was too long. */
export function tooBusy(): Response {
  return plainResponse(503, "Git error: too many git processes, try again", { "Retry-After": "5" });
}

/** 500 without details. */
export function internalError(): Response {
  return plainResponse(500, "Git error: internal error");
}
