import { setImmediate } from "node:timers";
import type { Clock } from "../../lib/world/mod.ts";

interface Sleeper {
  readonly at: number;
  readonly order: number;
  readonly wake: () => void;
  cancelled: boolean;
}

/** Turns of the event loop given to work that just woke, before the next timer. */
const TURNS = 6;
/** Turns after which busy work gets real time, because it waits for a child process or a file. */
const SPINS = 200;
const MAX_SPINS = SPINS + 5_000;

/**
 * A virtual clock for long stories: timers in a heap, and between two of them the event loop turns until
 * `isBusy` says that nothing is under way. Days pass in milliseconds, and work takes no virtual time.
 */
export class SteppingClock implements Clock {
  /** Asked before time goes on. */
  isBusy: () => boolean = () => false;
  #offset: number;
  #elapsed = 0;
  #order = 0;
  #sleeping = 0;
  readonly #heap: Sleeper[] = [];

  constructor(startMs = 1_800_000_000_000) {
    this.#offset = startMs;
  }

  /** Timers that have neither fired nor been cancelled. */
  get sleeping(): number {
    return this.#sleeping;
  }

  now(): number {
    return this.#offset + Math.floor(this.#elapsed);
  }

  monotonic(): number {
    return this.#elapsed;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      this.#sleeping++;
      const finish = () => {
        if (sleeper.cancelled) return;
        sleeper.cancelled = true;
        this.#sleeping--;
        signal?.removeEventListener("abort", finish);
        resolve();
      };
      const at = this.#elapsed + Math.max(0, Number.isFinite(ms) ? ms : Number.MAX_SAFE_INTEGER);
      const sleeper: Sleeper = { at, order: this.#order++, wake: finish, cancelled: false };
      push(this.#heap, sleeper);
      signal?.addEventListener("abort", finish, { once: true });
    });
  }

  /** Moves wall time alone, as setting the clock does. */
  jump(ms: number): void {
    this.#offset += ms;
  }

  /** Lets `ms` milliseconds pass. */
  async advance(ms: number): Promise<void> {
    const end = this.#elapsed + ms;
    await this.#settle();
    while (await this.#step(end));
    this.#elapsed = end;
  }

  /** Lets time pass until `condition` holds; false when it does not within `ms` milliseconds. */
  async until(condition: () => boolean | Promise<boolean>, ms: number): Promise<boolean> {
    const end = this.#elapsed + ms;
    await this.#settle();
    while (!await condition()) {
      if (await this.#step(end)) continue;
      this.#elapsed = end;
      return await condition();
    }
    return true;
  }

  /** Wakes the next sleeper that is due by `end`; false when there is none. */
  async #step(end: number): Promise<boolean> {
    while (this.#heap[0]?.cancelled) pop(this.#heap);
    const next = this.#heap[0];
    if (!next || next.at > end) return false;
    pop(this.#heap);
    this.#elapsed = Math.max(this.#elapsed, next.at);
    next.wake();
    await this.#settle();
    return true;
  }

  async #settle(): Promise<void> {
    for (let turn = 0, spins = 0; turn < TURNS; turn++) {
      await new Promise<void>((resolve) => void setImmediate(resolve));
      if (!this.isBusy()) continue;
      turn = 0;
      if (++spins > SPINS) await new Promise((resolve) => setTimeout(resolve, 1));
      if (spins > MAX_SPINS) throw new Error("real work does not end");
    }
  }
}

function isBefore(a: Sleeper, b: Sleeper): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

function push(heap: Sleeper[], sleeper: Sleeper): void {
  let index = heap.push(sleeper) - 1;
  while (index > 0) {
    const parent = (index - 1) >> 1;
    if (!isBefore(sleeper, heap[parent]!)) break;
    heap[index] = heap[parent]!;
    index = parent;
  }
  heap[index] = sleeper;
}

function pop(heap: Sleeper[]): void {
  const last = heap.pop()!;
  if (heap.length === 0) return;
  let index = 0;
  for (;;) {
    let child = 2 * index + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
    if (!isBefore(heap[child]!, last)) break;
    heap[index] = heap[child]!;
    index = child;
  }
  heap[index] = last;
}
