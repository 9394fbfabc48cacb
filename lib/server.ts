import { resolve } from "node:path";
import {
  type Config,
  databasePath,
  formatAddress,
  inRanges,
  isReadOnly,
  PROGRAM_VERSION,
  type RelayKey,
  withBoundPort,
} from "./config/mod.ts";
import { createGit, createGitHttp, Repositories } from "./git/mod.ts";
import {
  bind,
  clientAddress,
  createHandler,
  createReadiness,
  repositoryFacts,
  type Routes,
} from "./http/mod.ts";
import { Intake } from "./intake/mod.ts";
import { createVerifier, normaliseDomain, serialiseEvent } from "./nostr/mod.ts";
import { createMetrics, type Logger, type Metrics, noMetrics } from "./observe/mod.ts";
import { type CurationRules, DURATION } from "./policy/mod.ts";
import { Pins, type ReleaseParts, startPurgatory, StatePushGate, Sweep } from "./purgatory/mod.ts";
import {
  type ArchiveKind,
  createRelay,
  type Relay,
  relayInformation,
  wantsRelayInformation,
  wantsUpgrade,
} from "./relay/mod.ts";
import { lockDataDirectory, openStore } from "./store/mod.ts";
import { type Clock, freeBytes, KeyedLock, type Random, randomHex, repeat } from "./world/mod.ts";

/** Where the project lives; NIP-11 `software`. */
const SOFTWARE_URL = "https://ngit.dev/grasp";
/** NIPs implemented and covered by tests. */
const SUPPORTED_NIPS = [1, 9, 11, 34, 40, 45, 70, 77];
const VERIFY_WORKERS = 2;
const MEBIBYTE = 1 << 20;
/** More requests than this waiting for a git process make us not ready. */
const MAX_WAITING_WHEN_READY = 1000;

/** What a server is started with. */
export interface ServerInput {
  readonly config: Config;
  readonly key: RelayKey;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
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
  /** Finishes what is in flight within the configured time, then closes everything. */
  stop(): Promise<void>;
}

/** What has to be undone when the server stops, in reverse order. */
type CleanUp = (() => Promise<unknown> | void)[];

/**
 * The composition root: builds every part in the order in which they depend on each other and wires
 * them together. Rejects with one sentence that names the setting or file at fault; nothing is left
 * running then.
 */
export async function startServer(input: ServerInput): Promise<RunningServer> {
  const cleanUp: CleanUp = [];
  try {
    return await compose(input, cleanUp);
  } catch (error) {
    await undoAll(cleanUp, input.log);
    throw error;
  }
}

