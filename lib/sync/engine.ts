import type { NaughtyGauge, RelayGauges } from "../observe/mod.ts";
import type { Changes, InsertVerdict } from "../store/mod.ts";
import { repeat } from "../world/mod.ts";
import type { ActorContext } from "./context.ts";
import { DailyReconcile } from "./daily.ts";
import { DialGate } from "./dial_gate.ts";
import type { SyncEngine, SyncParts } from "./engine_types.ts";
import { type Inspection, inspectRelay } from "./inspection.ts";
import { identifierOf, isEmpty } from "./items.ts";
import { PurgatoryWatch } from "./purgatory_watch.ts";
import { RelayActor } from "./relay_actor.ts";
import type { RelayRecord } from "./relay_record.ts";
import { RepoIndex } from "./repo_index.ts";
import { selectRelays } from "./selection.ts";
import { SelfSubscriber } from "./self_subscriber.ts";
import { deriveTargets, type Target, targetOf } from "./targets.ts";
import { type WantedEvents, WantedFilters } from "./wanted_events.ts";
import { Watchers } from "./watchers.ts";

/** Checks in a row at which nobody wants a relay before it is dropped. */
const UNWANTED_CHECKS = 2;
const STOP_DEADLINE_MS = 10_000;
/** Live relays asked for one wanted event, those of its repository first. */
const MAX_ASKED = 50;

/** Starts following other relays (GRASP-02); what the database holds is read before the first dial. */
export function startSync(parts: SyncParts): SyncEngine {
  const engine = new Engine(parts);
  engine.start();
  return engine;
}

/**
 * Keeps the relays this server follows in step with the repositories it knows: reads what is wanted
 * from the store, derives what each relay should deliver, and leaves the rest to one actor per relay.
 */
class Engine implements SyncEngine {
  readonly #parts: SyncParts;
  readonly #repos = new RepoIndex();
  readonly #actors = new Map<string, RelayActor>();
  readonly #bootstrap: ReadonlySet<string>;
  readonly #gate = new DialGate();
  readonly #context: ActorContext;
  readonly #self: SelfSubscriber;
  readonly #purgatory: PurgatoryWatch;
  readonly #daily: DailyReconcile;
  readonly #wanted: WantedFilters;
  readonly #watchers: Watchers<Inspection>;
  readonly #stop = new AbortController();
  readonly #allDropped = Promise.withResolvers<void>();
  #followed: ReadonlySet<string> = new Set();
  #unwatch: (() => void) | undefined;
  #work: Promise<unknown> = Promise.resolve();
  #isLoaded = false;
  #hasExcess = false;
  #isDeriveDue = false;

