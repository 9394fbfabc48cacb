import { INTAKE_LIMITS } from "../support/intake_limits.ts";
import { Intake, type Want } from "../../lib/intake/mod.ts";
import { eventHash, type NostrEvent } from "../../lib/nostr/mod.ts";
import { noPurgatoryMetrics } from "../../lib/observe/mod.ts";
import type { CurationRules } from "../../lib/policy/mod.ts";
import { Pins, release, type ReleaseParts, startPurgatory, Sweep } from "../../lib/purgatory/mod.ts";
import { openStore, type Store } from "../../lib/store/mod.ts";
import { KeyedLock } from "../../lib/world/mod.ts";
import { DOMAIN, KEYS, type Name, OPEN } from "../policy/support.ts";
import { Commits } from "../sim/commits.ts";
import { Dice } from "../sim/dice.ts";
import { SimDisk, SimGit } from "../sim/sim_git.ts";
import { LineLog } from "../store/fixtures.ts";
import { VirtualClock } from "../support/virtual_clock.ts";

export { DOMAIN, KEYS };
/** Seconds; what events are dated unless they say otherwise. */
export const NOW = 1_800_000_000;
/** The only signature that does not verify. */
export const BAD_SIGNATURE = "f".repeat(128);

/** An event with its true id, by a readable author. */
export function event(
  author: Name,
  kind: number,
  tags: readonly (readonly string[])[],
  at = NOW,
): NostrEvent {
  const body = { pubkey: KEYS[author], created_at: at, kind, tags, content: "" };
  return { ...body, id: eventHash(body), sig: "0".repeat(128) };
}

/** An announcement; it lists the service unless `elsewhere`. */
export function announcement(
  owner: Name,
  more: { maintainers?: readonly string[]; elsewhere?: boolean; identifier?: string; at?: number } = {},
): NostrEvent {
  const { maintainers = [], elsewhere = false, identifier = "x", at = NOW } = more;
  const host = elsewhere ? "elsewhere.example" : DOMAIN;
  return event(owner, 30617, [
    ["d", identifier],
    ["clone", `https://${host}/x/${identifier}.git`],
    ["relays", `wss://${host}`],
    ["maintainers", ...maintainers],
  ], at);
}

/** A state that declares one branch. */
export function state(
  author: Name,
  oid: string,
  more: { identifier?: string; at?: number } = {},
): NostrEvent {
  const { identifier = "x", at = NOW } = more;
  return event(author, 30618, [["d", identifier], ["refs/heads/main", oid]], at);
}

/** Counts by name and type, as `hotHits announcement`. */
export class Tally {
  readonly counts = new Map<string, number>();
  #add(name: string, type: string, count: number): void {
    const key = `${name} ${type}`;
    this.counts.set(key, (this.counts.get(key) ?? 0) + count);
  }
  hotHits(type: string, count: number): void {
    this.#add("hotHits", type, count);
  }
  hotMiss(type: string): void {
    this.#add("hotMiss", type, 1);
  }
  hotExpired(type: string, count: number): void {
    this.#add("hotExpired", type, count);
  }
  coldExpired(type: string, count: number): void {
    this.#add("coldExpired", type, count);
  }
  invalidated(type: string, count: number): void {
    this.#add("invalidated", type, count);
  }
}

/** Door 1 with a real store and policy, on a virtual clock, with git data in memory. */
export interface Bench {
  readonly clock: VirtualClock;
  readonly store: Store;
  readonly intake: Intake;
  readonly parts: ReleaseParts;
  readonly sweep: Sweep;
  readonly log: LineLog;
  readonly tally: Tally;
  readonly wants: Want[];
  readonly handedOver: NostrEvent[];
  readonly notified: NostrEvent[];
  /** How often a signature was checked. */
  readonly verified: () => number;
  sync(event: NostrEvent): ReturnType<Intake["admit"]>;
  submit(event: NostrEvent): ReturnType<Intake["admit"]>;
  /** Brings these objects into a repository and lets them be noticed, as a push or a fetch does. */
  bring(owner: Name, oids: readonly string[], identifier?: string): Promise<void>;
  isServed(event: NostrEvent): Promise<boolean>;
}

/** What a bench may be told. */
export interface BenchOptions {
  readonly rules?: Partial<CurationRules>;
  readonly hotMs?: number;
  readonly coldMs?: number;
  readonly maxFutureSecs?: number;
  /** A database file; in memory without. */
  readonly location?: string;
  /** Stands between intake and the store. */
  readonly tamper?: (store: Store) => Store;
}

/** Runs `play` with a fresh bench. */
export async function bench(
  play: (bench: Bench) => Promise<void>,
  options: BenchOptions = {},
): Promise<void> {
  const clock = new VirtualClock(NOW * 1000);
  const log = new LineLog();
  const opened = await openStore({
    location: options.location ?? "",
    backend: options.location === undefined ? "memory" : "libsql",
    clock,
    limits: { defaultFilterLimit: 500, maxFilterLimit: 5_000 },
    log,
  });
  const store = options.tamper?.(opened) ?? opened;
  const instant = {
    now: () => clock.now(),
    monotonic: () => clock.monotonic(),
    sleep: () => Promise.resolve(),
  };
  const disk = new SimDisk();
  const notified: NostrEvent[] = [];
  const wants: Want[] = [];
  const handedOver: NostrEvent[] = [];
  const tally = new Tally();
  let verified = 0;
  const locks = new KeyedLock();
  const rules = { ...OPEN, ...options.rules };
  const parts: ReleaseParts = {
    store,
    repositories: new SimGit(disk, new Commits(new Dice(1)), instant),
    pins: new Pins(),
    clock,
    notify: (each) => notified.push(each),
    rules,
    counters: noPurgatoryMetrics,
    log,
  };
  const intake = new Intake({
    ...parts,
    locks,
    verifier: {
      verify: ({ sig }) => {
        verified++;
        return Promise.resolve(sig !== BAD_SIGNATURE);
      },
    },
    rules,
    limits: { ...INTAKE_LIMITS, maxEventFutureSecs: options.maxFutureSecs ?? 1_800 },
    intakeCounters: { received() {}, held() {}, rejected() {} },
    rejectedCounters: tally,
    refusedLifetimes: { hotMs: options.hotMs ?? 120_000, coldMs: options.coldMs ?? 7 * 86_400_000 },
    wanted: (want) => wants.push(want),
    handOver: (each) => handedOver.push(each),
  });
  try {
    await startPurgatory(parts, locks);
    await play({
      clock,
      store,
      intake,
      parts,
      sweep: new Sweep(parts, locks, () => 90 * 86_400_000),
      log,
      tally,
      wants,
      handedOver,
      notified,
      verified: () => verified,
      sync: (each) => intake.admit(each, "sync", "wss://peer.example"),
      submit: (each) => intake.admit(each, "client"),
      bring: async (name, oids, identifier = "x") => {
        const owner = KEYS[name];
        for (const oid of oids) disk.find({ owner, identifier })!.objects.add(oid);
        await locks.run([identifier], () => release(parts, { identifier, receivedBy: owner }));
      },
      isServed: (each) => store.has(each.id),
    });
  } finally {
    await intake.stop();
    await opened.close();
  }
}
