import { type Clock, type Random, uniform } from "../world/mod.ts";
import { Timer } from "./timer.ts";

/** A cooldown ends this much later, drawn anew each time, so that peers are not all asked at once. */
const MIN_RESUME_MS = 1_000;
const MAX_RESUME_MS = 5_000;

/**
 * Says whether a REQ or NEG-OPEN may be sent: not before the peer's limits are known or given up
 * on, not while it waits for an AUTH it demands, and not in a cooldown.
 */
export class LinkGate {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #timer: Timer;
  readonly #changed: () => void;
  readonly #closedBy = new Set<string>();
  #heldUntil = 0;

  /** `changed` is called when the gate may have opened. */
  constructor(clock: Clock, random: Random, changed: () => void) {
    this.#clock = clock;
    this.#random = random;
    this.#timer = new Timer(clock);
    this.#changed = changed;
  }

  get isOpen(): boolean {
    return this.#closedBy.size === 0 && !this.isHeld;
  }

  /** True in a cooldown. */
  get isHeld(): boolean {
    return this.#clock.monotonic() < this.#heldUntil;
  }

  /** Closes or opens one of the locks of this gate. */
  lock(name: "limits" | "auth" | "end", closed: boolean): void {
    if (closed) this.#closedBy.add(name);
    else if (this.#closedBy.delete(name)) this.#changed();
  }

  /** Starts, moves or ends a cooldown; `until` in monotonic milliseconds. */
  hold(until: number): void {
    const now = this.#clock.monotonic();
    if (until <= now) {
      this.#heldUntil = 0;
      this.#timer.stop();
      return this.#changed();
    }
    this.#heldUntil = until + uniform(this.#random, MIN_RESUME_MS, MAX_RESUME_MS);
    this.#timer.start(this.#heldUntil - now, () => {
      this.#heldUntil = 0;
      this.#changed();
    });
  }

  stop(): void {
    this.#timer.stop();
  }
}

/** What a historic slot is for. */
export type SlotKind = "request" | "negotiation";

/** Limits and usage that {@link HistoricMeter} obeys, read at every decision. */
export interface MeterLimits {
  /** False while nothing may be opened for history. */
  mayOpen(): boolean;
  /** Most open at once: of this kind, and of both together. */
  most(kind: SlotKind): number;
  mostTogether(): number;
  /** Room on the wire for one more, live subscriptions included. */
  hasRoom(): boolean;
}

interface Waiter {
  /** Order of arrival. */
  readonly turn: number;
  readonly kind: SlotKind;
  readonly start: () => void;
}

/** Meters the historic work of one link: whoever gets no slot waits in order. */
export class HistoricMeter {
  readonly #limits: MeterLimits;
  readonly #used: Record<SlotKind, number> = { request: 0, negotiation: 0 };
  /** By kind, so that nobody is looked at in vain: there may be thousands. */
  readonly #waiting: Record<SlotKind, Set<Waiter>> = { request: new Set(), negotiation: new Set() };
  #lastTurn = 0;

  constructor(limits: MeterLimits) {
    this.#limits = limits;
  }

  /** Waits for a slot and takes it; false, and nothing taken, when `signal` aborts first. */
  acquire(kind: SlotKind, signal: AbortSignal): Promise<boolean> {
    if (signal.aborted) return Promise.resolve(false);
    return new Promise((resolve) => {
      const giveUp = () => {
        this.#waiting[kind].delete(waiter);
        resolve(false);
      };
      const start = () => {
        signal.removeEventListener("abort", giveUp);
        resolve(true);
      };
      const waiter: Waiter = { turn: ++this.#lastTurn, kind, start };
      this.#waiting[kind].add(waiter);
      signal.addEventListener("abort", giveUp, { once: true });
      this.pump();
    });
  }

  release(kind: SlotKind): void {
    this.#used[kind]--;
    this.pump();
  }

  /** Hands out what is free; to be called whenever a limit may have risen. */
  pump(): void {
    for (;;) {
      const waiter = this.#next();
      if (!waiter) return;
      this.#waiting[waiter.kind].delete(waiter);
      this.#used[waiter.kind]++;
      waiter.start();
    }
  }

  /** Who came first of those that may start. */
  #next(): Waiter | undefined {
    const [request] = this.#isFree("request") ? this.#waiting.request : [];
    const [negotiation] = this.#isFree("negotiation") ? this.#waiting.negotiation : [];
    if (!request || !negotiation) return request ?? negotiation;
    return request.turn < negotiation.turn ? request : negotiation;
  }

  /** Slots are taken a moment before the wire counts them, hence both conditions. */
  #isFree(kind: SlotKind): boolean {
    const limits = this.#limits;
    const together = this.#used.request + this.#used.negotiation;
    return limits.mayOpen() && this.#used[kind] < limits.most(kind) && together < limits.mostTogether() &&
      limits.hasRoom();
  }
}
