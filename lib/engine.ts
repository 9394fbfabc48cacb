import { type Config, LiveConfig } from "./config/mod.ts";
import type { GitData, Repositories } from "./git/mod.ts";
import { Intake, type IntakeParts, type RefusedLifetimes } from "./intake/mod.ts";
import type { Logger, Metrics } from "./observe/mod.ts";
import { type CurationRules, curationRules } from "./policy/mod.ts";
import { contributionRules, Pins, type ReleaseParts } from "./purgatory/mod.ts";
import type { Store } from "./store/mod.ts";
import { type Clock, KeyedLock } from "./world/mod.ts";

/** What the engine is made of, and whom it tells. */
export interface EngineInput extends Pick<IntakeParts, "verifier" | "handOver" | "wanted"> {
  readonly live: LiveConfig;
  readonly store: Store;
  readonly repositories: Repositories;
  /** What stands in for the repositories where git data is read and changed. */
  readonly gitData?: GitData;
  readonly clock: Clock;
  readonly notify: ReleaseParts["notify"];
  readonly expiryCause?: NonNullable<ReleaseParts["expiryCause"]>;
  readonly metrics: Pick<Metrics, "purgatory" | "intake" | "rejected">;
  readonly log: Logger;
}

/** Policy, purgatory and intake at work, without sockets. */
export interface Engine {
  readonly parts: ReleaseParts;
  readonly locks: KeyedLock;
  readonly rules: CurationRules;
  readonly intake: Intake;
  readonly refusedLifetimes: RefusedLifetimes;
}

/** Wires the doors through which events and git data enter: what serving and importing share. */
export function createEngine(input: EngineInput): Engine {
  const { live, store, repositories, clock, metrics, log, expiryCause } = input;
  const config = live.view;
  const rules = live.derive(curationRules);
  const locks = new KeyedLock();
  const offered = contributionRules(live, rules.domain, (repository) => repositories.bytes(repository));
  const parts: ReleaseParts = {
    store,
    repositories: input.gitData ?? repositories,
    pins: new Pins(),
    clock,
    notify: input.notify,
    rules,
    counters: metrics.purgatory,
    ...(expiryCause && { expiryCause }),
    ...(offered && { contributions: offered }),
    log: log.target("purgatory"),
  };
  const refusedLifetimes = lifetimesOf(config);
  const intake = new Intake({
    ...parts,
    locks,
    verifier: input.verifier,
    rules,
    limits: config,
    intakeCounters: metrics.intake,
    rejectedCounters: metrics.rejected,
    refusedLifetimes,
    ...(input.handOver && { handOver: input.handOver }),
    ...(input.wanted && { wanted: input.wanted }),
    log: log.target("policy"),
  });
  return { parts, locks, rules, intake, refusedLifetimes };
}

function lifetimesOf(config: Config): RefusedLifetimes {
  return {
    hotMs: config.rejectedHotCacheDurationSecs * 1000,
    coldMs: config.rejectedColdIndexExpirySecs * 1000,
  };
}
