import type { Background } from "./background.ts";
import { type Config, inRanges, PROGRAM_VERSION, type RelayKey } from "./config/mod.ts";
import type { Ground } from "./ground.ts";
import { clientAddress, createReadiness, describeServer, repositoryFacts, type Routes } from "./http/mod.ts";
import type { Metrics } from "./observe/mod.ts";
import { wantsUpgrade } from "./relay/mod.ts";
import type { Services } from "./services.ts";
import { statusReader } from "./status.ts";
import { randomHex } from "./world/mod.ts";

/** More requests than this waiting for a git process make us not ready. */
const MAX_WAITING_WHEN_READY = 1000;

/** What answers a request of each sort; `stopping` makes the server unready. */
export function routesOf(
  ground: Ground,
  { relay, gitHttp, hasSpace }: Services,
  { replication }: Background,
  options: { readonly key: RelayKey; readonly operatorPages: boolean; readonly stopping: AbortSignal },
): Routes {
  const { live, store, repositories, clock, random, metrics, gitDataPath } = ground;
  const { key, operatorPages, stopping } = options;
  const config = live.view;
  const isOperator = (client: string) => inRanges(config.metricsAllowFrom, client);
  const status = statusReader({ ...ground, version: PROGRAM_VERSION, replication, stopping });
  const description = live.memo((present) => describeServer(present, key));
  const startedAt = clock.now();
  const readiness = createReadiness({
    db: () => store.ping(),
    disk: hasSpace,
    storage: () => Deno.writeTextFile(`${gitDataPath}/.probe`, ""),
    queue: () => Promise.resolve(gitHttp.load().waiting < MAX_WAITING_WHEN_READY),
  }, clock);
  return {
    get site() {
      return description().site;
    },
    relayInformation: (request, path) => description().relayInformation(request, path),
    git: (request, path, client) => gitHttp.handle(request, path, client),
    isUpgrade: wantsUpgrade,
    relay: (request, client) => relay.upgrade(request, client),
    clientAddress: (request, peer) => clientAddress(request.headers, peer, config.trustedProxies),
    repositoryExists: (owner, identifier) => repositories.exists({ owner, identifier }),
    metrics: async (client) => isOperator(client) ? await metricsAnswer(config, metrics) : undefined,
    operatorPages,
    status: async (client) => isOperator(client) ? await status() : undefined,
    repositoryFacts: async (owner, identifier) =>
      repositoryFacts(owner, identifier, await store.readIdentifier(identifier)),
    failingChecks: () => stopping.aborted ? Promise.resolve(["shutdown"]) : readiness(),
    readinessDetails: (client) =>
      isOperator(client)
        ? { version: PROGRAM_VERSION, uptime_seconds: Math.floor((clock.now() - startedAt) / 1000) }
        : undefined,
    finished: (route, status, durationMs) => metrics.http.httpRequest(route, status, durationMs),
    clock,
    requestId: () => randomHex(random, 8),
    log: ground.log.target("http"),
  };
}

/** What `/metrics` says to the operator. */
async function metricsAnswer({ metricsEnabled }: Config, metrics: Metrics): Promise<Response> {
  if (!metricsEnabled) {
    return new Response("Metrics disabled\n", { status: 404, headers: { "Cache-Control": "no-store" } });
  }
  const { contentType, body } = await metrics.render();
  return new Response(body, { headers: { "Content-Type": contentType, "Cache-Control": "no-store" } });
}
