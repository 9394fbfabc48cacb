import {
  allowsPrivateAddresses,
  type Config,
  formatAddress,
  type LiveConfig,
  PROGRAM_VERSION,
  type RelayKey,
} from "./config/mod.ts";
import type { Git, Repositories } from "./git/mod.ts";
import { createRemoteGit, type Hunt, startHunt } from "./hunt/mod.ts";
import type { Intake } from "./intake/mod.ts";
import type { Logger, Metrics } from "./observe/mod.ts";
import {
  classifyFailure,
  createNetwork,
  literalProblem,
  NaughtyList,
  OwnAddresses,
  relayUrlsOf,
} from "./outgoing/mod.ts";
import type { Store } from "./store/mod.ts";
import { createOpenLink, startSync, type SyncEngine, syncSettings } from "./sync/mod.ts";
import type { Clock, Random } from "./world/mod.ts";

/** Hunts under way at once, each with at most one git child. */
const MAX_RUNNING_HUNTS = 8;
const HOUR_MS = 3_600_000;

/** What following other servers is made of. */
export interface ReplicationParts {
  readonly live: LiveConfig;
  readonly key: RelayKey;
  readonly store: Store;
  readonly git: Git;
  readonly repositories: Repositories;
  readonly intake: Intake;
  /** Door 2 for one repository, under the lock of its identifier. */
  readonly release: (identifier: string, receivedBy: string) => Promise<void>;
  /** False while the disk is nearly full. */
  readonly hasSpace: () => Promise<boolean>;
  readonly clock: Clock;
  readonly random: Random;
  readonly metrics: Metrics;
  readonly log: Logger;
}

/** GRASP-02 at work: events and git data of other servers. */
export interface Replication {
  readonly hunt: Hunt;
  /** Undefined when the operator wants no outgoing connection. */
  readonly sync: SyncEngine | undefined;
  stop(): Promise<void>;
}

/** Starts to follow other relays and to fetch missing git data, through one guarded network. */
export function startReplication(parts: ReplicationParts): Replication {
  const { live, key, store, clock, random, log, metrics } = parts;
  const config = live.view;
  const allowPrivate = allowsPrivateAddresses(config);
  const own = live.memo(({ domain, domainAliases, bindAddress }) =>
    new OwnAddresses({ domain, aliases: domainAliases, bindAddresses: [formatAddress(bindAddress)] })
  );
  const userAgent = `ngit-grasp/${PROGRAM_VERSION}`;
  const network = createNetwork({
    allowPrivate,
    ownAddresses: listeningAddresses(config),
    clock,
    userAgent,
    log: log.target("sync"),
  });
  const naughty = (subject: "relay" | "git host") =>
    new NaughtyList({
      clock,
      lifetimeMs: config.naughtyListExpirationHours * HOUR_MS,
      log: log.target("sync"),
      subject,
    });
  const isOwn = (url: string) => own().has(url);
  const huntSettings = {
    enabled: config.syncEnable,
    maxConcurrentPerHost: config.syncGitMaxConcurrentPerHost,
    maxPerMinutePerHost: config.syncGitMaxPerMinutePerHost,
    maxRunning: MAX_RUNNING_HUNTS,
    hasSpace: parts.hasSpace,
    isOwn,
    contributions: config.grasp06Enable,
  };
  const hunt = startHunt({
    ...parts,
    remote: createRemoteGit({
      ...parts,
      network,
      settings: huntSettings,
      get maxBytes() {
        return config.maxPushBytes;
      },
      userAgent,
    }),
    naughty: naughty("git host"),
    metrics: metrics.hunt,
    settings: huntSettings,
  });
  const settings = live.derive(syncSettings);
  const syncLog = log.target("sync");
  const sync = !config.syncEnable ? undefined : startSync({
    settings,
    store,
    openLink: createOpenLink({
      network,
      admit: (event, relay) => parts.intake.admit(event, "sync", relay),
      store,
      secretKey: key.secretKey,
      settings,
      clock,
      random,
      log: syncLog,
      metrics: metrics.sync,
    }),
    isOwn,
    literalProblem: (url) => literalProblem(url, allowPrivate),
    relayUrlsOf,
    naughty: naughty("relay"),
    classify: classifyFailure,
    clock,
    random,
    log: syncLog,
    metrics: metrics.sync,
  });
  metrics.observe({
    hunt: () => hunt.gauges(),
    ...(sync && { syncRelays: () => sync.relayGauges(), naughtyRelays: () => sync.naughtyRelays() }),
  });
  return {
    hunt,
    sync,
    stop: async () => {
      await Promise.all([sync?.stop(), hunt.stop()]);
    },
  };
}

/** Addresses of this machine under which the server is reached: nobody else may name them. */
function listeningAddresses({ bindAddress }: Config): readonly string[] {
  const { hostname } = bindAddress;
  if (hostname !== "0.0.0.0" && hostname !== "::") return [hostname];
  return Deno.networkInterfaces().map(({ address }) => address);
}
