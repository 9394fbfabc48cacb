import type { Logger, NaughtyCategory, NaughtyGauge } from "../observe/mod.ts";
import type { Clock } from "../world/mod.ts";
import { reasonText } from "./faults.ts";

/** What {@link NaughtyList} needs. */
export interface NaughtyListOptions {
  readonly clock: Clock;
  /** How long an entry stays after the first fault, in milliseconds; 0 lists nobody. */
  readonly lifetimeMs: number;
  readonly log: Logger;
  /** What the list is about, in the log: `relay` or `git host`. */
  readonly subject: string;
}

/** One listed host; times are {@link Clock.monotonic} milliseconds. */
export interface NaughtyRecord {
  readonly category: NaughtyCategory;
  /** The last message, at most 120 characters, without URLs and addresses. */
  readonly message: string;
  readonly count: number;
  readonly firstSeenAt: number;
  readonly lastSeenAt: number;
  /** The entry is gone from this moment on; later faults do not move it. */
  readonly expiresAt: number;
}

/** Most hosts listed; beyond it the oldest entry makes room. */
const MAX_ENTRIES = 10_000;

/**
 * Hosts with faults that do not heal in minutes. An entry expires a fixed time after its first fault,
 * so that every host is looked at again; a fault after that begins a new entry.
 */
export class NaughtyList {
  readonly #options: NaughtyListOptions;
  /** In order of first sight, which is the order of expiry. */
  readonly #entries = new Map<string, NaughtyRecord>();

  constructor(options: NaughtyListOptions) {
    this.#options = options;
  }

  /** Notes a fault of `host` (or whatever names it); returns how many its entry counts, 0 when the list is off. */
  record(host: string, category: NaughtyCategory, message: string): number {
    const { clock, lifetimeMs, log, subject } = this.#options;
    if (lifetimeMs <= 0) return 0;
    const known = this.get(host);
    const now = clock.monotonic();
    const entry: NaughtyRecord = {
      category,
      message: reasonText(message),
      count: (known?.count ?? 0) + 1,
      firstSeenAt: known?.firstSeenAt ?? now,
      lastSeenAt: now,
      expiresAt: known?.expiresAt ?? now + lifetimeMs,
    };
    if (!known && this.#entries.size >= MAX_ENTRIES) this.#forgetOldest();
    this.#entries.set(host, entry);
    const fields = { host, category, reason: entry.message, count: entry.count };
    if (known) log.debug(`${subject} is still at fault`, fields);
    else log.warn(`${subject} is left alone: a fault that does not heal by itself`, fields);
    return entry.count;
  }

  /** The entry of `host`, unless it has expired. */
  get(host: string): NaughtyRecord | undefined {
    const entry = this.#entries.get(host);
    if (entry && entry.expiresAt > this.#options.clock.monotonic()) return entry;
    this.#entries.delete(host);
    return undefined;
  }

  /** Forgets `host`: it worked. */
  clear(host: string): void {
    if (this.#entries.delete(host)) this.#options.log.debug(`${this.#options.subject} works again`, { host });
  }

  /** Removes what has expired. */
  sweep(): void {
    const now = this.#options.clock.monotonic();
    for (const [host, { expiresAt }] of this.#entries) {
      if (expiresAt > now) return;
      this.#entries.delete(host);
    }
  }

  /** All entries for metrics, oldest first. */
  entries(): readonly NaughtyGauge[] {
    this.sweep();
    return [...this.#entries].map(([host, { category, message, count }]) => ({
      host,
      category,
      reason: message,
      count,
    }));
  }

  #forgetOldest(): void {
    for (const host of this.#entries.keys()) {
      this.#entries.delete(host);
      return;
    }
  }
}
