import { HUNT, HUNT_LIMIT } from "./durations.ts";

/** How many fetches one host gets. */
export interface ThrottleLimits {
  readonly maxConcurrent: number;
  /** Starts within any 60 s. */
  readonly maxPerMinute: number;
}

/** A unit whose turn it is at a host; one slot of the host is taken for it. */
export interface HostTurn {
  readonly host: string;
  readonly unit: string;
  readonly startedAt: number;
  /** URLs of this host the unit has tried already. */
  readonly tried: ReadonlySet<string>;
}

interface HostRecord {
  inFlight: number;
  /** Starts of the last minute, oldest first. */
  starts: number[];
  /** The host asked us to stay away until then. */
  busyUntil: number;
  /** Units that wait for this host, in the order they came. */
  readonly waiting: { readonly unit: string; readonly tried: Set<string> }[];
  /** Index in `waiting` of the unit whose turn is next. */
  position: number;
  lastUsed: number;
}

/**
 * Slots per remote host (purgatory 6.4), with a queue of units per host that is served in turns.
 * Times are monotonic milliseconds. Pure: who calls it decides when.
 */
export class HostThrottle {
  readonly #limits: ThrottleLimits;
  readonly #hosts = new Map<string, HostRecord>();

  constructor(limits: ThrottleLimits) {
    this.#limits = limits;
  }

  /** Takes a slot and counts a start; false when the host is busy or others queue for it. */
  take(host: string, now: number): boolean {
    const record = this.#record(host, now);
    if (!record || record.waiting.length > 0 || !this.#hasCapacity(record, now)) return false;
    this.#start(record, now);
    return true;
  }

  /** Gives a slot back after a fetch. */
  free(host: string, now: number): void {
    const record = this.#hosts.get(host);
    if (!record) return;
    record.inFlight = Math.max(0, record.inFlight - 1);
    record.lastUsed = now;
  }

  /** Gives back the slot of a turn that needed no fetch; it counts as no start. */
  refund({ host, startedAt }: HostTurn, now: number): void {
    const starts = this.#hosts.get(host)?.starts;
    const index = starts?.lastIndexOf(startedAt) ?? -1;
    if (index >= 0) starts?.splice(index, 1);
    this.free(host, now);
  }

  /** Nothing is started at this host before `until`. */
  holdUntil(host: string, until: number, now: number): void {
    const record = this.#record(host, now);
    if (record) record.busyUntil = Math.max(record.busyUntil, until);
  }

  /** Queues a unit at a host; queued twice, the tried sets are united. */
  enqueue(host: string, unit: string, tried: Iterable<string>, now: number): void {
    const record = this.#record(host, now);
    if (!record) return;
    const entry = record.waiting.find((waiting) => waiting.unit === unit);
    if (entry) { for (const url of tried) entry.tried.add(url); }
    else record.waiting.push({ unit, tried: new Set(tried) });
  }

  /** Takes a unit out of a host's queue, or out of all. The position keeps pointing at the same unit. */
  remove(unit: string, host?: string): void {
    const records = host === undefined ? this.#hosts.values() : [this.#hosts.get(host)];
    for (const record of records) {
      const index = record?.waiting.findIndex((waiting) => waiting.unit === unit) ?? -1;
      if (!record || index < 0) continue;
      record.waiting.splice(index, 1);
      if (index < record.position) record.position--;
    }
  }

  /**
   * The next turn at any host with capacity, its slot taken; undefined when there is none. Units for
   * which `isBusy` holds are passed over without losing their turn to others twice.
   */
  next(now: number, isBusy: (unit: string) => boolean): HostTurn | undefined {
    for (const [host, record] of this.#hosts) {
      if (record.waiting.length === 0 || !this.#hasCapacity(record, now)) continue;
      const turn = nextInTurn(record, isBusy);
      if (!turn) continue;
      this.#start(record, now);
      // Hosts take turns as well.
      this.#hosts.delete(host);
      this.#hosts.set(host, record);
      return { host, startedAt: now, ...turn };
    }
    return undefined;
  }

  /** When time alone gives capacity to a host that units wait for; undefined when there is none. */
  wakeAt(now: number): number | undefined {
    let earliest: number | undefined;
    for (const record of this.#hosts.values()) {
      if (record.waiting.length === 0 || record.inFlight >= this.#limits.maxConcurrent) continue;
      this.#forgetStarts(record, now);
      const oldest = record.starts.length >= this.#limits.maxPerMinute ? record.starts[0] : undefined;
      const at = Math.max(record.busyUntil, oldest === undefined ? 0 : oldest + HUNT.hostWindowMs);
      if (at > now && (earliest === undefined || at < earliest)) earliest = at;
    }
    return earliest;
  }

  /** Forgets records of hosts that were idle for long. */
  prune(now: number): void {
    for (const [host, record] of this.#hosts) {
      if (isIdle(record, now) && now - record.lastUsed >= HUNT.hostIdleMs) this.#hosts.delete(host);
    }
  }

  /** Number of hosts without capacity. */
  throttled(now: number): number {
    return [...this.#hosts.values()].filter((record) => !this.#hasCapacity(record, now)).length;
  }

  /** Units that wait for some host. */
  queuedUnits(): ReadonlySet<string> {
    return new Set([...this.#hosts.values()].flatMap(({ waiting }) => waiting.map(({ unit }) => unit)));
  }

  #hasCapacity(record: HostRecord, now: number): boolean {
    this.#forgetStarts(record, now);
    return record.busyUntil <= now && record.inFlight < this.#limits.maxConcurrent &&
      record.starts.length < this.#limits.maxPerMinute;
  }

  #forgetStarts(record: HostRecord, now: number): void {
    const first = record.starts.findIndex((at) => at + HUNT.hostWindowMs > now);
    if (first !== 0) record.starts.splice(0, first < 0 ? record.starts.length : first);
  }

  #start(record: HostRecord, now: number): void {
    record.inFlight++;
    record.starts.push(now);
    record.lastUsed = now;
  }

  /** The record of a host; undefined when there are too many hosts, which then count as busy. */
  #record(host: string, now: number): HostRecord | undefined {
    const known = this.#hosts.get(host);
    if (known) return known;
    if (this.#hosts.size >= HUNT_LIMIT.hosts && !this.#makeRoom(now)) return undefined;
    const record: HostRecord = {
      inFlight: 0,
      starts: [],
      busyUntil: 0,
      waiting: [],
      position: 0,
      lastUsed: now,
    };
    this.#hosts.set(host, record);
    return record;
  }

  #makeRoom(now: number): boolean {
    for (const [host, record] of this.#hosts) {
      if (!isIdle(record, now) || record.starts.some((at) => at + HUNT.hostWindowMs > now)) continue;
      this.#hosts.delete(host);
      return true;
    }
    return false;
  }
}

function isIdle({ inFlight, waiting, busyUntil }: HostRecord, now: number): boolean {
  return inFlight === 0 && waiting.length === 0 && busyUntil <= now;
}

/** The first unit from the position on that is free; the position moves behind it. */
function nextInTurn(
  record: HostRecord,
  isBusy: (unit: string) => boolean,
): { unit: string; tried: ReadonlySet<string> } | undefined {
  const { waiting } = record;
  for (let step = 0; step < waiting.length; step++) {
    const index = (record.position + step) % waiting.length;
    const entry = waiting[index]!;
    if (isBusy(entry.unit)) continue;
    record.position = index + 1;
    return entry;
  }
  return undefined;
}