async function compose(input: ServerInput, cleanUp: CleanUp): Promise<RunningServer> {
  const { clock, random, log } = input;
  const { gitDataPath, relayDataPath, statePath } = await claimDirectories(input.config, cleanUp);
  const git = await createGit({
    binary: input.config.gitBinary,
    homePath: `${statePath}/.git-home`,
    clock,
    limits: input.config,
  });
  const graceMs = input.config.shutdownTimeoutSecs * 1000;
  const listener = bind(input.config.bindAddress);
  let deadline = 0;
  cleanUp.push(() => listener.close(Math.max(1_000, deadline - clock.now())));
  if (!listener.noDelay) {
    log.target("http").debug("TCP_NODELAY could not be set: small answers may wait 40 ms");
  }
  const config = withBoundPort(input.config, listener.port);
  const address = formatAddress({ ...config.bindAddress, port: listener.port });

  const store = await openStore({
    backend: config.databaseBackend,
    location: resolve(databasePath(config)),
    clock,
    limits: config,
    log: log.target("db"),
  });
  cleanUp.push(() => store.close());
  const metrics = !config.metricsEnabled ? noMetrics() : createMetrics({
    version: PROGRAM_VERSION,
    commit: "unknown",
    clock,
    topRepos: config.metricsTopNRepos,
    abuseThreshold: config.metricsConnectionPerIpAbuseThreshold,
    logIp: config.logIp,
    log: log.target("http"),
  });
  const repositories = new Repositories({ git, gitDataPath, random, clock, log: log.target("git") });
  const verifier = createVerifier({ workers: VERIFY_WORKERS, log: log.target("relay") });
  cleanUp.push(() => verifier.close());

  const rules = curationRules(config);
  if (archiveKind(config) !== "none") {
    log.target("config").warn(
      "this version does not fetch archived repositories: they are served once data is here",
    );
  }
  const locks = new KeyedLock();
  const parts: ReleaseParts = {
    store,
    repositories,
    pins: new Pins(),
    clock,
    notify: (event) => {
      relay.publish(event, serialiseEvent(event));
      intake.reconsider(event);
    },
    counters: metrics.purgatory,
    log: log.target("purgatory"),
  };
  const intake: Intake = new Intake({
    ...parts,
    locks,
    verifier,
    rules,
    maxFutureSecs: config.maxEventFutureSecs,
    openGraspLists: config.openGraspLists,
    intakeCounters: metrics.intake,
    log: log.target("policy"),
  });
  const relay: Relay = createRelay({
    limits: config,
    store,
    sink: intake,
    clock,
    log: log.target("relay"),
    metrics: metrics.relay,
  });
  const hasSpace = async () =>
    config.minFreeDiskMb === 0 || await freeBytes(gitDataPath) >= config.minFreeDiskMb * MEBIBYTE;
  const gate = new StatePushGate(parts, locks, { rules, hasSpace });
  const gitHttp = createGitHttp({
    git,
    repositories,
    gate,
    clock,
    log: log.target("git"),
    limits: { ...config, gitTimeoutMs: config.gitTimeoutSecs * 1000 },
    metrics: metrics.git,
  });

  await repositories.emptyTrash();
  await repositories.recount();
  await startPurgatory(parts, locks);
  const stopping = new AbortController();
  const sweep = new Sweep(parts, locks, config.deletedRepoRetentionSecs * 1000);
  const jobs = [
    repeat(clock, DURATION.sweepMs, stopping.signal, () => sweep.expire()),
    repeat(clock, DURATION.pruneMs, stopping.signal, () => sweep.prune()),
    metrics.start(stopping.signal),
  ];
  await sweep.prune();
  metrics.observe({
    waitingCounts: () => store.waitingCounts(),
    storedEvents: () => store.count([{ tags: new Map() }]),
    repositories: () => repositories.count,
    gitProcesses: () => gitHttp.load(),
  });
  const site = describe(config, input.key);
  const startedAt = clock.now();
  const readiness = createReadiness({
    db: () => store.ping(),
    disk: hasSpace,
    storage: () => Deno.writeTextFile(`${gitDataPath}/.probe`, ""),
    queue: () => Promise.resolve(gitHttp.load().waiting < MAX_WAITING_WHEN_READY),
  }, clock);
  listener.serve(createHandler({
    ...site,
    git: (request, path) => gitHttp.handle(request, path),
    isUpgrade: wantsUpgrade,
    relay: (request, client) => relay.upgrade(request, client),
    clientAddress: (request, peer) => clientAddress(request.headers, peer, config.trustedProxies),
    repositoryExists: (owner, identifier) => repositories.exists({ owner, identifier }),
    metrics: (client) => metricsAnswer(config, metrics, client),
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
  }));
  await Deno.writeTextFile(`${statePath}/bound-address`, `${address}\n`);
  cleanUp.push(() => Deno.remove(`${statePath}/bound-address`));

  return {
    url: `http://${address}`,
    domain: config.domain,
    gitDataPath,
    relayDataPath,
    stop: async () => {
      deadline = clock.now() + graceMs;
      stopping.abort();
      listener.refuse();
      await relay.stop();
      await gitHttp.stop(Math.max(0, deadline - clock.now()));
      await Promise.all(jobs);
      await undoAll(cleanUp, log);
    },
  };
}

/**
 * Creates the data directories and takes possession of them for the life of the process. The memory
 * backend has no relay data path, so that several such servers can share a working directory; what
 * others keep there (`statePath`) lies with its repositories then.
 */
