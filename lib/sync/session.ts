import type { Filter } from "../nostr/mod.ts";
import { type Batch, newBatch } from "./batches.ts";
import { ANNOUNCEMENTS, itemFilters, withSince } from "./filters.ts";
import { isEmpty, type Items, itemSet } from "./items.ts";
import { Consolidation } from "./consolidation.ts";
import type { ActorContext } from "./context.ts";
import type { Health } from "./health.ts";
import type { Trigger } from "./lifecycle.ts";
import type { HistoryOutcome, PeerLink, PeerMemory } from "./ports.ts";
import type { RelayRecord } from "./relay_record.ts";
import { chooseStrategy, type FormerConnection, sinceOf } from "./strategy.ts";
import { type Action, computeAction, type Target } from "./targets.ts";
import { Timer } from "./timer.ts";

/** What one connection of a relay needs from its actor. */
export interface SessionParts {
  readonly context: ActorContext;
  readonly record: RelayRecord;
  readonly health: Health;
  readonly memory: PeerMemory;
  readonly link: PeerLink;
  /** Moves the relay's status. */
  move(trigger: Trigger): boolean;
  /** Runs a step in the relay's own order. */
  post(step: () => void): void;
}

/** Options of one historic sync. */
interface HistoryOptions {
  readonly items?: Items;
  readonly covers?: Items;
  readonly since?: number | undefined;
  readonly allowNegentropy?: boolean;
}

/**
 * The work on one WebSocket: which subscriptions to open, which history to fetch, and when the relay
 * counts as synced. Bound to one connection and never used again after {@link Session.end}.
 */
export class Session {
  readonly #parts: SessionParts;
  readonly #completion: Timer;
  readonly #repair: Timer;
  readonly #consolidation: Consolidation;
  readonly #startedAt: number;
  #isOver = false;
  #isFirstHistory = true;
  #resyncDue = false;
  #announcementsBefore = 0;

  constructor(parts: SessionParts) {
    this.#parts = parts;
    const { clock, settings } = parts.context;
    this.#completion = new Timer(clock);
    this.#repair = new Timer(clock);
    this.#consolidation = new Consolidation(clock, settings);
    this.#startedAt = clock.monotonic();
  }

  /** Begins with the strategy that follows from the former connection. */
  start(former: FormerConnection): void {
    const { context: { clock, settings, log }, record } = this.#parts;
    const strategy = chooseStrategy(former, clock.monotonic(), settings.quickReconnectMs);
    log.debug("sync begins", { relay: record.url, strategy, epoch: record.epoch });
    record.batches.clear();
    this.#announcementsBefore = this.#parts.context.announcementsSeen();
    if (strategy === "fresh") this.#freshStart(false);
    else {
      const since = sinceOf(former.lastConnected!, clock.now(), settings.overlapSecs);
      this.#quickReconnect(Math.min(since, record.unreadSince ?? since));
    }
    this.#checkCompletion();
  }

  /** Opens what is wanted and neither delivered nor under way. */
  refresh(target?: Target): void {
    if (this.#isCoolingDown || this.#consolidation.isWaiting) return;
    const action = this.#action(target);
    if (action) this.#openNew(action);
  }

  /** Fetches everything again on the live socket (daily reconcile). */
  resync(): void {
    const { context: { clock }, record, link, memory, move } = this.#parts;
    if (record.status === "Syncing") return;
    if (this.#isCoolingDown) {
      this.#resyncDue = true;
      return;
    }
    if (!move("resync")) return;
    this.#repair.stop();
    this.#consolidation.cancel();
    this.#dropBatches();
    link.dropHistory();
    memory.negentropy = "unknown";
    memory.negentropyTimeouts = 0;
    this.#announcementsBefore = this.#parts.context.announcementsSeen();
    this.#consolidation.note(clock.monotonic());
    this.#freshStart(true);
    this.#checkCompletion();
  }

  /** The peer asked us to slow down; its cooldown is running already. */
  holdBack(): void {
    this.#parts.link.holdUntil(this.#parts.health.cooldownUntil);
  }

  /** The cooldown is over: what was dropped meanwhile is derived again. */
  resume(): void {
    if (this.#isCoolingDown) return;
    if (this.#resyncDue) {
      this.#resyncDue = false;
      this.resync();
    } else this.refresh();
  }

  /** Fetches single events; their failure says nothing about the relay. */
  fetch(filters: readonly Filter[]): void {
    this.#history(newBatch({ purpose: "targeted", filters, isWhole: true }), false);
  }

  /** The connection is gone: no timer runs on, every late result is dropped. */
  end(): void {
    this.#isOver = true;
    for (const timer of [this.#completion, this.#repair]) timer.stop();
    this.#consolidation.cancel();
    this.#dropBatches();
  }

  get #isCoolingDown(): boolean {
    return this.#parts.health.isCoolingDown(this.#parts.context.clock.monotonic());
  }

  #freshStart(replace: boolean): void {
    const { record } = this.#parts;
    record.reset();
    const action = this.#action();
    if (replace) this.#replaceLive([ANNOUNCEMENTS, ...(action?.filters ?? [])]);
    else this.#openLive([ANNOUNCEMENTS]);
    this.#fetchAnnouncements(undefined);
    if (!action) return;
    if (!replace) this.#openLive(action.filters);
    this.#fetchNew(action);
  }

  #quickReconnect(since: number): void {
    const { record, context } = this.#parts;
    record.prune(context.targetOf(record.url));
    // Everything known to be missing is asked for again right here.
    record.hadFailures = false;
    const live = itemFilters(record.confirmed, context.settings.valuesPerFilter);
    const action = this.#action();
    this.#openLive([ANNOUNCEMENTS]);
    this.#fetchAnnouncements(record.announcementsSynced ? since : undefined);
    this.#openLive([...live, ...(action?.filters ?? [])]);
    this.#catchUp(since);
    this.#fetchIncomplete("catch-up");
    if (action) this.#fetchNew(action);
  }

  /** Confirmed items without gaps, from `since` on. */
  #catchUp(since: number): void {
    const { record, context: { settings } } = this.#parts;
    const covers = itemSet(record.confirmed);
    for (const [ref, level] of record.incomplete.repos) {
      if (covers.repos.get(ref) === level) covers.repos.delete(ref);
    }
    for (const id of record.incomplete.roots) covers.roots.delete(id);
    const filters = itemFilters(covers, settings.valuesPerFilter);
    this.#fetch("catch-up", filters, { covers, since });
  }

