import type { StatusFacts } from "./status_facts.ts";
import { statusPage } from "./status_page.ts";
import type { Site } from "./site.ts";

/** What the operator's paths are made of. */
export interface OperatorRoutes {
  readonly site: Site;
  /** `/metrics`, for clients that may read it; undefined for others. */
  metrics(clientAddress: string): Promise<Response | undefined>;
  /** What `/status` shows the operator; undefined for clients that may not see it. */
  status(clientAddress: string): Promise<StatusFacts | undefined>;
  /** Names of the readiness checks that fail. */
  failingChecks(): Promise<readonly string[]>;
  /** Members added to the readiness answer for clients that may read metrics; undefined for others. */
  readinessDetails(clientAddress: string): Readonly<Record<string, unknown>> | undefined;
}

/** Answers `/healthz` and `/readyz`; undefined for other paths. */
export async function probe(
  routes: OperatorRoutes,
  path: string,
  clientAddress: string,
): Promise<Response | undefined> {
  switch (path) {
    case "/healthz":
    case "/health":
      return json(200, { status: "ok" });
    case "/readyz":
    case "/ready":
      return await readiness(routes, clientAddress);
    default:
      return undefined;
  }
}

/** Answers `/metrics` and `/status`; undefined for other paths and for clients that may not see them. */
export async function operatorPage(
  routes: OperatorRoutes,
  request: Request,
  path: string,
  clientAddress: string,
): Promise<Response | undefined> {
  switch (path) {
    case "/metrics":
      return await routes.metrics(clientAddress);
    case "/status":
      return await status(routes, request, clientAddress);
    default:
      return undefined;
  }
}

async function readiness(routes: OperatorRoutes, clientAddress: string): Promise<Response> {
  const failing = await routes.failingChecks();
  const details = routes.readinessDetails(clientAddress);
  return failing.length === 0
    ? json(200, { status: "ready", ...details })
    : json(503, { status: "not_ready", failing, ...details });
}

/** For the operator, as a page or as JSON; a script of another origin, however near its browser is, gets nothing. */
async function status(
  routes: OperatorRoutes,
  request: Request,
  clientAddress: string,
): Promise<Response | undefined> {
  if (request.headers.has("Origin")) return undefined;
  const facts = await routes.status(clientAddress);
  if (!facts) return undefined;
  const wantsJson = /^application\/json\b/.test(request.headers.get("Accept") ?? "");
  return wantsJson ? json(200, facts) : statusPage(routes.site, facts);
}

function json(status: number, value: unknown): Response {
  const response = Response.json(value, { status });
  response.headers.set("Cache-Control", "no-store");
  return response;
}
