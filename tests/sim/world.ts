import { setImmediate } from "node:timers";
import type { Clock } from "../../lib/world/mod.ts";
import { Timeline } from "./timeline.ts";

/** Wall time of the first moment of every run, in milliseconds. */
export const EPOCH_MS = 1_800_000_000_000;
/** Turns of the event loop without database work after which nothing more can happen at this moment. */
const QUIET_TURNS = 4;
/** A moment that takes longer is a loop that never ends. */
const MAX_TURNS = 10_000_000;

/** Counts work that leaves the current turn of the event loop without waiting for the clock. */
export class Activity {
  #running = 0;
  #begun = 0;

  /** How often something began so far. */
  get begun(): number {
    return this.#begun;
  }

  get isBusy(): boolean {
    return this.#running > 0;
  }

  /** Counts `work` until it settles. */
  watch<T>(work: Promise<T>): Promise<T> {
    this.#running++;
    this.#begun++;
    const end = () => void this.#running--;
    work.then(end, end);
    return work;
  }
}

/**
 * Virtual time for many machines in one process. Everything that waits does so on one timeline; between
 * two moments all promises, turns of the event loop and database work settle, so a run depends on
 * nothing but its seed.
 */
export class World {
  readonly activity = new Activity();
  readonly #timeline = new Timeline();
  #elapsed = 0;
  #steps = 0;

  /** Milliseconds since the start of the run. */
  get elapsed(): number {
    return this.#elapsed;
  }

  /** Moments visited. */
  get steps(): number {
    return this.#steps;
  }

  /** Runs `work` after `ms` whole milliseconds, as timers do; the returned function takes it back. */
  after(ms: number, work: () => void): () => void {
    return this.#timeline.add(this.#elapsed + Math.max(0, Math.ceil(ms)), work);
  }

  /** Resolves after `ms` milliseconds; for the run itself, not for a machine that can be killed. */
  pause(ms: number): Promise<void> {
    return new Promise((resolve) => void this.after(ms, resolve));
  }

  /** Lets time pass until `elapsed` (ms since the start). */
  async runUntil(elapsed: number): Promise<void> {
    await this.settle();
    for (;;) {
      const next = this.#timeline.nextAt();
      if (next === undefined || next > elapsed) break;
      this.#elapsed = Math.max(this.#elapsed, next);
      this.#steps++;
      for (const work of this.#timeline.takeUntil(next)) work();
      await this.settle();
    }
    this.#elapsed = Math.max(this.#elapsed, elapsed);
  }

  /** Resolves when nothing happens any more at this moment. */
  async settle(): Promise<void> {
    let begun = this.activity.begun;
    for (let turns = 0, quiet = 0; quiet < QUIET_TURNS; turns++) {
      if (turns > MAX_TURNS) throw new Error(`the moment ${this.#elapsed} never ends`);
      await new Promise((resolve) => void setImmediate(resolve));
      quiet = this.activity.isBusy || this.activity.begun !== begun ? 0 : quiet + 1;
      begun = this.activity.begun;
    }
  }
}

/** The clock of one machine from its start to its end. A dead one wakes nobody. */
export class MachineClock implements Clock {
  readonly #world: World;
  readonly #bootedAt: number;
  #skewMs: number;
  #dead = false;

  constructor(world: World, skewMs: number) {
    this.#world = world;
    this.#skewMs = skewMs;
    this.#bootedAt = world.elapsed;
  }

  /** See `Clock.now`. */
  now(): number {
    return EPOCH_MS + this.#world.elapsed + this.#skewMs;
  }

  /** See `Clock.monotonic`. */
  monotonic(): number {
    return this.#world.elapsed - this.#bootedAt;
  }

  /** See `Clock.sleep`. */
  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const done = () => {
        signal?.removeEventListener("abort", abort);
        if (!this.#dead) resolve();
      };
      const takeBack = this.#world.after(ms, done);
      const abort = () => {
        takeBack();
        done();
      };
      signal?.addEventListener("abort", abort, { once: true });
    });
  }

  /** Sets the wall clock, as an operator or NTP does. */
  skew(ms: number): void {
    this.#skewMs = ms;
  }

  /** The machine lost its power: whoever sleeps never wakes. */
  stop(): void {
    this.#dead = true;
  }
}
