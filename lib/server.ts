import { resolve } from "node:path";
import {
  type Config,
  formatAddress,
  inRanges,
  LiveConfig,
  PROGRAM_COMMIT,
  PROGRAM_VERSION,
  type RelayKey,
  withBoundPort,
} from "./config/mod.ts";
import { orUndo, undoAll } from "./clean_up.ts";
import { createContributions } from "./contributions.ts";
import { databasePlace } from "./database_place.ts";
import { createEngine } from "./engine.ts";
import { createGit, createGitHttp, type GitHttp, headCommit, Repositories } from "./git/mod.ts";
import {
  bind,
  clientAddress,
  createHandler,
  createOperatorHandler,
  createReadiness,
  describeServer,
  repositoryFacts,
  type Routes,
} from "./http/mod.ts";
import { importLegacyRejected } from "./intake/mod.ts";
import { startMaintenance } from "./maintenance.ts";
import { createVerifier, serialiseEvent } from "./nostr/mod.ts";
import { createMetrics, Jobs, type Logger, type Metrics, noMetrics, runJob } from "./observe/mod.ts";
import {
  applyBlacklists,
  gates,
  importLegacyState,
  release,
  startPurgatory,
  StatePushGate,
  Sweep,
} from "./purgatory/mod.ts";
import { createRelay, type Relay, wantsUpgrade } from "./relay/mod.ts";
import { type Replication, startReplication } from "./replication.ts";
import { statusReader } from "./status.ts";
import { claimDirectories, type CleanUp, openStore } from "./store/mod.ts";
import { type Clock, diskSpace, freeBytes, type Random, randomHex } from "./world/mod.ts";

/** As many as keep up with the rest, where a core is left for the rest. */
const VERIFY_WORKERS = Math.max(1, Math.min(2, navigator.hardwareConcurrency - 1));
const MEBIBYTE = 1 << 20;
/** More requests than this waiting for a git process make us not ready. */
const MAX_WAITING_WHEN_READY = 1000;

/** What a server is started with. */
export interface ServerInput {
  readonly config: Config;
  /** Asked for once the port is bound: a start that fails before that makes no key. */
  readonly key: () => Promise<RelayKey>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Where programs are looked for (PATH); a usual one when not given. */
  readonly searchPath?: string;
}

/** A server that accepts requests. */
export interface RunningServer {
  /** `http://host:port` it listens on. */
  readonly url: string;
  /** Public `host[:port]`, with the real port when it was derived. */
  readonly domain: string;
  readonly gitDataPath: string;
  /** Undefined with the memory backend. */
  readonly relayDataPath: string | undefined;
  /** Applies the reloadable options of `config`; the others are those the server was started with. */
  reconfigure(config: Config): void;
  /** Counts what became of a reload. */
  reloaded(result: "success" | "failure"): void;
  /** Finishes what is in flight within the configured time, then closes everything. */
  stop(): Promise<void>;
}

/**
 * The composition root: builds every part in the order in which they depend on each other and wires
 * them together. Rejects with one sentence that names the setting or file at fault; nothing is left
 * running then.
 */
export async function startServer(input: ServerInput): Promise<RunningServer> {
  return await orUndo(input.log, (cleanUp) => compose(input, cleanUp));
}

