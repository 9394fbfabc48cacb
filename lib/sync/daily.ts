import { type Clock, type Random, uniform } from "../world/mod.ts";
import type { SyncSettings } from "./ports.ts";
import { Timer } from "./timer.ts";

/** Most relays that fetch everything again at once. */
const MAX_AT_ONCE = 2;

/** What {@link DailyReconcile} needs. */
export interface DailyParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly settings: Pick<SyncSettings, "dailyMinMs" | "dailyMaxMs" | "dailySpreadMs">;
  /** Tracked relays. */
  relays(): Iterable<string>;
  /** Starts one; true when it is now syncing. */
  resync(url: string): boolean;
  /** True while the relay is syncing. */
  isSyncing(url: string): boolean;
  /** Every relay of a run has been read again. */
  finished(seconds: number): void;
}

/**
 * Once a day, at a random moment, every relay with a live connection is read again from scratch:
 * spread over a while, few at once.
 */
export class DailyReconcile {
  readonly #parts: DailyParts;
  readonly #timer: Timer;
  readonly #spread: Timer;
  readonly #active = new Set<string>();
  /** Monotonic start times of the relays still to come, earliest first. */
  #plan: { readonly at: number; readonly url: string }[] = [];
  /** Monotonic start of the run that is not finished yet. */
  #runSince: number | undefined;

  constructor(parts: DailyParts) {
    this.#parts = parts;
    this.#timer = new Timer(parts.clock);
    this.#spread = new Timer(parts.clock);
  }

  /** Draws the moment of the next run. */
  start(): void {
    const { random, settings: { dailyMinMs, dailyMaxMs } } = this.#parts;
    this.#timer.start(uniform(random, dailyMinMs, dailyMaxMs), () => {
      this.#planRun();
      this.start();
    });
  }

  /** Some relay's status may have changed: one that is done makes room. */
  update(): void {
    if (this.#active.size === 0) return;
    for (const url of this.#active) if (!this.#parts.isSyncing(url)) this.#active.delete(url);
    if (this.#active.size < MAX_AT_ONCE) this.#startDue();
  }

  stop(): void {
    this.#timer.stop();
    this.#spread.stop();
    this.#plan = [];
    this.#active.clear();
    this.#runSince = undefined;
  }

  #planRun(): void {
    const { clock, random, settings, relays } = this.#parts;
    const now = clock.monotonic();
    this.#runSince = now;
    this.#plan = Array.from(
      relays(),
      (url) => ({ at: now + uniform(random, 0, settings.dailySpreadMs), url }),
    )
      .sort((a, b) => a.at - b.at);
    this.#startDue();
  }

  #startDue(): void {
    const { clock, resync } = this.#parts;
    this.#spread.stop();
    for (;;) {
      const next = this.#plan[0];
      if (!next) return this.#finish();
      if (this.#active.size >= MAX_AT_ONCE) return;
      const wait = next.at - clock.monotonic();
      if (wait > 0) {
        this.#spread.start(wait, () => this.#startDue());
        return;
      }
      this.#plan.shift();
      if (resync(next.url)) this.#active.add(next.url);
    }
  }
  #finish(): void {
    if (this.#runSince === undefined || this.#active.size > 0) return;
    const seconds = (this.#parts.clock.monotonic() - this.#runSince) / 1000;
    this.#runSince = undefined;
    this.#parts.finished(seconds);
  }
}
