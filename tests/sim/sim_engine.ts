import { INTAKE_LIMITS } from "../support/intake_limits.ts";
import { Intake } from "../../lib/intake/mod.ts";
import { type NostrEvent, serialiseEvent, ZERO_OID } from "../../lib/nostr/mod.ts";
import { type Logger, noPurgatoryMetrics } from "../../lib/observe/mod.ts";
import { type CurationRules, DURATION } from "../../lib/policy/mod.ts";
import { Pins, type ReleaseParts, startPurgatory, StatePushGate, Sweep } from "../../lib/purgatory/mod.ts";
import { createRelay, type Relay } from "../../lib/relay/mod.ts";
import type { Store } from "../../lib/store/mod.ts";
import type { SyncEngine } from "../../lib/sync/mod.ts";
import { KeyedLock, type Random } from "../../lib/world/mod.ts";
import { OPEN } from "../policy/support.ts";
import { runJobs } from "../support/jobs.ts";
import type { Commits } from "./commits.ts";
import { startFollowing } from "./following.ts";
import { type SimDisk, SimGit } from "./sim_git.ts";
import type { Acceptor, SimNetwork } from "./sim_network.ts";
import type { Traffic } from "./traffic.ts";
import { markVerifier } from "./user.ts";
import { watchedStore } from "./watched_store.ts";
import type { MachineClock, World } from "./world.ts";

/** What an engine runs on. */
export interface EngineParts {
  readonly host: string;
  readonly clock: MachineClock;
  readonly random: Random;
  readonly store: Store;
  readonly disk: SimDisk;
  /** Hosts its operator named. */
  readonly bootstrap: readonly string[];
  readonly world: World;
  readonly network: SimNetwork;
  readonly traffic: Traffic;
  readonly commits: Commits;
  diskOf(host: string): SimDisk | undefined;
  readonly log: Logger;
  /** True once the machine was killed or started anew. */
  isDead(): boolean;
}

/** A running server without sockets. */
export interface SimEngine extends Acceptor {
  /** How many relays it says it is connected to. */
  connected(): number;
  /** Sends an event as a client does: whether it was accepted. */
  submit(event: NostrEvent): Promise<boolean>;
  /** Pushes these refs (ref to object id, {@link ZERO_OID} deletes) with their history; whether it was accepted. */
  push(
    repository: { readonly owner: string; readonly identifier: string },
    refs: ReadonlyMap<string, string>,
  ): Promise<boolean>;
}

/** Limits of a server that nobody configured. */
const LIMITS = {
  maxConnections: undefined,
  maxConnectionsPerIp: 0,
  maxSubscriptions: 60,
  maxEventsPerMinute: 500,
  maxSubidLength: 250,
  maxMessageBytes: 1 << 20,
  maxFiltersPerReq: 100,
  maxNegentropyItems: 1_000_000,
};

/** How long an upload takes, in milliseconds. */
const UPLOAD_MS = 400;

/** Wires the parts of one server together as `lib/server.ts` does; resolves when it may be reached. */
export async function startEngine(input: EngineParts): Promise<SimEngine> {
  const { clock, host } = input;
  const store = watchedStore(input.store, input.world.activity, input.isDead);
  const repositories = new SimGit(input.disk, input.commits, clock);
  const rules: CurationRules = { ...OPEN, domain: host };
  const locks = new KeyedLock();
  const parts: ReleaseParts = {
    store,
    repositories,
    pins: new Pins(),
    clock,
    notify: (event) => relay.publish(event, serialiseEvent(event)),
    rules,
    counters: noPurgatoryMetrics,
    log: input.log,
  };
  let following: SyncEngine | undefined;
  const intake: Intake = new Intake({
    ...parts,
    locks,
    verifier: markVerifier,
    rules,
    limits: INTAKE_LIMITS,
    intakeCounters: { received() {}, held() {}, rejected() {} },
    rejectedCounters: { hotHits() {}, hotMiss() {}, hotExpired() {}, coldExpired() {}, invalidated() {} },
    refusedLifetimes: { hotMs: 120_000, coldMs: 604_800_000 },
    wanted: (want) => following?.fetchWanted(want),
  });
  const relay: Relay = createRelay({ limits: LIMITS, store, sink: intake, clock, log: input.log });
  const never = new AbortController().signal;
  const gate = new StatePushGate(parts, locks, { rules, hasSpace: () => Promise.resolve(true) });
  await startPurgatory(parts, locks);
  const sweep = new Sweep(parts, locks, () => 90 * DURATION.pruneMs);
  runJobs([...intake.jobs(), ...sweep.jobs()], clock, never);
  const started = following = startFollowing({ ...input, store, repositories, parts, locks, intake });
  return {
    connected: () =>
      started.relayGauges().filter(({ connection }) => connection >= 2 && connection <= 4).length,
    submit: async (event) => (await intake.admit(event, "client")).accepted,
    push: (repository, refs) => push(input, gate, repositories, repository, refs),
    accept: (socket, address) => relay.accept(socket, address),
    information: () =>
      JSON.stringify({
        name: host,
        supported_nips: [1, 9, 11, 34, 40, 45, 77],
        limitation: {
          max_subscriptions: LIMITS.maxSubscriptions,
          max_filters: LIMITS.maxFiltersPerReq,
          max_limit: 5_000,
          default_limit: 500,
          max_message_length: LIMITS.maxMessageBytes,
          max_subid_length: LIMITS.maxSubidLength,
        },
      }),
  };
}

/** What receive-pack does around an upload: authorise, take the objects, move the refs, settle. */
async function push(
  { clock, disk, commits }: EngineParts,
  gate: StatePushGate,
  repositories: SimGit,
  repository: { readonly owner: string; readonly identifier: string },
  refs: ReadonlyMap<string, string>,
): Promise<boolean> {
  const found = disk.find(repository);
  if (!found) return false;
  const commands = [...refs].map(([ref, newOid]) => ({
    ref,
    oldOid: found.refs.get(ref) ?? ZERO_OID,
    newOid,
  })).filter(({ oldOid, newOid }) => oldOid !== newOid);
  if (commands.length === 0) return true;
  const decision = await gate.authorise(repository, commands);
  if (!decision.ok) return false;
  const release = repositories.use(repository);
  try {
    await clock.sleep(UPLOAD_MS);
    if (disk.find(repository) !== found) {
      // Deleted meanwhile: git finds no directory any more.
      await gate.abandon(decision.grant);
      return false;
    }
    const oids = commands.map(({ newOid }) => newOid).filter((oid) => oid !== ZERO_OID);
    for (const oid of commits.closure(oids)) found.objects.add(oid);
    const failed = new Set(await repositories.changeRefs(repository, commands));
    const applied = commands.filter(({ ref }) => !failed.has(ref));
    if (applied.length === 0) {
      await gate.abandon(decision.grant);
      return false;
    }
    await gate.settle(decision.grant, applied);
    return failed.size === 0;
  } finally {
    release();
  }
}
