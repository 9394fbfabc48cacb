import { INTAKE_LIMITS } from "./intake_limits.ts";
import { noPurgatoryMetrics } from "../../lib/observe/mod.ts";
import { createGit, Repositories } from "../../lib/git/mod.ts";
import { Intake, noRejectedMetrics } from "../../lib/intake/mod.ts";
import type { NostrEvent } from "../../lib/nostr/mod.ts";
import {
  classifyFailure,
  literalProblem,
  NaughtyList,
  OwnAddresses,
  relayUrlsOf,
} from "../../lib/outgoing/mod.ts";
import type { CurationRules } from "../../lib/policy/mod.ts";
import { Pins, type ReleaseParts, startPurgatory, StatePushGate, Sweep } from "../../lib/purgatory/mod.ts";
import { openStore, type Store } from "../../lib/store/mod.ts";
import { createOpenLink, startSync, type SyncEngine } from "../../lib/sync/mod.ts";
import type { SyncSettings } from "../../lib/sync/ports.ts";
import { KeyedLock, type Random, systemClock } from "../../lib/world/mod.ts";
import { OPEN } from "../policy/support.ts";
import { LineLog } from "../store/fixtures.ts";
import { Busy } from "./busy.ts";
import { runJobs } from "./jobs.ts";
import { MemoryNetwork } from "./memory_network.ts";
import { SteppingClock } from "./stepping_clock.ts";
import { SyncCounts } from "./sync_counts.ts";
import { DOMAIN, markVerifier } from "./sync_events.ts";
import { PRODUCTION } from "./sync_settings.ts";

/** The secret key of the relay under test. */
export const RELAY_KEY = new Uint8Array(32).fill(7);

/** How a world differs from production. */
export interface WorldOptions {
  readonly settings?: Partial<SyncSettings>;
  readonly rules?: Partial<CurationRules>;
  readonly seed?: number;
  readonly allowPrivate?: boolean;
  readonly aliases?: readonly string[];
  /** Wraps the store, to slow it down or to make it fail. */
  readonly tamper?: (store: Store, clock: SteppingClock) => Store;
}

/** What outlives a run of the relay under test: its files, the network and the time. */
export interface Surroundings {
  readonly directory: string;
  readonly clock: SteppingClock;
  readonly network: MemoryNetwork;
}

/** One run of the relay under test: everything real but sockets, time and signatures. */
export interface World extends Surroundings {
  readonly settings: SyncSettings;
  readonly store: Store;
  readonly intake: Intake;
  readonly repositories: Repositories;
  readonly gate: StatePushGate;
  readonly sweep: Sweep;
  readonly counts: SyncCounts;
  readonly log: LineLog;
  /** Every event subscribers were told about, in order. */
  readonly notified: NostrEvent[];
  /** Calls under way in store and git. */
  readonly busy: Busy;
  /** Begins to follow other relays. */
  start(): SyncEngine;
  /** Ends the run; the database is closed. */
  stop(): Promise<void>;
}

/** Repeats itself for the same seed. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 24;
  };
  return { bytes: (length) => Uint8Array.from({ length }, next) };
}

/** Opens the relay under test on `directory`, which may hold data of an earlier run. */
export async function openWorld(surroundings: Surroundings, options: WorldOptions = {}): Promise<World> {
  const { directory, clock, network } = surroundings;
  const busy = new Busy();
  clock.isBusy = () => busy.isBusy;
  const settings = { ...PRODUCTION, ...options.settings };
  const log = new LineLog();
  await Deno.mkdir(`${directory}/git`, { recursive: true });
  const opened = await openStore({
    location: `${directory}/relay.db`,
    backend: "libsql",
    clock,
    limits: { defaultFilterLimit: 500, maxFilterLimit: 5_000 },
    log,
  });
  const watched = busy.watch(opened);
  const store = options.tamper?.(watched, clock) ?? watched;
  const random = seededRandom(options.seed ?? 1);
  // Children have real deadlines, whatever the virtual clock says.
  const git = await createGit({
    binary: "git",
    homePath: `${directory}/home`,
    clock: systemClock,
    limits: { maxPushBytes: 0 },
  });
  const repositories = busy.watch(
    new Repositories({ git, gitDataPath: `${directory}/git`, random, clock, log }),
  );
  const notified: NostrEvent[] = [];
  const locks = new KeyedLock();
  const rules: CurationRules = { ...OPEN, ...options.rules };
  const parts: ReleaseParts = {
    store,
    repositories,
    pins: new Pins(),
    clock,
    notify: (event) => notified.push(event),
    rules,
    counters: noPurgatoryMetrics,
    log,
  };
  let engine: SyncEngine | undefined;
  const intake: Intake = new Intake({
    ...parts,
    locks,
    verifier: markVerifier,
    rules,
    limits: { ...INTAKE_LIMITS, maxEventFutureSecs: settings.maxFutureSecs },
    intakeCounters: { received() {}, held() {}, rejected() {} },
    rejectedCounters: noRejectedMetrics,
    refusedLifetimes: { hotMs: 120_000, coldMs: 7 * 86_400_000 },
    wanted: (want) => engine?.fetchWanted(want),
  });
  const stopping = new AbortController();
  const upkeep = runJobs(intake.jobs(), clock, stopping.signal);
  const gate = new StatePushGate(parts, locks, { rules, hasSpace: () => Promise.resolve(true) });
  const counts = new SyncCounts();
  const naughty = new NaughtyList({ clock, lifetimeMs: settings.naughtyMs, log, subject: "relay" });
  const own = new OwnAddresses({
    domain: DOMAIN,
    aliases: options.aliases ?? [],
    bindAddresses: ["127.0.0.1:7334"],
  });
  const openLink = createOpenLink({
    network,
    admit: (event, relay) => intake.admit(event, "sync", relay),
    store,
    secretKey: RELAY_KEY,
    settings,
    clock,
    random,
    log,
    metrics: counts,
  });
  await startPurgatory(parts, locks);
  return {
    ...surroundings,
    settings,
    store,
    intake,
    repositories,
    gate,
    sweep: new Sweep(parts, locks, () => 90 * 86_400_000),
    counts,
    log,
    notified,
    busy,
    start: () =>
      engine = startSync({
        settings,
        store,
        openLink,
        isOwn: (url) => own.has(url),
        literalProblem: (url) => literalProblem(url, options.allowPrivate ?? false),
        relayUrlsOf,
        naughty,
        classify: classifyFailure,
        clock,
        random,
        log,
        metrics: counts,
      }),
    stop: async () => {
      await drive(clock, engine?.stop() ?? Promise.resolve(), 20_000);
      engine = undefined;
      stopping.abort();
      await drive(clock, upkeep.ended(), 1_000);
      await drive(clock, intake.stop(), 1_000);
      await repositories.settled();
      await opened.close();
    },
  };
}

/** Lets virtual time pass until `work` settles; throws when it does not within `ms`. */
export async function drive<T>(clock: SteppingClock, work: Promise<T>, ms: number): Promise<T> {
  let settled = false;
  const end = () => {
    settled = true;
  };
  work.then(end, end);
  if (!await clock.until(() => settled, ms)) throw new Error(`not done after ${ms} virtual ms`);
  return await work;
}