async function compose(input: ServerInput, cleanUp: CleanUp): Promise<RunningServer> {
  const { clock, random, log } = input;
  const live = new LiveConfig(input.config);
  const config = live.view;
  const graceMs = config.shutdownTimeoutSecs * 1000;
  const listener = bind(config.bindAddress, clock);
  let deadline = 0;
  const closeListener = () => listener.close(Math.max(1_000, deadline - clock.now()));
  cleanUp.push(closeListener);
  const operatorListener = config.metricsBindAddress && bind(config.metricsBindAddress, clock);
  const closeListeners = async () => {
    await Promise.all([closeListener(), operatorListener?.close(1_000)]);
  };
  cleanUp.push(closeListeners);
  const key = await input.key();
  const { gitDataPath, relayDataPath, statePath } = await claimDirectories(config, cleanUp);
  const git = await createGit({
    binary: config.gitBinary,
    homePath: `${statePath}/.git-home`,
    clock,
    limits: config,
    ...(input.searchPath && { searchPath: input.searchPath }),
  });
  if (!listener.noDelay) {
    log.target("http").debug("TCP_NODELAY could not be set: small answers may wait 40 ms");
  }
  const reconfigure = (next: Config) => live.replace(withBoundPort(next, listener.port));
  reconfigure(input.config);
  const address = formatAddress({ ...config.bindAddress, port: listener.port });

  const workingCopy = resolve(import.meta.dirname ?? ".", "../.git");
  const commit = PROGRAM_COMMIT ?? await headCommit(git, workingCopy) ?? "unknown";
  const metrics = !config.metricsEnabled ? noMetrics() : createMetrics({
    version: PROGRAM_VERSION,
    commit,
    clock,
    get topRepos() {
      return config.metricsTopNRepos;
    },
    get abuseThreshold() {
      return config.metricsConnectionPerIpAbuseThreshold;
    },
    get logIp() {
      return config.logIp;
    },
    log: log.target("http"),
  });
  const store = await openStore({
    backend: config.databaseBackend,
    ...await databasePlace(config, statePath, random),
    clock,
    limits: config,
    log: log.target("db"),
    metrics: metrics.store,
  });
  // Requests in flight may read until the last of them has been answered.
  cleanUp.push(() => store.close(), closeListeners);
  const repositories = new Repositories({ git, gitDataPath, random, clock, log: log.target("git") });
  const verifier = createVerifier({
    workers: VERIFY_WORKERS,
    library: config.secp256k1Library,
    log: log.target("relay"),
  });
  cleanUp.push(() => verifier.close());
  const { library } = verifier;
  log.target("relay").info("signatures", { check: library === undefined ? "wasm" : "native", library });

  /** Filled once everything it needs exists. */
  const late: { replication?: Replication } = {};
  const { parts, locks, rules, intake, refusedLifetimes } = createEngine({
    live,
    store,
    repositories,
    verifier,
    clock,
    notify: (event) => relay.publish(event, serialiseEvent(event)),
    expiryCause: (event) => late.replication?.hunt.isUnreachable(event) ? "unreachable" : "missing",
    handOver: (event) => late.replication?.hunt.handOver(event),
    wanted: (want) => late.replication?.sync?.fetchWanted(want),
    metrics,
    log,
  });
  const relay: Relay = createRelay({
    limits: config,
    store,
    sink: intake,
    clock,
    log: log.target("relay"),
    metrics: metrics.relay,
  });
  const isAboveMinimum = async () =>
    config.minFreeDiskMb === 0 || await freeBytes(gitDataPath) >= config.minFreeDiskMb * MEBIBYTE;
  // Nothing is refused for the sake of packs that can be made again.
  const hasSpace = async () =>
    await isAboveMinimum() || (gitHttp.giveUpPackCache() && await isAboveMinimum());
  const contributions = createContributions({ live, parts, locks, rules, repositories, hasSpace });
  const gate = gates(new StatePushGate(parts, locks, { rules, hasSpace }), contributions?.gate);
  const gitHttp: GitHttp = createGitHttp({
    git,
    repositories,
    gate,
    clock,
    log: log.target("git"),
    limits: live.derive(({ maxPushBytes, maxGitProcesses, gitTimeoutSecs, packCacheMb }) => ({
      maxPushBytes,
      maxGitProcesses,
      gitTimeoutMs: gitTimeoutSecs * 1000,
      packCacheBytes: packCacheMb * MEBIBYTE,
    })),
    hasSpace,
    metrics: metrics.git,
    ...(contributions && { contributions: contributions.service }),
  });

  await repositories.emptyTrash();
  await gitHttp.clearPackCache();
  await repositories.recount();
  await importLegacyState({ ...parts, locks, verifier, gitDataPath });
  await importLegacyRejected({ ...parts, verifier, refusedLifetimes, gitDataPath });
  await startPurgatory(parts, locks);
  await applyBlacklists({ ...parts, listContributions: () => repositories.contributions() }, locks);
  if (contributions) {
    await runJob(metrics.jobs, clock, "prs_startup_scan", () => contributions.start(gitHttp));
  }
  const stopping = new AbortController();
  cleanUp.push(() => stopping.abort());
  const measuring = metrics.start(stopping.signal);
  const jobs = new Jobs({
    clock,
    random,
    metrics: metrics.jobs,
    log: log.target("jobs"),
    signal: stopping.signal,
  });
  const sweep = new Sweep(parts, locks, () => config.deletedRepoRetentionSecs * 1000);
  await Promise.all([...sweep.jobs(), ...intake.jobs()].map((job) => jobs.register(job)));
  await intake.resume();
  await startMaintenance({
    config,
    parts: {
      ...parts,
      git,
      repositories,
      locks,
      rules,
      signal: stopping.signal,
      log: log.target("jobs"),
    },
    gitHttp,
    hasSpace,
    metrics,
    jobs,
  });
  metrics.observe({
    waitingCounts: () => store.waitingCounts(),
    waitingAges: () => store.waitingAges(),
    storedEvents: () => store.count([{ tags: new Map() }]),
    repositories: () => repositories.count,
    contributions: () => repositories.contributionCount,
    disk: async () => ({
      git: await diskSpace(gitDataPath),
      ...(relayDataPath !== undefined && { relay: await diskSpace(relayDataPath) }),
    }),
    rejectedCounts: () => intake.rejectedCounts(),
    gitProcesses: () => gitHttp.load(),
    packCacheBytes: () => gitHttp.packCacheBytes(),
  });
  const replication = late.replication = startReplication({
    live,
    key,
    store,
    git,
    repositories,
    intake,
    release: async (identifier, receivedBy) => {
      await locks.run([identifier], () => release(parts, { identifier, receivedBy }));
    },
    hasSpace,
    clock,
    random,
    metrics,
    log,
  });
  cleanUp.push(() => replication.stop());
  const status = statusReader({
    version: PROGRAM_VERSION,
    commit,
    store,
    repositories,
    replication,
    clock,
    stopping: stopping.signal,
  });
  const description = live.memo((present) => describeServer(present, key));
  const startedAt = clock.now();
  const readiness = createReadiness({
    db: () => store.ping(),
    disk: hasSpace,
    storage: () => Deno.writeTextFile(`${gitDataPath}/.probe`, ""),
    queue: () => Promise.resolve(gitHttp.load().waiting < MAX_WAITING_WHEN_READY),
  }, clock);
  const routes: Routes = {
    get site() {
      return description().site;
    },
    relayInformation: (request, path) => description().relayInformation(request, path),
    git: (request, path, client) => gitHttp.handle(request, path, client),
    isUpgrade: wantsUpgrade,
    relay: (request, client) => relay.upgrade(request, client),
    clientAddress: (request, peer) => clientAddress(request.headers, peer, config.trustedProxies),
    repositoryExists: (owner, identifier) => repositories.exists({ owner, identifier }),
    metrics: (client) => metricsAnswer(config, metrics, client),
    operatorPages: operatorListener === undefined,
    status: async (client) => inRanges(config.metricsAllowFrom, client) ? await status() : undefined,
    repositoryFacts: async (owner, identifier) =>
      repositoryFacts(owner, identifier, await store.readIdentifier(identifier)),
    failingChecks: () => stopping.signal.aborted ? Promise.resolve(["shutdown"]) : readiness(),
    readinessDetails: (client) =>
      inRanges(config.metricsAllowFrom, client)
        ? { version: PROGRAM_VERSION, uptime_seconds: Math.floor((clock.now() - startedAt) / 1000) }
        : undefined,
    finished: (route, status, durationMs) => metrics.http.httpRequest(route, status, durationMs),
    clock,
    requestId: () => randomHex(random, 8),
    log: log.target("http"),
  };
  listener.serve(createHandler(routes));
  operatorListener?.serve(createOperatorHandler(routes));
  if (operatorListener) {
    const place = formatAddress({ ...config.metricsBindAddress!, port: operatorListener.port });
    log.target("http").info(`metrics, status and health on http://${place}`);
  }
  await Deno.writeTextFile(`${statePath}/bound-address`, `${address}\n`);
  cleanUp.push(() => Deno.remove(`${statePath}/bound-address`));

  return {
    url: `http://${address}`,
    domain: config.domain,
    gitDataPath,
    relayDataPath,
    reconfigure: (next) => {
      reconfigure(next);
      jobs.reschedule();
    },
    reloaded: (result) => metrics.config.reloaded(result),
    stop: async () => {
      deadline = clock.now() + graceMs;
      stopping.abort();
      listener.refuse();
      await replication.stop();
      await relay.stop();
      await gitHttp.stop(Math.max(0, deadline - clock.now()));
      await Promise.all([jobs.ended(), measuring]);
      await intake.stop();
      await undoAll(cleanUp, log);
    },
  };
}

/** `/metrics` for clients that may read it; everybody else sees an unknown path. */
async function metricsAnswer(
  config: Config,
  metrics: Metrics,
  client: string,
): Promise<Response | undefined> {
  if (!inRanges(config.metricsAllowFrom, client)) return undefined;
  if (!config.metricsEnabled) {
    return new Response("Metrics disabled\n", { status: 404, headers: { "Cache-Control": "no-store" } });
  }
  const { contentType, body } = await metrics.render();
  return new Response(body, { headers: { "Content-Type": contentType, "Cache-Control": "no-store" } });
}