async function claimDirectories(config: Config, cleanUp: CleanUp) {
  const gitDataPath = config.usesTemporaryGitData
    ? await Deno.makeTempDir({ prefix: "ngit-grasp-git-" })
    : resolve(config.gitDataPath);
  if (config.usesTemporaryGitData) cleanUp.push(() => Deno.remove(gitDataPath, { recursive: true }));
  const relayDataPath = config.databaseBackend === "memory" ? undefined : resolve(config.relayDataPath);
  await claim("NGIT_GIT_DATA_PATH", gitDataPath, cleanUp);
  if (relayDataPath !== undefined) await claim("NGIT_RELAY_DATA_PATH", relayDataPath, cleanUp);
  return { gitDataPath, relayDataPath, statePath: relayDataPath ?? gitDataPath };
}

async function claim(option: string, path: string, cleanUp: CleanUp): Promise<void> {
  try {
    await Deno.mkdir(path, { recursive: true, mode: 0o750 });
  } catch (error) {
    throw new Error(`${option} ${path} cannot be created: ${error instanceof Error ? error.message : error}`);
  }
  const lock = await lockDataDirectory(path, Deno.pid);
  cleanUp.push(() => lock.release());
}

function curationRules(config: Config): CurationRules {
  return {
    domain: normaliseDomain(config.domain) ?? config.domain,
    repositoryWhitelist: config.repositoryWhitelist,
    repositoryBlacklist: config.repositoryBlacklist,
    eventBlacklist: new Set(config.eventBlacklist.map(({ pubkey }) => pubkey)),
    archive: {
      all: config.archiveAll,
      whitelist: config.archiveWhitelist,
      services: config.archiveGraspServices.map((service) => normaliseDomain(service) ?? service),
      readOnly: isReadOnly(config),
    },
  };
}

/** What pages and the NIP-11 document say; made once, because it depends on configuration alone. */
function describe(config: Config, key: RelayKey): Pick<Routes, "site" | "relayInformation"> {
  const document = relayInformation({
    name: config.relayName,
    description: config.relayDescription,
    ownerPubkey: config.ownerNpub,
    relayPubkey: key.pubkey,
    contact: config.relayContact,
    software: SOFTWARE_URL,
    version: PROGRAM_VERSION,
    icon: config.relayIconUrl,
    supportedNips: SUPPORTED_NIPS,
    sync: false,
    grasp06: false,
    archive: archiveKind(config),
    archiveReadOnly: isReadOnly(config),
    repositoryWhitelist: config.repositoryWhitelist.length > 0,
    repoAcceptanceCriteria: config.repoAcceptanceCriteria,
    curation: config.curation,
    postingPolicy: config.relayPostingPolicy,
    privacyPolicy: config.relayPrivacyPolicy,
    termsOfService: config.relayTermsOfService,
    limits: config,
  });
  const text = JSON.stringify(document, null, 2) + "\n";
  const headers = {
    "Content-Type": "application/nostr+json",
    Vary: "Accept",
    "Cache-Control": "max-age=300",
  };
  return {
    site: {
      name: config.relayName,
      description: config.relayDescription,
      domain: config.domain,
      scheme: config.publicScheme,
      version: PROGRAM_VERSION,
      supportedGrasps: document.supported_grasps as string[],
      supportedNips: document.supported_nips as number[],
      acceptance: document.repo_acceptance_criteria as string,
      curation: document.curation as string | undefined,
      information: document,
    },
    relayInformation: (request, path) =>
      wantsRelayInformation(request.headers.get("accept"), path)
        ? new Response(text, { headers })
        : undefined,
  };
}

function archiveKind(config: Config): ArchiveKind {
  if (config.archiveAll) return "all";
  if (config.archiveWhitelist.length > 0) return "whitelist";
  return config.archiveGraspServices.length > 0 ? "services" : "none";
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

async function undoAll(cleanUp: CleanUp, log: Logger): Promise<void> {
  for (const undo of cleanUp.splice(0).reverse()) {
    try {
      await undo();
    } catch (error) {
      log.warn("clean-up step failed", { error: String(error) });
    }
  }
}
