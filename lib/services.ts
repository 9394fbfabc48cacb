import { type ContributionParts, createContributions } from "./contributions.ts";
import { createEngine, type Engine } from "./engine.ts";
import { createGitHttp, type GitHttp } from "./git/mod.ts";
import type { Ground } from "./ground.ts";
import { importLegacyRejected } from "./intake/mod.ts";
import { serialiseEvent } from "./nostr/mod.ts";
import { runJob } from "./observe/mod.ts";
import { applyBlacklists, gates, importLegacyState, startPurgatory, StatePushGate } from "./purgatory/mod.ts";
import { createRelay, type Relay } from "./relay/mod.ts";
import type { Replication } from "./replication.ts";

const MEBIBYTE = 1 << 20;

/** What answers clients: the engine, and its two faces. */
export interface Services {
  readonly engine: Engine;
  readonly relay: Relay;
  readonly gitHttp: GitHttp;
  readonly contributions: ContributionParts | undefined;
  /** False while the disk is nearly full, after what can be made again has been given up. */
  readonly hasSpace: () => Promise<boolean>;
  /** Tells the engine of the part that follows other servers, which is started last. */
  replicatedBy(replication: Replication): void;
}

/** Wires the services; nothing is read or answered yet. */
export function createServices(ground: Ground): Services {
  const { live, store, repositories, verifier, clock, metrics, log } = ground;
  let replication: Replication | undefined;
  const engine = createEngine({
    live,
    store,
    repositories,
    verifier,
    clock,
    notify: (event) => relay.publish(event, serialiseEvent(event)),
    expiryCause: (event) => replication?.hunt.isUnreachable(event) ? "unreachable" : "missing",
    handOver: (event) => replication?.hunt.handOver(event),
    wanted: (want) => replication?.sync?.fetchWanted(want),
    metrics,
    log,
  });
  const { parts, locks, rules, intake } = engine;
  const relay: Relay = createRelay({
    limits: live.view,
    store,
    sink: intake,
    clock,
    log: log.target("relay"),
    metrics: metrics.relay,
  });
  // Nothing is refused for the sake of packs that can be made again.
  const hasSpace = async () =>
    await ground.hasFreeDisk() || (gitHttp.giveUpPackCache() && await ground.hasFreeDisk());
  const contributions = createContributions({ live, parts, locks, rules, repositories, hasSpace });
  const gitHttp: GitHttp = createGitHttp({
    git: ground.git,
    repositories,
    gate: gates(new StatePushGate(parts, locks, { rules, hasSpace }), contributions?.gate),
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
  return {
    engine,
    relay,
    gitHttp,
    contributions,
    hasSpace,
    replicatedBy: (next) => void (replication = next),
  };
}

/** Brings what is stored into order before anybody is answered: after a stop, a crash, or another program. */
export async function recover(ground: Ground, { engine, gitHttp, contributions }: Services): Promise<void> {
  const { repositories, verifier, gitDataPath, metrics, clock } = ground;
  const { parts, locks, refusedLifetimes } = engine;
  await repositories.emptyTrash();
  await gitHttp.clearPackCache();
  await repositories.recount();
  await importLegacyState({ ...parts, locks, verifier, gitDataPath });
  await importLegacyRejected({ ...parts, verifier, refusedLifetimes, gitDataPath });
  await startPurgatory(parts, locks);
  await applyBlacklists({ ...parts, listContributions: () => repositories.contributions() }, locks);
  if (!contributions) return;
  await runJob(metrics.jobs, clock, "prs_startup_scan", () => contributions.start(gitHttp));
}
