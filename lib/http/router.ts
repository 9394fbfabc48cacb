import { decodeNpub, identifierProblem } from "../nostr/mod.ts";
import type { HttpRoute, Logger } from "../observe/mod.ts";
import type { Clock } from "../world/mod.ts";
import { plain, preflight, setCommonHeaders, withoutBody } from "./common_headers.ts";
import { revalidated } from "./conditional.ts";
import { landingPage } from "./landing_page.ts";
import type { Handler } from "./listener.ts";
import { notFoundPage, repositoryNotFoundPage } from "./not_found_pages.ts";
import { operatorPage, type OperatorRoutes, probe } from "./operator_paths.ts";
import { decodePath, rawPathOf, repositoryPath } from "./raw_path.ts";
import { repositoryPage } from "./repository_page.ts";
import { bodyProblem, headersTooLarge } from "./request_limits.ts";
import type { RepositoryFacts } from "./site.ts";
import { staticFile } from "./static_files.ts";

/** Handlers the router chooses between; each is a part of its own. */
export interface Routes extends OperatorRoutes {
  /** Git smart HTTP; undefined when the path is not a git path. `clientAddress` is worked out where it matters. */
  git(request: Request, rawPath: string, clientAddress: () => string): Promise<Response> | undefined;
  /** True when the request asks to become a WebSocket. */
  isUpgrade(request: Request): boolean;
  /** Answers an upgrade request: 101 or a refusal. */
  relay(request: Request, clientAddress: string): Response;
  /** The NIP-11 document, when the `Accept` header asks for it on this path. */
  relayInformation(request: Request, rawPath: string): Response | undefined;
  /** Address of the client behind trusted proxies. */
  clientAddress(request: Request, peer: string): string;
  repositoryExists(owner: string, identifier: string): Promise<boolean>;
  /** What the page of an existing repository may tell; undefined when no event about it is known. */
  repositoryFacts(owner: string, identifier: string): Promise<RepositoryFacts | undefined>;
  /** False when `/metrics` and `/status` have a listener of their own: they are unknown here then. */
  readonly operatorPages: boolean;
  /** Counts one finished request. */
  finished(route: HttpRoute, status: number, durationMs: number): void;
  readonly clock: Clock;
  /** An id that also appears in the log. */
  requestId(): string;
  readonly log: Logger;
}

/** A request on its way through the routing table. */
interface Visit {
  readonly routes: Routes;
  readonly request: Request;
  /** Raw path, see {@link rawPathOf}. */
  readonly path: string;
  readonly clientAddress: string;
}

const GIT_PATH = /^\/[^/]+\/[^/]+\.git\/(?:info\/refs|git-upload-pack|git-receive-pack)$/;
/** `/<npub>/<identifier>`, with or without `.git` and a slash behind it. */
const REPOSITORY_PATH = /^\/([^/]+)\/([^/]+?)(\.git)?(\/)?$/;
const PAGE_METHODS = new Set(["GET", "HEAD"]);

/** One handler for the listener: routes, adds the common headers, and survives every fault. */
export function createHandler(routes: Routes): Handler {
  return surviving(routes, route);
}

/** The handler of a listener for probes and the operator alone. */
export function createOperatorHandler(routes: Routes): Handler {
  return surviving(routes, async (_routes, request, path, peer) => {
    if (!PAGE_METHODS.has(request.method)) return methodNotAllowed();
    const client = routes.clientAddress(request, peer);
    const answer = await probe(routes, path, client) ?? await operatorPage(routes, request, path, client) ??
      plain(404, "not found");
    return await withoutBodyFor(request, answer);
  });
}

function surviving(routes: Routes, answer: typeof route): Handler {
  return async (request, peer) => {
    const path = rawPathOf(request);
    const startedAt = routes.clock.now();
    let response: Response;
    try {
      response = await answer(routes, request, path, peer);
    } catch (error) {
      const id = routes.requestId();
      routes.log.error("request failed", { request_id: id, method: request.method, error: String(error) });
      response = plain(500, `internal error, request ${id}`);
    }
    setCommonHeaders(response.headers);
    account(routes, request.method, path, response, routes.clock.now() - startedAt);
    return response;
  };
}

/** Counts and logs one finished request. */
function account(routes: Routes, method: string, path: string, response: Response, durationMs: number): void {
  const route = routeName(path, response);
  routes.finished(route, response.status, durationMs);
  const isProbe = route === "health" || route === "metrics";
  const level = route.startsWith("git_") ? "info" : isProbe ? "trace" : "debug";
  routes.log[level]("request", { method, route, status: response.status, duration_ms: durationMs });
}

