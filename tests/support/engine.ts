import { LiveConfig } from "../../lib/config/mod.ts";
import { createEngine } from "../../lib/engine.ts";
import { createGit, Repositories } from "../../lib/git/mod.ts";
import type { AdmitAnswer, Intake, Want } from "../../lib/intake/mod.ts";
import { createVerifier, type NostrEvent } from "../../lib/nostr/mod.ts";
import { createMetrics, type Metrics, noMetrics } from "../../lib/observe/mod.ts";
import type { CurationRules } from "../../lib/policy/mod.ts";
import {
  applyBlacklists,
  ContributionGate,
  PushRate,
  type ReleaseParts,
  startContributions,
  startPurgatory,
  StatePushGate,
  Sweep,
} from "../../lib/purgatory/mod.ts";
import { openStore, type Store } from "../../lib/store/mod.ts";
import { KeyedLock, systemClock, systemRandom } from "../../lib/world/mod.ts";
import { DOMAIN } from "../policy/support.ts";
import { engineConfig, type EngineOptions } from "./engine_config.ts";
import { git, refsOf } from "./git_client.ts";
import { silentLog } from "./silent_log.ts";
import { withTempDirectory } from "./temp.ts";
import { VirtualClock } from "./virtual_clock.ts";

export { DOMAIN };
export type { EngineOptions };
/** How long the engine holds retired repositories. */
export const RETENTION_MS = 90 * 86_400_000;

/** Policy, purgatory, git and store without sockets, on a virtual clock: real database, real git. */
export interface Engine {
  readonly directory: string;
  readonly clock: VirtualClock;
  readonly store: Store;
  readonly repositories: Repositories;
  readonly intake: Intake;
  readonly gate: StatePushGate;
  /** Pushes below `/prs/`, when they are offered. */
  readonly contributions: ContributionGate | undefined;
  readonly sweep: Sweep;
  readonly parts: ReleaseParts;
  readonly locks: KeyedLock;
  readonly rules: CurationRules;
  /** Replaces the rules as a reloaded configuration does; those not named are the usual ones. */
  reload(rules: Partial<CurationRules>): Promise<void>;
  /** Metrics of purgatory; nothing else reports to them. */
  readonly metrics: Metrics;
  /** Every event subscribers were told about, in order. */
  readonly notified: NostrEvent[];
  /** What intake asked to be fetched, in order. */
  readonly wants: Want[];
  /** Synced states and pull requests that wait, in order. */
  readonly handedOver: NostrEvent[];
  /** Sends an event as a user does. */
  submit(event: NostrEvent): Promise<AdmitAnswer>;
  /** The same event delivered by another relay. */
  sync(event: NostrEvent): Promise<AdmitAnswer>;
  isServed(id: string): Promise<boolean>;
  /** Pushes refs of a work tree as a client would; the reason when refused, "" when accepted. */
  push(work: string, owner: string, identifier: string, refs: readonly string[]): Promise<string>;
}

/** Runs `play` with a fresh engine; everything is closed and removed afterwards. */
export async function engine(
  play: (engine: Engine) => Promise<void>,
  rules: Partial<CurationRules> = {},
  options: EngineOptions = {},
): Promise<void> {
  await withTempDirectory((directory) => engineIn(directory, new VirtualClock(), play, rules, options));
}

/** The same on existing data, as after a restart. */
export async function engineIn(
  directory: string,
  clock: VirtualClock,
  play: (engine: Engine) => Promise<void>,
  rules: Partial<CurationRules> = {},
  options: EngineOptions = {},
): Promise<void> {
  await Deno.mkdir(`${directory}/git`, { recursive: true });
  const limits = { defaultFilterLimit: 500, maxFilterLimit: 5_000 };
  const store = await openStore({
    location: `${directory}/relay.db`,
    backend: "libsql",
    clock,
    limits,
    log: silentLog,
  });
  const verifier = createVerifier({ workers: 0, log: silentLog });
  try {
    // Children have real deadlines, whatever the virtual clock says.
    const gitRunner = await createGit({
      binary: "git",
      homePath: `${directory}/home`,
      clock: systemClock,
      limits: { maxPushBytes: 0 },
    });
    const repositories = new Repositories({
      git: gitRunner,
      gitDataPath: `${directory}/git`,
      random: systemRandom,
      clock,
      log: silentLog,
    });
    const live = new LiveConfig(await engineConfig(rules, options));
    const metrics = createMetrics({
      version: "0",
      commit: "unknown",
      clock,
      topRepos: 0,
      abuseThreshold: 0,
      log: silentLog,
    });
    metrics.observe({
      waitingCounts: () => store.waitingCounts(),
      waitingAges: () => store.waitingAges(),
    });
    const notified: NostrEvent[] = [];
    const wants: Want[] = [];
    const handedOver: NostrEvent[] = [];
    const { parts, locks, intake, rules: curation } = createEngine({
      live,
      store,
      repositories,
      verifier,
      clock,
      notify: (event) => notified.push(event),
      metrics: { ...noMetrics(), purgatory: metrics.purgatory },
      wanted: (want) => wants.push(want),
      handOver: (event) => handedOver.push(event),
      log: silentLog,
    });
    const hasSpace = () => Promise.resolve(true);
    const gate = new StatePushGate(parts, locks, { rules: curation, hasSpace });
    const { contributions } = parts;
    const withContributions = contributions && { ...parts, contributions };
    const contributionGate = withContributions && new ContributionGate(withContributions, locks, {
      rules: curation,
      limits: { maxRefsPerPush: 16, maxPushBytes: 0 },
      rate: new PushRate(() => 1_000, clock),
      hasSpace,
    });
    const self: Engine = {
      contributions: contributionGate,
      directory,
      clock,
      store,
      repositories,
      intake,
      gate,
      sweep: new Sweep(parts, locks, () => RETENTION_MS),
      parts,
      locks,
      rules: curation,
      metrics,
      reload: async (changes) => live.replace(await engineConfig(changes, options)),
      notified,
      wants,
      handedOver,
      submit: (event) => intake.admit(event, "client"),
      sync: (event) => intake.admit(event, "sync"),
      isServed: (id) => store.has(id),
      push: (work, owner, identifier, refs) => pushThrough(self, work, { owner, identifier }, refs),
    };
    await startPurgatory(parts, locks);
    await applyBlacklists(
      { ...parts, listContributions: () => repositories.contributions() },
      locks,
    );
    if (withContributions) await startContributions(withContributions, locks, repositories);
    await intake.resume();
    try {
      await play(self);
    } finally {
      await intake.stop();
    }
    await repositories.settled();
  } finally {
    verifier.close();
    await store.close();
  }
}

/** What receive-pack does around the upload: authorise, move refs, settle. */
export async function pushThrough(
  { repositories, gate }: Pick<Engine, "repositories" | "gate">,
  work: string,
  repository: { owner: string; identifier: string },
  names: readonly string[],
): Promise<string> {
  const before = (await repositories.readRefs(repository)).refs;
  const local = await refsOf(work);
  const commands = names.map((ref) => ({
    ref,
    oldOid: before.get(ref) ?? "0".repeat(40),
    newOid: local[ref] ?? "0".repeat(40),
  }));
  const decision = await gate.authorise(repository, commands);
  if (!decision.ok) return decision.text;
  const path = repositories.path(repository);
  await git(
    work,
    "push",
    "-q",
    "--force",
    path,
    ...names.map((ref) => local[ref] ? `${ref}:${ref}` : `:${ref}`),
  );
  await gate.settle(decision.grant, commands);
  return "";
}
