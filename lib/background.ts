import type { RelayKey } from "./config/mod.ts";
import type { Ground } from "./ground.ts";
import { startMaintenance } from "./maintenance.ts";
import { Jobs } from "./observe/mod.ts";
import { release, Sweep } from "./purgatory/mod.ts";
import { type Replication, startReplication } from "./replication.ts";
import type { Services } from "./services.ts";
import { diskSpace } from "./world/mod.ts";

/** What goes on without a request. */
export interface Background {
  readonly jobs: Jobs;
  readonly replication: Replication;
  /** Resolves when nothing is measured or run at intervals any more, after `signal`. */
  ended(): Promise<void>;
}

/** Starts the regular jobs, the gauges, and what follows other servers; `signal` ends all but the last. */
export async function startBackground(
  ground: Ground,
  services: Services,
  key: RelayKey,
  signal: AbortSignal,
): Promise<Background> {
  const { live, clock, random, metrics, log, git, repositories } = ground;
  const { engine: { parts, locks, rules, intake }, gitHttp, hasSpace } = services;
  const config = live.view;
  const measuring = metrics.start(signal);
  const jobs = new Jobs({ clock, random, metrics: metrics.jobs, log: log.target("jobs"), signal });
  const sweep = new Sweep(parts, locks, () => config.deletedRepoRetentionSecs * 1000);
  await Promise.all([...sweep.jobs(), ...intake.jobs()].map((job) => jobs.register(job)));
  await intake.resume();
  await startMaintenance({
    config,
    parts: { ...parts, git, repositories, locks, rules, signal, log: log.target("jobs") },
    gitHttp,
    hasSpace,
    metrics,
    jobs,
  });
  observe(ground, services);
  const replication = startReplication({
    ...ground,
    key,
    intake,
    release: async (identifier, receivedBy) => {
      await locks.run([identifier], () => release(parts, { identifier, receivedBy }));
    },
    hasSpace,
  });
  services.replicatedBy(replication);
  return { jobs, replication, ended: async () => void await Promise.all([jobs.ended(), measuring]) };
}

/** Where the gauges look. */
function observe(ground: Ground, { engine: { intake }, gitHttp }: Services): void {
  const { metrics, store, repositories, gitDataPath, relayDataPath } = ground;
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
}