  #fetchIncomplete(purpose: "catch-up" | "repair"): void {
    const { record, context: { settings } } = this.#parts;
    if (isEmpty(record.incomplete)) return;
    const filters = itemFilters(record.incomplete, settings.valuesPerFilter);
    this.#fetch(purpose, filters, { covers: record.incomplete, allowNegentropy: purpose === "catch-up" });
  }

  #fetchAnnouncements(since: number | undefined, allowNegentropy = true): void {
    this.#fetch("announcements", [ANNOUNCEMENTS], { since, allowNegentropy });
  }

  #fetchNew(action: Action): void {
    this.#fetch("new", action.filters, { items: action.items });
  }

  #openNew(action: Action): void {
    const { context: { settings, clock }, link } = this.#parts;
    const total = link.openSubscriptions + link.liveCost(action.filters);
    const limit = Math.min(settings.maxSubscriptions, link.budget);
    const isNeeded = this.#consolidation.isNeeded(total, action.filters.length, limit);
    if (isNeeded && this.#consolidation.isAllowed(clock.monotonic())) this.#requestConsolidation();
    else this.#openPlainly(action);
  }

  #openPlainly(action: Action): void {
    this.#openLive(action.filters);
    this.#fetchNew(action);
  }

  /** Waits for the history under way; what is wanted meanwhile is derived again afterwards. */
  #requestConsolidation(): void {
    const { context: { log, metrics, clock }, record, post } = this.#parts;
    this.#consolidation.request(() =>
      post(() => {
        if (this.#isOver || !this.#consolidation.isWaiting) return;
        this.#consolidation.note(clock.monotonic());
        metrics.consolidation("timeout");
        log.debug("subscriptions stay as they are: history takes too long", { relay: record.url });
        const action = this.#isCoolingDown ? undefined : this.#action();
        if (action) this.#openPlainly(action);
      })
    );
    if (record.batches.size === 0) this.#consolidate();
  }

  /** Replaces all live subscriptions by as few as possible, and covers the moment between by history. */
  #consolidate(): void {
    const { context, record, link } = this.#parts;
    const { clock, settings, metrics, log } = context;
    this.#consolidation.note(clock.monotonic());
    if (this.#isCoolingDown) return;
    record.prune(context.targetOf(record.url));
    const since = sinceOf(clock.now(), clock.now(), settings.overlapSecs);
    const confirmed = itemFilters(record.confirmed, settings.valuesPerFilter);
    const action = this.#action();
    log.debug("subscriptions are consolidated", { relay: record.url, open: link.openSubscriptions });
    this.#replaceLive([ANNOUNCEMENTS, ...confirmed, ...(action?.filters ?? [])]);
    metrics.consolidation("done");
    this.#fetchAnnouncements(record.announcementsSynced ? since : undefined);
    this.#fetch("catch-up", confirmed, { covers: record.confirmed, since });
    if (action) this.#fetchNew(action);
  }

  #openLive(filters: readonly Filter[]): void {
    if (filters.length === 0) return;
    this.#consolidation.opened(filters.length);
    this.#parts.link.openLive(filters);
  }

  #replaceLive(filters: readonly Filter[]): void {
    this.#consolidation.replaced(filters.length);
    this.#parts.link.replaceLive(filters);
  }

  #action(target?: Target): Action | undefined {
    const { context, record } = this.#parts;
    return computeAction(
      target ?? context.targetOf(record.url),
      record,
      record.status,
      context.settings.valuesPerFilter,
    );
  }

  #fetch(purpose: Batch["purpose"], filters: readonly Filter[], options: HistoryOptions): void {
    if (filters.length === 0) return;
    const { items, covers, since, allowNegentropy = true } = options;
    const { record } = this.#parts;
    if (since !== undefined) record.unreadSince = Math.min(since, record.unreadSince ?? since);
    const batch = newBatch({
      purpose,
      filters: withSince(filters, since),
      isWhole: since === undefined,
      ...(items && { items }),
      ...(covers && { covers }),
    });
    this.#history(batch, allowNegentropy);
  }

  /** Registers the batch, then hands it to the link: no answer can come before it is known. */
  #history(batch: Batch, allowNegentropy: boolean): void {
    const { context, record, link, post } = this.#parts;
    const { progress, filters } = batch;
    record.batches.set(batch.id, batch);
    this.#completion.stop();
    link.history({ progress, filters, allowNegentropy, fallback: () => filters }).then(
      (outcome) => post(() => this.#finished(batch, outcome)),
      (error) => {
        context.log.error("a history failed", { relay: record.url, error: String(error) });
        post(() => this.#finished(batch, { result: "failed", failedFilters: filters }));
      },
    );
  }

  #finished(batch: Batch, outcome: HistoryOutcome): void {
    const { context, record } = this.#parts;
    if (this.#isOver || !record.batches.delete(batch.id)) return;
    context.metrics.batch(batch.progress.method, outcome.result);
    if (outcome.result !== "dropped" && batch.purpose !== "targeted") {
      record.confirm(batch, outcome, context.repos);
      if (outcome.result === "failed") this.#noteFailure(batch);
      else if (batch.purpose === "announcements") this.#logAnnouncements();
      if (record.batches.values().every(({ isWhole }) => isWhole)) record.unreadSince = undefined;
    }
    if (record.batches.size > 0) return;
    if (this.#consolidation.isWaiting) this.#consolidate();
    this.#checkCompletion();
  }

  #noteFailure(batch: Batch): void {
    const { context: { log }, record, move } = this.#parts;
    record.hadFailures = true;
    log.debug("history is incomplete", { relay: record.url, purpose: batch.purpose });
    if (record.status === "Connected") move("lateFailure");
    if (record.status === "ConnectedDegraded") this.#scheduleRepair();
  }

  /** Waits a while after the last batch: what has just come in may lead to more. */
  #checkCompletion(): void {
    const { context: { settings }, record, post } = this.#parts;
    if (record.status !== "Syncing" || record.batches.size > 0) return;
    this.#completion.start(settings.doubleCheckMs, () =>
      post(() => {
        if (!this.#isOver && record.status === "Syncing" && record.batches.size === 0) this.#complete();
      }));
  }

  #complete(): void {
    const { context: { clock, metrics, log }, record, move } = this.#parts;
    record.completedAt = clock.now();
    if (this.#isFirstHistory) metrics.historicDuration((clock.monotonic() - this.#startedAt) / 1000);
    this.#isFirstHistory = false;
    if (record.hadFailures) {
      move("completedWithGaps");
      this.#scheduleRepair();
    } else {
      record.repairs = 0;
      move("completed");
    }
    log.debug("history has ended", { relay: record.url, complete: !record.hadFailures });
  }

  #scheduleRepair(): void {
    const { context: { settings }, record, post } = this.#parts;
    if (this.#repair.isRunning) return;
    const delay = Math.min(settings.firstRepairMs * 2 ** Math.min(record.repairs, 30), settings.maxRepairMs);
    this.#repair.start(delay, () => post(() => this.#repairNow()));
  }

  /** Fetches what is known to be missing, by REQ alone. */
  #repairNow(): void {
    const { context: { clock, targetOf }, record, health, move, post } = this.#parts;
    if (this.#isOver || record.status !== "ConnectedDegraded") return;
    if (this.#isCoolingDown) {
      const left = health.cooldownUntil - clock.monotonic();
      this.#repair.start(left, () => post(() => this.#repairNow()));
      return;
    }
    if (!move("resync")) return;
    record.repairs++;
    record.hadFailures = false;
    record.prune(targetOf(record.url));
    if (!record.announcementsSynced) this.#fetchAnnouncements(undefined, false);
    this.#fetchIncomplete("repair");
    this.#checkCompletion();
  }

  /** A bootstrap relay without a single announcement for us is most likely a mistake of the operator. */
  #logAnnouncements(): void {
    const { context: { log, repos, announcementsSeen }, record } = this.#parts;
    if (!record.isBootstrap) return;
    const received = announcementsSeen() - this.#announcementsBefore;
    this.#announcementsBefore = announcementsSeen();
    log.info("announcements of a bootstrap relay were read", { relay: record.url, received });
    if (received > 0 || repos.size > 0) return;
    log.warn("a bootstrap relay has no announcement for this server: is the domain or the relay wrong?", {
      relay: record.url,
    });
  }

  #dropBatches(): void {
    const { context: { metrics }, record } = this.#parts;
    for (const { progress } of record.batches.values()) metrics.batch(progress.method, "dropped");
    record.batches.clear();
  }
}
