import { canPinAddresses } from "../git/mod.ts";
import { HUNT } from "./durations.ts";
import { FetchRun } from "./fetch_run.ts";
import type { FetchOutcome, FetchRequest, RemoteGit } from "./ports.ts";
import { failed, MAX_PREFLIGHT_BYTES, preflightUrl, readPreflight, type Unusable } from "./preflight.ts";
import type { RemoteGitOptions } from "./remote_options.ts";

/** Most fetches remembered as having tried all branches. */
const MAX_FALLBACKS = 10_000;

/**
 * Fetches with the system git. Every server is asked by our own HTTP client first; git then connects
 * to the very addresses that were checked, and follows no redirects (purgatory 6.5, 6.6).
 */
export function createRemoteGit(options: RemoteGitOptions): RemoteGit {
  if (!canPinAddresses(options.git)) {
    options.log.warn("git data is not fetched from other servers: git 2.37 or newer is needed for that", {
      version: options.git.version.text,
    });
  }
  return new SystemRemoteGit(options);
}

class SystemRemoteGit implements RemoteGit {
  readonly #options: RemoteGitOptions;
  /** When all branches of a URL were last fetched into a repository, in that order (monotonic ms). */
  readonly #fallbacks = new Map<string, number>();

  constructor(options: RemoteGitOptions) {
    this.#options = options;
  }

  async fetch(request: FetchRequest): Promise<FetchOutcome> {
    try {
      return await this.#fetch(request);
    } catch (error) {
      return nothing({ ok: false, result: "local", text: String(error) });
    }
  }

  async #fetch(request: FetchRequest): Promise<FetchOutcome> {
    const { git, network, clock, settings } = this.#options;
    const { signal } = request;
    if (!canPinAddresses(git)) {
      return nothing({
        ok: false,
        result: "local",
        text: "git 2.37 or newer is needed to fetch from others",
      });
    }
    const answer = await network.get({
      url: preflightUrl(request.url),
      headers: { "Git-Protocol": "version=2", "User-Agent": `git/${this.#options.userAgent}` },
      trusted: false,
      timeoutMs: HUNT.preflightMs,
      maxBytes: MAX_PREFLIGHT_BYTES,
      maxRedirects: 3,
      signal,
    });
    const server = readPreflight(answer, clock.now());
    if (!server.ok) return nothing(server);
    if (settings.isOwn(server.url)) {
      return nothing({ ok: false, result: "blocked", text: "redirected to this service" });
    }
    const pinned = await network.pin(server.url, { signal, timeoutMs: HUNT.preflightMs });
    if (!pinned.ok) return nothing(failed(pinned));
    const run = new FetchRun(this.#options, {
      request,
      remote: { url: server.url, addresses: pinned.addresses },
      refs: server.refs,
      mayFallBack: () => request.branches && this.#mayFallBack(request),
    });
    return await run.outcome();
  }

  /** All branches of one URL at most once in a while. */
  #mayFallBack({ url, target }: FetchRequest): boolean {
    const now = this.#options.clock.monotonic();
    const key = `${target.owner}:${target.identifier}\n${url}`;
    for (const [other, at] of this.#fallbacks) {
      if (at + HUNT.absentMs > now && this.#fallbacks.size < MAX_FALLBACKS) break;
      this.#fallbacks.delete(other);
    }
    if (this.#fallbacks.has(key)) return false;
    this.#fallbacks.set(key, now);
    return true;
  }
}

function nothing({ result, text, category, retryAfterMs }: Unusable): FetchOutcome {
  return {
    result,
    text,
    obtained: new Set(),
    absent: new Set(),
    bytes: 0,
    ...(category && { category }),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  };
}
