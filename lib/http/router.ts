import { decodeNpub, identifierProblem } from "../nostr/mod.ts";
import type { HttpRoute, Logger } from "../observe/mod.ts";
import type { Clock } from "../world/mod.ts";
import { plain, preflight, setCommonHeaders, withoutBody } from "./common_headers.ts";
import { landingPage, notFoundPage, repositoryNotFoundPage, repositoryPage, type Site } from "./pages.ts";

/** Handlers the router chooses between; each is a part of its own. */
export interface Routes {
  readonly site: Site;
  /** Git smart HTTP; undefined when the path is not a git path. */
  git(request: Request, rawPath: string): Promise<Response> | undefined;
  /** True when the request asks to become a WebSocket. */
  isUpgrade(request: Request): boolean;
  /** Answers an upgrade request: 101 or a refusal. */
  relay(request: Request, clientAddress: string): Response;
  /** The NIP-11 document, when the `Accept` header asks for it on this path. */
  relayInformation(request: Request, rawPath: string): Response | undefined;
  /** Address of the client behind trusted proxies. */
  clientAddress(request: Request, peer: string): string;
  repositoryExists(owner: string, identifier: string): Promise<boolean>;
  /** `/metrics`, for clients that may read it; undefined for others. */
  metrics(clientAddress: string): Promise<Response | undefined>;
  /** Names of the readiness checks that fail. */
  failingChecks(): Promise<readonly string[]>;
  /** Counts one finished request. */
  finished(route: HttpRoute, status: number, durationMs: number): void;
  readonly clock: Clock;
  /** An id that also appears in the log. */
  requestId(): string;
  readonly log: Logger;
}

const GIT_PATH = /^\/[^/]+\/[^/]+\.git\/(?:info\/refs|git-upload-pack|git-receive-pack)$/;
const PAGE_METHODS = new Set(["GET", "HEAD"]);
const MAX_PAGE_BODY_BYTES = 64 * 1024;

/** One handler for the listener: routes, adds the common headers, and survives every fault. */
export function createHandler(routes: Routes): (request: Request, peer: string) => Promise<Response> {
  return async (request, peer) => {
    const rawPath = pathOf(request);
    const startedAt = routes.clock.now();
    let response: Response;
    try {
      response = await route(routes, request, rawPath, peer);
    } catch (error) {
      const id = routes.requestId();
      routes.log.error("request failed", { request_id: id, method: request.method, error: String(error) });
      response = plain(500, `internal error, request ${id}`);
    }
    setCommonHeaders(response.headers);
    const name = routeName(rawPath, response);
    const durationMs = routes.clock.now() - startedAt;
    routes.finished(name, response.status, durationMs);
    const record = name.startsWith("git_")
      ? "info"
      : name === "health" || name === "metrics"
      ? "trace"
      : "debug";
    routes.log[record]("request", {
      method: request.method,
      route: name,
      status: response.status,
      duration_ms: durationMs,
    });
    return response;
  };
}

/** The class of a request, from a closed list: paths are written by strangers. */
function routeName(path: string, response: Response): HttpRoute {
  if (response.headers.get("Content-Type") === "application/nostr+json") return "nip11";
  if (path.endsWith("/info/refs")) return "git_info_refs";
  if (path.endsWith("/git-upload-pack")) return "git_upload_pack";
  if (path.endsWith("/git-receive-pack")) return "git_receive_pack";
  if (path === "/") return "landing";
  if (path === "/metrics") return "metrics";
  if (/^\/(?:healthz?|readyz?)$/.test(path)) return "health";
  return response.status === 200 && path.endsWith(".git") ? "repo_page" : "not_found";
}

/** Path as sent, query removed. The URL parser has collapsed dot segments; handlers validate the result. */
function pathOf(request: Request): string {
  const afterOrigin = request.url.slice(request.url.indexOf("/", request.url.indexOf("://") + 3));
  return afterOrigin.split(/[?#]/, 1)[0]!;
}

/** The routing table; first match wins. */
async function route(routes: Routes, request: Request, rawPath: string, peer: string): Promise<Response> {
  if (request.method === "OPTIONS") return preflight();
  if (GIT_PATH.test(rawPath)) {
    const answer = await routes.git(request, rawPath);
    if (answer) return answer;
  }
  const clientAddress = routes.clientAddress(request, peer);
  if (routes.isUpgrade(request)) return routes.relay(request, clientAddress);
  const answer = await routePage(routes, request, rawPath, clientAddress);
  return request.method === "HEAD" ? await withoutBody(answer) : answer;
}

async function routePage(
  routes: Routes,
  request: Request,
  path: string,
  clientAddress: string,
): Promise<Response> {
  const isPost = request.method === "POST" && path === "/";
  const information = PAGE_METHODS.has(request.method) || isPost
    ? routes.relayInformation(request, path)
    : undefined;
  if (information) return information;
  if (!PAGE_METHODS.has(request.method)) return await refuseMethod(request);
  const repository = /^\/([^/]+)\/([^/]+\.git)$/.exec(path);
  if (repository) return await repositoryAnswer(routes, repository[1]!, repository[2]!);
  switch (path) {
    case "/":
      return landingPage(routes.site);
    case "/healthz":
    case "/health":
      return json(200, { status: "ok" });
    case "/readyz":
    case "/ready":
      return await readiness(routes);
    case "/metrics":
      return await routes.metrics(clientAddress) ?? notFoundPage(routes.site, path);
    default:
      return notFoundPage(routes.site, decodeForDisplay(path));
  }
}

async function repositoryAnswer(routes: Routes, npub: string, segment: string): Promise<Response> {
  const identifier = decodeSegment(segment)?.replace(/\.git$/, "");
  if (identifier === undefined) return plain(400, "malformed percent-encoding in path");
  const owner = decodeNpub(npub);
  const exists = owner !== undefined && identifierProblem(identifier) === undefined &&
    await routes.repositoryExists(owner, identifier);
  return exists
    ? repositoryPage(routes.site, npub, identifier)
    : repositoryNotFoundPage(routes.site, npub, identifier);
}

/** An oversized body is refused without being read; a small one is ignored. */
async function refuseMethod(request: Request): Promise<Response> {
  const tooLarge = Number(request.headers.get("content-length") ?? 0) > MAX_PAGE_BODY_BYTES;
  await request.body?.cancel();
  return tooLarge
    ? plain(413, "request body too large")
    : plain(405, "method not allowed", { Allow: "GET, HEAD, OPTIONS" });
}

async function readiness(routes: Routes): Promise<Response> {
  const failing = await routes.failingChecks();
  return failing.length === 0 ? json(200, { status: "ready" }) : json(503, { status: "not_ready", failing });
}

function json(status: number, value: unknown): Response {
  const response = Response.json(value, { status });
  response.headers.set("Cache-Control", "no-store");
  return response;
}

function decodeSegment(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined; // malformed escapes are the client's mistake, answered with 400
  }
}

function decodeForDisplay(path: string): string {
  return decodeSegment(path) ?? path;
}
