import { LiveConfig } from "../../config/mod.ts";
import { untouched } from "../../git/mod.ts";
import { type AdmitAnswer, Intake } from "../../intake/mod.ts";
import { addressIdentifier, compareNewestFirst, createVerifier, KIND, kindClass } from "../../nostr/mod.ts";
import { noMetrics } from "../../observe/mod.ts";
import { contributionRules, Pins } from "../../purgatory/mod.ts";
import type { Changes, EventInsert, InsertVerdict, Store } from "../../store/mod.ts";
import { KeyedLock } from "../../world/mod.ts";
import type { DataBeside } from "../beside.ts";
import { commandLog } from "../command_log.ts";

/** What door 1 would answer to an event, and what it would write. */
export interface Rehearsal {
  readonly answer: AdmitAnswer;
  /** The units of work it would commit, in order. */
  readonly changes: readonly Changes[];
}

/**
 * Sends an untrusted value through door 1 as a client would. Everything is read from the real data; what
 * would be written is noted instead and counts as done.
 */
export async function rehearse(data: DataBeside, value: unknown): Promise<Rehearsal> {
  const { config, rules, clock } = data;
  const changes: Changes[] = [];
  const counters = noMetrics();
  const contributions = contributionRules(new LiveConfig(config), rules.domain, () => Promise.resolve(0));
  const verifier = createVerifier({
    workers: 0,
    library: config.secp256k1Library,
    log: commandLog("error"),
  });
  const intake = new Intake({
    store: rehearsalStore(data.store, changes),
    repositories: untouched(data.repositories),
    pins: new Pins(),
    clock,
    notify: () => {},
    counters: counters.purgatory,
    ...(contributions && { contributions }),
    log: commandLog("error"),
    locks: new KeyedLock(),
    rules,
    verifier,
    limits: config,
    intakeCounters: counters.intake,
    rejectedCounters: counters.rejected,
    refusedLifetimes: { hotMs: 0, coldMs: 0 },
  });
  try {
    return { answer: await intake.admit(value, "client"), changes };
  } finally {
    await intake.stop();
    verifier.close();
  }
}

/** Reads from `store`; commits go to `changes`. Its connection refuses whatever else would write. */
function rehearsalStore(store: Store, changes: Changes[]): Store {
  const instead: Pick<Store, "commit" | "watch"> = {
    commit: async (unit) => {
      changes.push(unit);
      return await Promise.all((unit.insertEvents ?? []).map((insert) => verdictOn(store, insert)));
    },
    watch: () => () => {},
  };
  return new Proxy(store, {
    get(target, name) {
      if (name === "commit" || name === "watch") return instead[name];
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

/** What the store would say to one insert. */
async function verdictOn(store: Store, { event }: EventInsert): Promise<InsertVerdict> {
  if (await store.has(event.id)) return "duplicate";
  if (event.kind !== KIND.deletion && await store.isTombstoned(event)) return "forbidden";
  if (kindClass(event.kind) === "regular") return "stored";
  const current = await store.currentVersion(event.kind, event.pubkey, addressIdentifier(event) ?? "");
  return current && compareNewestFirst(current, event) < 0 ? "superseded" : "stored";
}
