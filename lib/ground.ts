import { resolve } from "node:path";
import { type LiveConfig, PROGRAM_COMMIT, PROGRAM_VERSION } from "./config/mod.ts";
import { databasePlace } from "./database_place.ts";
import { createGit, type Git, headCommit, Repositories } from "./git/mod.ts";
import { createVerifier, type Verifier } from "./nostr/mod.ts";
import { createMetrics, type Logger, type Metrics, noMetrics } from "./observe/mod.ts";
import { claimDirectories, type CleanUp, openStore, type Store } from "./store/mod.ts";
import { type Clock, freeBytes, type Random } from "./world/mod.ts";

/** As many as keep up with the rest, where a core is left for the rest. */
const VERIFY_WORKERS = Math.max(1, Math.min(2, navigator.hardwareConcurrency - 1));
const MEBIBYTE = 1 << 20;

/** What comes from outside the server. */
export interface Surroundings {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Where programs are looked for (PATH); a usual one when not given. */
  readonly searchPath?: string;
}

/** What the services of a server stand on. */
export interface Ground extends Surroundings {
  readonly live: LiveConfig;
  readonly gitDataPath: string;
  /** Undefined with the memory backend. */
  readonly relayDataPath: string | undefined;
  /** Where the server keeps what is its own. */
  readonly statePath: string;
  readonly git: Git;
  /** The commit this program was built from, or runs from; `unknown` otherwise. */
  readonly commit: string;
  readonly metrics: Metrics;
  readonly store: Store;
  readonly repositories: Repositories;
  readonly verifier: Verifier;
  /** False while the disk with the repositories has less room than configured. */
  readonly hasFreeDisk: () => Promise<boolean>;
}

/**
 * Claims the data directories and opens what is in them. `closeListeners` is done before the store closes: requests
 * in flight may read until the last of them has been answered. Rejects with one sentence that names what is at fault.
 */
export async function layGround(
  input: Surroundings & { readonly live: LiveConfig },
  closeListeners: () => Promise<void>,
  cleanUp: CleanUp,
): Promise<Ground> {
  const { clock, random, log, live } = input;
  const config = live.view;
  const paths = await claimDirectories(config, cleanUp);
  const { gitDataPath, statePath } = paths;
  const git = await createGit({
    binary: config.gitBinary,
    homePath: `${statePath}/.git-home`,
    clock,
    limits: config,
    ...(input.searchPath && { searchPath: input.searchPath }),
  });
  const workingCopy = resolve(import.meta.dirname ?? ".", "../.git");
  const commit = PROGRAM_COMMIT ?? await headCommit(git, workingCopy) ?? "unknown";
  const metrics = createServerMetrics(input, commit);
  const store = await openStore({
    backend: config.databaseBackend,
    ...await databasePlace(config, statePath, random),
    clock,
    limits: config,
    log: log.target("db"),
    metrics: metrics.store,
  });
  cleanUp.push(() => store.close(), closeListeners);
  const repositories = new Repositories({ git, gitDataPath, random, clock, log: log.target("git") });
  const verifier = openVerifier(input, cleanUp);
  const hasFreeDisk = async () =>
    config.minFreeDiskMb === 0 || await freeBytes(gitDataPath) >= config.minFreeDiskMb * MEBIBYTE;
  return { ...input, ...paths, git, commit, metrics, store, repositories, verifier, hasFreeDisk };
}

function createServerMetrics(
  { live, clock, log }: Surroundings & { readonly live: LiveConfig },
  commit: string,
): Metrics {
  const config = live.view;
  if (!config.metricsEnabled) return noMetrics();
  return createMetrics({
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
}

function openVerifier(
  { live, log }: Surroundings & { readonly live: LiveConfig },
  cleanUp: CleanUp,
): Verifier {
  const relayLog = log.target("relay");
  const verifier = createVerifier({
    workers: VERIFY_WORKERS,
    library: live.view.secp256k1Library,
    log: relayLog,
  });
  cleanUp.push(() => verifier.close());
  const { library } = verifier;
  relayLog.info("signatures", { check: library === undefined ? "wasm" : "native", library });
  return verifier;
}
