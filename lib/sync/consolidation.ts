import type { Clock } from "../world/mod.ts";
import type { SyncSettings } from "./ports.ts";
import { Timer } from "./timer.ts";

/** When the subscriptions of one connection may be replaced by fewer: once history is in, and not too often. */
export class Consolidation {
  readonly #settings: Pick<SyncSettings, "consolidationWaitMs" | "consolidationEveryMs">;
  readonly #timer: Timer;
  #isWaiting = false;
  #lastAt = -Infinity;
  /** Live filters asked for on this connection, and how many of them could not be merged. */
  #live = 0;
  #unmerged = 0;

  constructor(clock: Clock, settings: Pick<SyncSettings, "consolidationWaitMs" | "consolidationEveryMs">) {
    this.#settings = settings;
    this.#timer = new Timer(clock);
  }

  /** True from the request until it was carried out, given up or cancelled. */
  get isWaiting(): boolean {
    return this.#isWaiting;
  }

  /** So many live filters were opened beside the others. */
  opened(filters: number): void {
    this.#live += filters;
  }

  /** So many live filters, merged as far as they can be, are now all there are. */
  replaced(filters: number): void {
    this.#live = this.#unmerged = filters;
  }

  /**
   * True when `limit` is exceeded by `subscriptions` (open and new ones), or by the single filters
   * behind them: a link that packs several into one subscription runs full unseen. Filters that
   * cannot be merged any further count only for what has come on top of them.
   */
  isNeeded(subscriptions: number, newFilters: number, limit: number): boolean {
    const filterLimit = Math.max(limit, this.#unmerged + limit / 2);
    return subscriptions > limit || this.#live + newFilters > filterLimit;
  }

  /** False for a while after the last one; `now` is monotonic. */
  isAllowed(now: number): boolean {
    return now - this.#lastAt >= this.#settings.consolidationEveryMs;
  }

  /** Begins to wait for the history under way; `onTimeout` is told when it takes too long. */
  request(onTimeout: () => void): void {
    this.#isWaiting = true;
    this.#timer.start(this.#settings.consolidationWaitMs, onTimeout);
  }

  /** It happens, or is given up, at `now` (monotonic). */
  note(now: number): void {
    this.cancel();
    this.#lastAt = now;
  }

  cancel(): void {
    this.#isWaiting = false;
    this.#timer.stop();
  }
}
