import { INTAKE_LIMITS } from "./intake_limits.ts";
import { createGit, Repositories } from "../../lib/git/mod.ts";
import { type AdmitAnswer, Intake, noRejectedMetrics, type Want } from "../../lib/intake/mod.ts";
import { createVerifier, type NostrEvent } from "../../lib/nostr/mod.ts";
import { createMetrics, type Metrics } from "../../lib/observe/mod.ts";
import type { CurationRules } from "../../lib/policy/mod.ts";
import {
  applyBlacklists,
  ContributionGate,
  ContributionUsage,
  IdleContributions,
  Pins,
  PushRate,
  type ReleaseParts,
  startContributions,
  startPurgatory,
  StatePushGate,
  Sweep,
} from "../../lib/purgatory/mod.ts";
import { openStore, type Store } from "../../lib/store/mod.ts";
import { KeyedLock, systemClock, systemRandom } from "../../lib/world/mod.ts";
import { DOMAIN, OPEN } from "../policy/support.ts";
import { git, refsOf } from "./git_client.ts";
import { silentLog } from "./silent_log.ts";
import { withTempDirectory } from "./temp.ts";
import { VirtualClock } from "./virtual_clock.ts";

export { DOMAIN };
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
  /** Pushes below `/prs/`. */
  readonly contributions: ContributionGate;
  readonly sweep: Sweep;
  readonly parts: ReleaseParts;
  readonly locks: KeyedLock;
  readonly rules: CurationRules;
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

/** What an engine does beyond hosting. */
export interface EngineOptions {
  /** What becomes of deletion requests; obeyed when not given. */
  readonly deletions?: "ignored" | "restricted";
  /** Offer contributors' repositories (GRASP-06), with these limits. */
  readonly contributions?: {
    readonly unclaimedMs?: number;
    readonly maxTotalBytes?: number;
    readonly maxBytesPerSubmitter?: number;
  };
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
    const notified: NostrEvent[] = [];
    const wants: Want[] = [];
    const handedOver: NostrEvent[] = [];
    const locks = new KeyedLock();
    const curation: CurationRules = { ...OPEN, ...rules };
    const usage = new ContributionUsage({
      maxTotalBytes: options.contributions?.maxTotalBytes ?? 0,
      maxBytesPerSubmitter: options.contributions?.maxBytesPerSubmitter ?? 0,
    }, (repository) => repositories.bytes(repository));
    const offered = {
      usage,
      domain: curation.domain,
      unclaimedMs: options.contributions?.unclaimedMs ?? 1_200_000,
      idle: new IdleContributions(),
    };
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
    const parts: ReleaseParts = {
      ...(options.contributions && { contributions: offered }),
      store,
      repositories,
      pins: new Pins(),
      clock,
      notify: (event) => notified.push(event),
      rules: curation,
      counters: metrics.purgatory,
      log: silentLog,
    };
    const intake: Intake = new Intake({
      ...parts,
      locks,
      verifier,
      rules: curation,
      limits: {
        ...INTAKE_LIMITS,
        ignoreDeletionRequests: options.deletions === "ignored",
        restrictDeletionRequests: options.deletions === "restricted",
      },
      intakeCounters: { received() {}, held() {}, rejected() {} },
      rejectedCounters: noRejectedMetrics,
      refusedLifetimes: { hotMs: 120_000, coldMs: 7 * 86_400_000 },
      wanted: (want) => wants.push(want),
      handOver: (event) => handedOver.push(event),
    });
    const gate = new StatePushGate(parts, locks, {
      rules: curation,
      hasSpace: () => Promise.resolve(true),
    });
    const contributions = new ContributionGate({ ...parts, contributions: offered }, locks, {
      rules: curation,
      limits: { maxRefsPerPush: 16, maxPushBytes: 0 },
      rate: new PushRate(() => 1_000, clock),
      hasSpace: () => Promise.resolve(true),
    });
    const self: Engine = {
      contributions,
      directory,
      clock,
      store,
      repositories,
      intake,
      gate,
      sweep: new Sweep(parts, locks, RETENTION_MS),
      parts,
      locks,
      rules: curation,
      metrics,
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
    if (options.contributions) {
      await startContributions({ ...parts, contributions: offered }, locks, repositories);
    }
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
