import type { SyncSettings } from "./ports.ts";

/** How reliable a relay is; not to be mixed up with how complete its data is. */
export type HealthState = "Healthy" | "Disconnected" | "Degraded" | "Dead" | "RateLimited";

/** The value of the health gauge of each state. */
export const HEALTH_GAUGE = {
  Healthy: 1,
  Disconnected: 2,
  Degraded: 3,
  Dead: 4,
  RateLimited: 5,
} as const satisfies Record<HealthState, number>;

/** The numbers health rests on, all in milliseconds. */
export type HealthSettings = Pick<
  SyncSettings,
  "baseBackoffMs" | "maxBackoffMs" | "deadAfterMs" | "deadRetryMs" | "cooldownMs" | "stableAfterMs"
>;

const SIGNAL_MEMORY_MS = 3_600_000;
const MAX_COOLDOWN_MS = 15 * 60_000;
/** Signals this close together answer one burst of ours and count as one. */
const SIGNAL_BURST_MS = 5_000;
/** Within the memory, this signal is the first that doubles the cooldown. */
const DOUBLING_SIGNAL = 3;
/** Most a delay is varied either way. */
const JITTER = 0.2;

/** `min(base * 2^(n-1), max)` for the n-th failure in a row, in milliseconds. */
export function backoffMs(failures: number, base: number, max: number): number {
  return Math.min(base * 2 ** Math.min(failures - 1, 60), max);
}

/** The reliability of one relay. Every `now` is a monotonic time in milliseconds. */
export class Health {
  readonly #settings: HealthSettings;
  #failures = 0;
  #firstFailureAt: number | undefined;
  #connectedAt: number | undefined;
  #retryAt = -Infinity;
  #cooldownUntil = -Infinity;
  #signals: number[] = [];
  #lastAttemptAt: number | undefined;
  #lastSuccessAt: number | undefined;

  constructor(settings: HealthSettings) {
    this.#settings = settings;
  }

  /** An attempt to connect begins. */
  attempt(now: number): void {
    this.#lastAttemptAt = now;
  }

  /** Connected. The streak of failures ends only after a stable time. */
  success(now: number): void {
    this.#connectedAt = now;
    this.#lastSuccessAt = now;
  }

  /** A dial failed, or a connection was lost; `draw` from 0 to 1 varies the delay. */
  failure(now: number, draw: number): void {
    this.#settle(now);
    const { baseBackoffMs: base, maxBackoffMs: max, deadRetryMs } = this.#settings;
    this.#connectedAt = undefined;
    this.#failures++;
    this.#firstFailureAt ??= now;
    const varied = backoffMs(this.#failures, base, max) * (1 - JITTER + 2 * JITTER * draw);
    const delay = this.#isDead(now) ? deadRetryMs : Math.min(varied, max);
    this.#retryAt = Math.max(this.#retryAt, now + delay);
  }

  /** We closed the connection ourselves. */
  released(now: number): void {
    this.#settle(now);
    this.#connectedAt = undefined;
  }

  /** The peer asked us to slow down. Restarts the cooldown; from the third signal in an hour on it doubles. */
  rateLimited(now: number): void {
    this.#signals = this.#signals.filter((at) => now - at < SIGNAL_MEMORY_MS);
    const last = this.#signals.at(-1);
    if (last === undefined || now - last >= SIGNAL_BURST_MS) this.#signals.push(now);
    const doublings = Math.min(Math.max(0, this.#signals.length - DOUBLING_SIGNAL + 1), 10);
    const cooldown = Math.min(this.#settings.cooldownMs * 2 ** doublings, MAX_COOLDOWN_MS);
    this.#cooldownUntil = Math.max(this.#cooldownUntil, now + cooldown);
  }

  /** Monotonic time at which the cooldown ends; in the past when there is none. */
  get cooldownUntil(): number {
    return this.#cooldownUntil;
  }

  isCoolingDown(now: number): boolean {
    return now < this.#cooldownUntil;
  }

  /** Monotonic time from which on an attempt is allowed. */
  get dueAt(): number {
    return Math.max(this.#retryAt, this.#cooldownUntil);
  }

  /** Failures in a row; kept until a connection has been stable. */
  failures(now: number): number {
    this.#settle(now);
    return this.#failures;
  }

  /** Monotonic times of the last attempt and the last success. */
  get last(): { readonly attemptAt: number | undefined; readonly successAt: number | undefined } {
    return { attemptAt: this.#lastAttemptAt, successAt: this.#lastSuccessAt };
  }

  /** The state, first match wins. */
  state(now: number): HealthState {
    this.#settle(now);
    if (this.isCoolingDown(now)) return "RateLimited";
    if (this.#connectedAt === undefined && this.#isDead(now)) return "Dead";
    if (this.#failures > 0) return "Degraded";
    return this.#connectedAt === undefined ? "Disconnected" : "Healthy";
  }

  #isDead(now: number): boolean {
    return this.#firstFailureAt !== undefined && now - this.#firstFailureAt >= this.#settings.deadAfterMs;
  }

  /** Forgets the streak once the connection has been unbroken for the stable time. */
  #settle(now: number): void {
    if (this.#connectedAt === undefined || now - this.#connectedAt < this.#settings.stableAfterMs) return;
    this.#failures = 0;
    this.#firstFailureAt = undefined;
    this.#retryAt = -Infinity;
  }
}
