import { Advertisements } from "./advertisement.ts";
import { GitHttpContext, type GitHttpOptions } from "./http_context.ts";
import { parseGitPath } from "./path.ts";
import { receivePack } from "./receive_pack.ts";
import type { RepositoryRef } from "./repository_ref.ts";
import { internalError, plainResponse, repositoryNotFound } from "./response.ts";
import { uploadPack } from "./upload_pack.ts";

/** The git smart HTTP service. */
export interface GitHttp {
  /**
   * Answers a request to a git endpoint; undefined when the path is none (`rawPath` is the path as the
   * client sent it, query allowed). Never rejects. CORS headers are the caller's.
   */
  handle(request: Request, rawPath: string): Promise<Response> | undefined;
  /** Git children serving clients now, and requests waiting for one. */
  load(): { readonly active: number; readonly waiting: number };
  /** Lets running pushes and fetches end for `graceMs`, then ends every child. Resolves within 10 s after that. */
  stop(graceMs: number): Promise<void>;
}

/** Longest wait for ended pushes to be settled when stopping; what is left is repaired at the next start. */
const SETTLE_AT_STOP_MS = 10_000;

/** Builds the service; it owns no listener. */
export function createGitHttp(options: GitHttpOptions): GitHttp {
  const context = new GitHttpContext(options);
  const advertisements = new Advertisements(context);
  return {
    handle(request, rawPath) {
      const path = parseGitPath(rawPath);
      if (!path.ok) {
        if (!path.git) return undefined;
        return refuseUnread(
          request,
          path.status === 400 ? plainResponse(400, "Git error: malformed path") : repositoryNotFound(),
        );
      }
      if (path.subpath === "") return undefined;
      return answer(context, advertisements, path.ref, path.subpath, request);
    },
    load: () => ({ active: context.places.active, waiting: context.places.waiting }),
    async stop(graceMs) {
      const over = new AbortController();
      const kill = () => context.stopping.abort();
      const grace = context.clock.sleep(graceMs, over.signal).then(kill);
      await Promise.race([context.transfersEnded(), grace]);
      over.abort();
      kill();
      const last = new AbortController();
      await Promise.race([context.transfersEnded(), context.clock.sleep(SETTLE_AT_STOP_MS, last.signal)]);
      last.abort();
    },
  };
}

async function answer(
  context: GitHttpContext,
  advertisements: Advertisements,
  ref: RepositoryRef,
  subpath: "info/refs" | "git-upload-pack" | "git-receive-pack",
  request: Request,
): Promise<Response> {
  const allowed = subpath === "info/refs" ? ["GET", "HEAD"] : ["POST"];
  if (!allowed.includes(request.method)) {
    return await refuseUnread(
      request,
      plainResponse(405, "Git error: method not allowed", { Allow: allowed.join(", ") }),
    );
  }
  // Counted as used before looking, so that a repository seen here is not removed under us.
  const release = context.repositories.use(ref);
  try {
    if (!await context.repositories.exists(ref)) {
      release();
      return await refuseUnread(request, repositoryNotFound());
    }
    if (subpath === "info/refs") {
      return await withoutBody(request, await advertisements.answer(ref, request, release));
    }
    if (subpath === "git-receive-pack") return await receivePack(context, ref, request, release);
    return await uploadPack(context, ref, request, release);
  } catch (error) {
    release();
    context.log.error("a git request failed", { error: context.clean(String(error), ref) });
    return internalError();
  }
}

async function withoutBody(request: Request, response: Response): Promise<Response> {
  if (request.method !== "HEAD") return response;
  await response.body?.cancel();
  return new Response(null, { status: response.status, headers: response.headers });
}

async function refuseUnread(request: Request, response: Response): Promise<Response> {
  await request.body?.cancel().catch(() => {});
  return withoutBody(request, response);
}
