import { startHunt } from "../../lib/hunt/mod.ts";
import type { Intake } from "../../lib/intake/mod.ts";
import {
  classifyFailure,
  literalProblem,
  NaughtyList,
  OwnAddresses,
  relayUrlsOf,
} from "../../lib/outgoing/mod.ts";
import { release, type ReleaseParts } from "../../lib/purgatory/mod.ts";
import type { Store } from "../../lib/store/mod.ts";
import { createOpenLink, startSync, type SyncEngine, syncSettings } from "../../lib/sync/mod.ts";
import type { KeyedLock } from "../../lib/world/mod.ts";
import { ignoresAll } from "./no_metrics.ts";
import type { EngineParts } from "./sim_engine.ts";
import type { SimGit } from "./sim_git.ts";
import { SimRemote } from "./sim_remote.ts";

/** What following other servers and hunting their git data is built from. */
export interface FollowingParts extends EngineParts {
  readonly store: Store;
  readonly repositories: SimGit;
  readonly parts: ReleaseParts;
  readonly locks: KeyedLock;
  readonly intake: Intake;
}

const NAUGHTY_MS = 12 * 3_600_000;

/** Starts sync and the hunt of one machine as `lib/server.ts` does. */
export function startFollowing(input: FollowingParts): SyncEngine {
  const { host, clock, random, store, network, intake, log } = input;
  const own = new OwnAddresses({ domain: host, aliases: [], bindAddresses: [] });
  const settings = {
    ...syncSettings({
      test: false,
      syncBootstrapRelayUrl: input.bootstrap.map((other) => `wss://${other}`),
      syncMaxRelays: 200,
      syncBaseBackoffSecs: 5,
      syncMaxBackoffSecs: 3_600,
      syncDisconnectCheckIntervalSecs: 60,
      syncDisableNegentropy: false,
      syncEoseTimeoutSecs: 30,
      syncPaginationThreshold: 75,
      syncMaxEventBytes: 1 << 20,
      maxEventFutureSecs: 1_800,
      naughtyListExpirationHours: 12,
    }),
  };
  startHunting(input, own);
  const metrics = ignoresAll;
  const naughty = new NaughtyList({ clock, lifetimeMs: NAUGHTY_MS, log, subject: "relay" });
  const openLink = createOpenLink({
    network: network.of(host, input.isDead),
    admit: (event, relay) => intake.admit(event, "sync", relay),
    store,
    secretKey: random.bytes(32),
    settings,
    clock,
    random,
    log,
    metrics,
  });
  return startSync({
    settings,
    store,
    openLink,
    isOwn: (url) => own.has(url),
    literalProblem: (url) => literalProblem(url, false),
    relayUrlsOf,
    naughty,
    classify: classifyFailure,
    clock,
    random,
    log,
    metrics,
  });
}

function startHunting(input: FollowingParts, own: OwnAddresses): void {
  const { store, repositories, parts, locks, clock, random, log } = input;
  startHunt({
    store,
    repositories,
    release: async (identifier, receivedBy) =>
      void await locks.run([identifier], () => release(parts, { identifier, receivedBy })),
    remote: new SimRemote(input),
    naughty: new NaughtyList({ clock, lifetimeMs: NAUGHTY_MS, log, subject: "git host" }),
    clock,
    random,
    log,
    metrics: { fetch() {}, hunt() {}, urlSkipped() {} },
    settings: {
      enabled: true,
      maxConcurrentPerHost: 5,
      maxPerMinutePerHost: 60,
      maxRunning: 8,
      hasSpace: () => Promise.resolve(true),
      isOwn: (url) => own.has(url),
    },
  });
}
