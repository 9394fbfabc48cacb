import { Advertisements } from "./advertisement.ts";
import { GitHttpContext, type GitHttpOptions } from "./http_context.ts";
import { parseContributionPath, parseGitPath } from "./path.ts";
import { receivePack } from "./receive_pack.ts";
import type { RepositoryRef } from "./repository_ref.ts";
import { internalError, plainResponse, repositoryNotFound } from "./response.ts";
import { uploadPack } from "./upload_pack.ts";

/** The git smart HTTP service. */
export interface GitHttp {
  /**
   * Answers a request to a git endpoint; undefined when the path is none (`rawPath` is the path as the
   * client sent it, query allowed). Never rejects. CORS headers are the caller's. `client` tells the
   * address it came from.
   */
  handle(request: Request, rawPath: string, client?: () => string): Promise<Response> | undefined;
  /** Gets ready to serve contributors' repositories that do not exist. Rejects when git does not work. */
  prepareContributions(): Promise<void>;
  /** Removes what an earlier server kept for later requests. Never rejects. */
  clearPackCache(): Promise<void>;
  /** Removes what is kept for later requests, where the disk is full. False when there was nothing. */
  giveUpPackCache(): boolean;
  /** Bytes kept on disk for later requests. */
  packCacheBytes(): number;
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
  let emptyPath = "";
  return {
    async prepareContributions() {
      emptyPath = await context.repositories.emptyRepository();
      await advertisements.prepareEmpty(emptyPath);
    },
    handle(request, rawPath, client) {
      const contribution = context.contributions && parseContributionPath(rawPath);
      const path = contribution ?? parseGitPath(rawPath);
      if (!path.ok) {
        if (!path.git) return undefined;
        return refuseUnread(
          request,
          path.status === 400 ? plainResponse(400, "Git error: malformed path") : repositoryNotFound(),
        );
      }
      const { ref, subpath } = path;
      // A contributor's repository has no page.
      if (subpath === "") return contribution && refuseUnread(request, repositoryNotFound());
      return answer(context, { advertisements, emptyPath }, { ref, subpath, client }, request);
    },
    clearPackCache: () => context.packs.clear(),
    giveUpPackCache: () => context.packs.giveUp(),
    packCacheBytes: () => context.packs.size,
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

/** What answers for repositories that do not exist, and the advertisements of all. */
interface Answers {
  readonly advertisements: Advertisements;
  readonly emptyPath: string;
}

interface Asked {
  readonly ref: RepositoryRef;
  readonly subpath: "info/refs" | "git-upload-pack" | "git-receive-pack";
  readonly client: (() => string) | undefined;
}

async function answer(
  context: GitHttpContext,
  { advertisements, emptyPath }: Answers,
  { ref, subpath, client }: Asked,
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
  const release = useOf(context, ref);
  try {
    if (!context.views.isThere(context.repositories.path(ref)) && !await context.repositories.exists(ref)) {
      if (ref.space !== "prs") {
        release();
        return await refuseUnread(request, repositoryNotFound());
      }
      // Every contributor's repository is there, without refs, until something was accepted into it.
      if (subpath === "git-upload-pack") return await uploadPack(context, ref, request, release, emptyPath);
      if (subpath === "info/refs") {
        release();
        return await withoutBody(request, await advertisements.answerEmpty(ref, request));
      }
    }
    if (subpath === "info/refs") {
      return await withoutBody(request, await advertisements.answer(ref, request, release));
    }
    if (subpath === "git-receive-pack") return await receivePack(context, ref, request, release, client?.());
    return await uploadPack(context, ref, request, release);
  } catch (error) {
    release();
    context.log.error("a git request failed", { error: context.clean(String(error), ref) });
    return internalError();
  }
}

/** Counts a use; the end of one may be the moment to remove what was left without refs. */
function useOf(context: GitHttpContext, ref: RepositoryRef): () => void {
  const end = context.repositories.use(ref);
  const { contributions } = context;
  if (ref.space !== "prs" || !contributions) return end;
  let ended = false;
  return () => {
    if (ended) return;
    ended = true;
    end();
    context.track(contributions.released(ref));
  };
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