  constructor(parts: SyncParts) {
    this.#parts = parts;
    const { settings, store, clock, random, log, relayUrlsOf } = parts;
    this.#bootstrap = new Set(settings.bootstrapRelays.filter((url) => {
      if (parts.isOwn(url)) {
        log.warn("a bootstrap relay is this server itself and is ignored", { relay: url });
      }
      return !parts.isOwn(url);
    }));
    const repos = this.#repos;
    this.#self = new SelfSubscriber({
      store,
      repos,
      relayUrlsOf,
      clock,
      log,
      batchMs: settings.selfBatchMs,
      onBatch: () => this.#derive(),
    });
    this.#purgatory = new PurgatoryWatch({
      store,
      repos,
      relayUrlsOf,
      clock,
      settings,
      onPass: () => this.#derive(),
    });
    this.#daily = new DailyReconcile({
      clock,
      random,
      settings,
      relays: () => this.#actors.keys(),
      resync: (url) => {
        const wasSyncing = this.#isSyncing(url);
        this.#actors.get(url)?.resync();
        return !wasSyncing && this.#isSyncing(url);
      },
      isSyncing: (url) => this.#isSyncing(url),
      finished: (seconds) => parts.metrics.dailySync(seconds, clock.now()),
    });
    this.#wanted = new WantedFilters(clock, settings.valuesPerFilter);
    this.#watchers = new Watchers(clock, () => this.snapshot());
    this.#context = this.#actorContext();
  }

  /** Begins to read the database, and everything else once that is done. */
  start(): void {
    this.#unwatch = this.#parts.store.watch((changes, verdicts) => {
      try {
        this.#committed(changes, verdicts);
      } catch (error) {
        // A fault here must not reach the store, whose commit is done.
        this.#parts.log.error("a commit could not be followed", { error: String(error) });
      }
    });
    this.#work = this.#load().then(() => {
      if (!this.#stop.signal.aborted) return this.#run();
    });
  }

  async stop(): Promise<void> {
    if (this.#stop.signal.aborted) return await this.#allDropped.promise;
    this.#stop.abort();
    this.#unwatch?.();
    this.#self.stop();
    this.#purgatory.stop();
    this.#daily.stop();
    for (const actor of [...this.#actors.values()]) actor.drop();
    if (this.#actors.size === 0) this.#allDropped.resolve();
    const over = new AbortController();
    const finished = Promise.all([this.#allDropped.promise, this.#work]);
    await Promise.race([finished, this.#parts.clock.sleep(STOP_DEADLINE_MS, over.signal)]);
    over.abort();
    this.#allDropped.resolve();
    this.#watchers.close();
    this.#repos.clear();
  }

  relayGauges(): readonly RelayGauges[] {
    return Array.from(this.#actors.values(), (actor) => actor.gauges());
  }

  naughtyRelays(): readonly NaughtyGauge[] {
    return this.#parts.naughty.entries();
  }

  snapshot(): Inspection {
    const now = this.#parts.clock.monotonic();
    return {
      isLoaded: this.#isLoaded,
      repos: this.#repos.entries,
      relays: new Map(Array.from(this.#actors, ([url, actor]) => [url, inspectRelay(actor, now)])),
      dialsRunning: this.#gate.running,
    };
  }

  changed(condition: (snapshot: Inspection) => boolean, deadlineMs: number): Promise<boolean> {
    return this.#watchers.wait(condition, deadlineMs);
  }

  fetchWanted(want: WantedEvents): void {
    if (this.#stop.signal.aborted) return;
    const relays = new Set<string>();
    for (const [ref, repo] of this.#repos.entries) {
      if (identifierOf(ref) === want.identifier) { for (const url of repo.relays) relays.add(url); }
    }
    // Announcements come from every relay, whatever it is followed for.
    if (want.kind === 30617) { for (const url of this.#actors.keys()) relays.add(url); }
    const live = [...relays].flatMap((url) => {
      const actor = this.#actors.get(url);
      return actor?.link ? [actor] : [];
    }).slice(0, MAX_ASKED);
    if (live.length === 0) return;
    const filters = this.#wanted.take(want);
    if (filters.length > 0) { for (const actor of live) actor.fetch(filters); }
  }

  #actorContext(): ActorContext {
    const { settings, openLink, naughty, classify, clock, random, log, metrics } = this.#parts;
    return {
      settings,
      openLink,
      naughty,
      classify,
      clock,
      random,
      log,
      metrics,
      gate: this.#gate,
      repos: this.#repos,
      targetOf: (url) => targetOf(this.#repos.entries, url),
      isWanted: (record) => this.#isWanted(record),
      announcementsSeen: () => this.#self.announcementsSeen + this.#purgatory.announcementsSeen,
      changed: () => {
        this.#daily.update();
        this.#watchers.notify();
      },
      removed: (record) => this.#removed(record),
    };
  }

  async #load(): Promise<void> {
    try {
      await this.#purgatory.load();
      await this.#self.load(this.#stop.signal);
    } catch (error) {
      this.#parts.log.error("the wanted repositories could not be read", { error: String(error) });
    }
    this.#settle();
    this.#isLoaded = true;
  }

  /** Dials the bootstrap relays first, then everything derived; afterwards runs the regular checks. */
  async #run(): Promise<void> {
    const { clock, settings, log } = this.#parts;
    const { signal } = this.#stop;
    log.info("sync starts", { repositories: this.#repos.size, bootstrap: this.#bootstrap.size });
    for (const url of this.#bootstrap) this.#register(url);
    this.#derive();
    this.#daily.start();
    await Promise.all([
      repeat(clock, settings.disconnectCheckMs, signal, () => Promise.resolve(this.#dropUnwanted())),
      repeat(clock, settings.purgatoryTimerMs, signal, () => this.#checkPurgatory()),
    ]);
  }

  #committed(changes: Changes, verdicts: readonly InsertVerdict[]): void {
    const isServed = this.#self.apply(changes, verdicts);
    const isWaiting = this.#purgatory.apply(changes);
    if (!isServed && !isWaiting) return;
    this.#self.adoptOrphans();
    const isChanged = this.#settle();
    if (!isChanged) return;
    if (isServed) this.#self.schedule();
    if (isWaiting) this.#purgatory.schedule();
    this.#watchers.notify();
  }

  /** Takes over what commits changed; what is gone is forgotten by every relay at once. */
  #settle(): boolean {
    const { isChanged, gone } = this.#repos.settle();
    if (!isEmpty(gone)) { for (const { record } of this.#actors.values()) record.forget(gone); }
    return isChanged;
  }

  async #checkPurgatory(): Promise<void> {
    try {
      await this.#purgatory.load();
    } catch (error) {
      this.#parts.log.warn("announcements in purgatory could not be read", { error: String(error) });
    }
    if (!this.#stop.signal.aborted && this.#settle()) this.#derive();
  }

  /** Works out what every relay should deliver, and lets relays act on what is new for them. */
  #derive(): void {
    if (!this.#isLoaded || this.#stop.signal.aborted) return;
    const targets = deriveTargets(this.#repos.entries, (url) => this.#isTarget(url));
    this.#followed = this.#select(targets);
    for (const url of this.#followed) {
      const actor = this.#actors.get(url) ?? this.#register(url);
      const target = targets.get(url);
      if (actor && target) actor.refresh(target);
    }
    this.#watchers.notify();
  }

  /** Ourselves and addresses that are never dialled are no targets, wherever they are named. */
  #isTarget(url: string): boolean {
    if (this.#parts.isOwn(url)) return false;
    return this.#bootstrap.has(url) || this.#parts.literalProblem(url) === undefined;
  }

  #select(targets: ReadonlyMap<string, Target>): ReadonlySet<string> {
    const { maxRelays } = this.#parts.settings;
    const followed = selectRelays(targets, this.#bootstrap, this.#actors, maxRelays);
    let excess = 0;
    for (const url of targets.keys()) if (!followed.has(url)) excess++;
    if (excess > 0 && !this.#hasExcess) {
      this.#parts.log.warn("more relays are named than may be followed", { ignored: excess, maxRelays });
    }
    this.#hasExcess = excess > 0;
    return followed;
  }

  /** Tracks a relay and lets it dial; undefined when no more relays may be tracked. */
  #register(url: string): RelayActor | undefined {
    const isBootstrap = this.#bootstrap.has(url);
    if (!isBootstrap && this.#actors.size >= this.#parts.settings.maxRelays) return undefined;
    const actor = new RelayActor(this.#context, url, isBootstrap);
    this.#actors.set(url, actor);
    actor.evaluate();
    return actor;
  }

  /** A relay left: whoever wants it again, or waits for its place, gets it right after this step. */
  #removed(record: RelayRecord): void {
    this.#actors.delete(record.url);
    if (this.#stop.signal.aborted) {
      if (this.#actors.size === 0) this.#allDropped.resolve();
    } else this.#deriveSoon();
  }

  /** Once, however many relays leave in the same step. */
  #deriveSoon(): void {
    if (this.#isDeriveDue) return;
    this.#isDeriveDue = true;
    queueMicrotask(() => {
      this.#isDeriveDue = false;
      this.#derive();
    });
  }

  #isWanted(record: RelayRecord): boolean {
    return record.isBootstrap || record.batches.size > 0 || this.#followed.has(record.url);
  }

  #isSyncing(url: string): boolean {
    return this.#actors.get(url)?.record.status === "Syncing";
  }

  #dropUnwanted(): void {
    for (const actor of [...this.#actors.values()]) {
      actor.unwantedChecks = this.#isWanted(actor.record) ? 0 : actor.unwantedChecks + 1;
      if (actor.unwantedChecks >= UNWANTED_CHECKS) actor.drop();
    }
  }
}