/** The class of a request, from a closed list: paths are written by strangers. */
function routeName(path: string, { status, headers }: Response): HttpRoute {
  if (headers.get("Content-Type") === "application/nostr+json") return "nip11";
  if (path.startsWith("/prs/")) return "prs";
  if (path.endsWith("/info/refs")) return "git_info_refs";
  if (path.endsWith("/git-upload-pack")) return "git_upload_pack";
  if (path.endsWith("/git-receive-pack")) return "git_receive_pack";
  if (path === "/") return "landing";
  if (path === "/metrics") return "metrics";
  if (/^\/(?:healthz?|readyz?|status)$/.test(path)) return "health";
  if (/^\/(?:icon\.png|favicon\.ico|robots\.txt)$/.test(path)) return "static";
  return status < 400 && REPOSITORY_PATH.test(path) ? "repo_page" : "not_found";
}

/** The routing table; first match wins. */
async function route(routes: Routes, request: Request, path: string, peer: string): Promise<Response> {
  if (request.method === "OPTIONS") return preflight();
  if (headersTooLarge(request.headers)) return plain(431, "request headers too large");
  const clientAddress = () => routes.clientAddress(request, peer);
  const isContribution = path.startsWith("/prs/");
  if (isContribution || GIT_PATH.test(path)) {
    const answer = await routes.git(request, path, clientAddress);
    if (answer) return answer;
  }
  if (isContribution) {
    await request.body?.cancel().catch(() => {});
    return await withoutBodyFor(request, plain(404, "Git error: repository not found"));
  }
  const visit = { routes, request, path, clientAddress: clientAddress() };
  if (routes.isUpgrade(request)) return routes.relay(request, visit.clientAddress);
  const answer = await bodyProblem(request, routes.clock) ??
    await revalidated(request, await routePage(visit));
  return await withoutBodyFor(request, answer);
}

async function withoutBodyFor(request: Request, answer: Response): Promise<Response> {
  return request.method === "HEAD" ? await withoutBody(answer) : answer;
}

async function routePage(visit: Visit): Promise<Response> {
  const { routes, request, path } = visit;
  const isPost = request.method === "POST" && path === "/";
  if (!PAGE_METHODS.has(request.method) && !isPost) return methodNotAllowed();
  const decoded = decodePath(path);
  if (decoded === undefined) return plain(400, "malformed percent-encoding in path");
  return await fixedPath(visit) ?? await repositoryAnswer(visit) ?? routes.relayInformation(request, path) ??
    (isPost ? methodNotAllowed() : otherPage(visit, decoded));
}

/** Paths whose answer does not depend on `Accept`. */
async function fixedPath({ routes, request, path, clientAddress }: Visit): Promise<Response | undefined> {
  const page = routes.operatorPages ? await operatorPage(routes, request, path, clientAddress) : undefined;
  if (page) return page;
  if (path === "/metrics" || path === "/status") return notFoundPage(routes.site, path);
  return await probe(routes, path, clientAddress) ?? staticFile(path);
}

function otherPage({ routes, path }: Visit, decoded: string): Response {
  if (path === "/") return landingPage(routes.site);
  const response = notFoundPage(routes.site, decoded);
  response.headers.set("Vary", "Accept");
  return response;
}

/** The page of a repository, its 404, or the way to its one spelling; undefined for other paths. */
async function repositoryAnswer({ routes, path }: Visit): Promise<Response | undefined> {
  const [, npub, segment, suffix, slash] = REPOSITORY_PATH.exec(path) ?? [];
  if (npub === undefined || segment === undefined) return undefined;
  const owner = decodeNpub(npub);
  const identifier = decodePath(segment)!;
  const isName = owner !== undefined && identifierProblem(identifier) === undefined;
  const exists = isName && await routes.repositoryExists(owner, identifier);
  if (!exists) {
    return suffix && !slash ? repositoryNotFoundPage(routes.site, npub, identifier) : undefined;
  }
  if (!suffix || slash) {
    return new Response(null, { status: 308, headers: { Location: repositoryPath(npub, identifier) } });
  }
  return repositoryPage(routes.site, npub, identifier, await routes.repositoryFacts(owner, identifier));
}

function methodNotAllowed(): Response {
  return plain(405, "method not allowed", { Allow: "GET, HEAD, OPTIONS" });
}
