import { type Batch, itemsOfFilters } from "./batches.ts";
import { addRepo, higherLevel, type Items, itemSet, lowerLevel, type SyncLevel } from "./items.ts";
import type { Status } from "./lifecycle.ts";
import type { HistoryOutcome } from "./ports.ts";
import type { RepoIndex } from "./repo_index.ts";
import type { Held, Target } from "./targets.ts";

/**
 * What is known of one tracked relay: what it has delivered (confirmed), what it is delivering
 * (pending batches) and how its connection stands. Changed in synchronous steps only.
 */
export class RelayRecord implements Held {
  readonly url: string;
  isBootstrap: boolean;
  status: Status = "None";
  /** Counts the connections; every result of an older one is dropped. */
  epoch = 0;
  /** Wall time (ms) of the last frame of the former connection, or of the connect of this one. */
  lastConnected: number | undefined;
  /** Monotonic time (ms) at which the loss was noticed; undefined while connected. */
  disconnectedAt: number | undefined;
  /** History of layer 1 has come in whole since the last fresh start. */
  announcementsSynced = false;
  /** Wall time (ms) at which history of all layers ended; undefined before. */
  completedAt: number | undefined;
  /** Some history is known to be missing. */
  hadFailures = false;
  /** Some second held more events than the relay sends at once: a REQ cannot tell whether all came. */
  possiblyIncomplete = false;
  /**
   * The earliest `since` (seconds) of catch-ups that have not ended: what came after it may be missing,
   * however long the relay was followed since then. Undefined when there is none.
   */
  unreadSince: number | undefined;
  /** Repairs since the last time everything was complete. */
  repairs = 0;
  readonly confirmed = itemSet();
  /** Of the confirmed items, those whose history has gaps. */
  readonly incomplete = itemSet();
  readonly batches = new Map<number, Batch>();

  constructor(url: string, isBootstrap: boolean) {
    this.url = url;
    this.isBootstrap = isBootstrap;
  }

  levelOf(ref: string): SyncLevel | undefined {
    let level = this.confirmed.repos.get(ref);
    for (const { items } of this.batches.values()) level = higherLevel(level, items.repos.get(ref));
    return level;
  }

  hasRoot(id: string): boolean {
    if (this.confirmed.roots.has(id)) return true;
    for (const { items } of this.batches.values()) if (items.roots.has(id)) return true;
    return false;
  }

  /** Forgets what was delivered, for a fresh start; the facts of the connection stay. */
  reset(): void {
    for (const items of [this.confirmed, this.incomplete]) {
      items.repos.clear();
      items.roots.clear();
    }
    this.announcementsSynced = false;
    this.completedAt = undefined;
    this.hadFailures = false;
    this.possiblyIncomplete = false;
    this.unreadSince = undefined;
  }

  /** Takes over what a finished batch brought. Items nobody wants any more are left out. */
  confirm(batch: Batch, outcome: HistoryOutcome, wanted: RepoIndex): void {
    if (batch.purpose === "announcements") {
      this.announcementsSynced = outcome.result === "complete" && (batch.isWhole || this.announcementsSynced);
    }
    for (const [ref, level] of batch.items.repos) {
      const limit = wanted.levelOf(ref);
      if (limit) addRepo(this.confirmed, ref, lowerLevel(level, limit));
    }
    for (const id of batch.items.roots) if (wanted.hasRoot(id)) this.confirmed.roots.add(id);
    if (outcome.possiblyIncomplete) this.possiblyIncomplete = true;
    if (outcome.result === "failed") this.#noteGaps(batch, outcome);
    else if (batch.isWhole) this.#closeGaps(batch.covers);
  }

  /** Removes items that are no longer wanted, also from batches under way. */
  forget(gone: Items): void {
    const sets = [this.confirmed, this.incomplete];
    for (const { items, covers } of this.batches.values()) sets.push(items, covers);
    for (const items of sets) {
      for (const ref of gone.repos.keys()) items.repos.delete(ref);
      for (const id of gone.roots) items.roots.delete(id);
    }
  }

  /** Reduces the confirmed items to what this relay should deliver. */
  prune(target: Target): void {
    for (const items of [this.confirmed, this.incomplete]) {
      for (const [ref, level] of items.repos) {
        if (target.full.has(ref)) continue;
        if (!target.stateOnly.has(ref)) items.repos.delete(ref);
        else if (level === "Full") items.repos.set(ref, "StateOnly");
      }
      for (const id of items.roots) if (!target.roots.has(id)) items.roots.delete(id);
    }
  }

  #noteGaps(batch: Batch, outcome: HistoryOutcome): void {
    for (const items of [batch.items, batch.covers]) {
      const missing = itemsOfFilters(items, outcome.failedFilters);
      for (const [ref, level] of missing.repos) {
        if (this.confirmed.repos.has(ref)) addRepo(this.incomplete, ref, level);
      }
      for (const id of missing.roots) if (this.confirmed.roots.has(id)) this.incomplete.roots.add(id);
    }
    if (batch.isWhole && outcome.failedFilters.length > 0) {
      const missing = itemsOfFilters(batch.covers, outcome.failedFilters);
      const done = itemSet(batch.covers);
      for (const ref of missing.repos.keys()) done.repos.delete(ref);
      for (const id of missing.roots) done.roots.delete(id);
      this.#closeGaps(done);
    }
  }

  #closeGaps(delivered: Items): void {
    for (const [ref, level] of delivered.repos) {
      const missing = this.incomplete.repos.get(ref);
      if (level === "Full" || missing === "StateOnly") this.incomplete.repos.delete(ref);
    }
    for (const id of delivered.roots) this.incomplete.roots.delete(id);
  }
}
