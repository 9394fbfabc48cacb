import type { WaitingSource } from "../store/mod.ts";
import { HUNT, pauseAfter } from "./durations.ts";
import { entriesOf, type HuntUnit, unitKey } from "./unit.ts";
import { UrlMemory } from "./url_memory.ts";

/** One unit in the queue. Times are monotonic milliseconds. */
export interface QueuedUnit {
  readonly key: string;
  readonly identifier: string;
  readonly owner: string;
  /** Where each waiting event of the unit came from. */
  readonly entries: ReadonlyMap<string, WaitingSource>;
  /** Incomplete hunts since the last new event. */
  readonly attempts: number;
  /** When it is due; Infinity while the only hunt that was due is under way. */
  readonly nextAt: number;
  readonly running: boolean;
  readonly memory: UrlMemory;
}

interface Unit extends QueuedUnit {
  entries: ReadonlyMap<string, WaitingSource>;
  urls: ReadonlySet<string>;
  attempts: number;
  nextAt: number;
  running: boolean;
  /** Counts new demand; a hunt compares it to know whether some came while it ran. */
  generation: number;
}

/** What {@link HuntQueue.begin} saw; handed back to {@link HuntQueue.end}. */
export interface Started {
  readonly unit: QueuedUnit;
  readonly generation: number;
  readonly entries: ReadonlySet<string>;
}

/** What changed for the units of one identifier. */
export interface Demand {
  readonly units: readonly HuntUnit[];
  /** Normalised URLs by unit key. */
  readonly urls: ReadonlyMap<string, ReadonlySet<string>>;
  /** When the change was noticed. */
  readonly at: number;
  /** After a start everything is hunted soon, whatever its source. */
  readonly atStart: boolean;
}

/** Which units are hunted for, and when (purgatory 6.1). Pure: the caller tells the time. */
export class HuntQueue {
  readonly #units = new Map<string, Unit>();
  readonly #byIdentifier = new Map<string, Set<string>>();
  /** Unit keys by event id. */
  readonly #byEvent = new Map<string, Set<string>>();

  /** Everything queued, in the order it came. */
  get units(): readonly QueuedUnit[] {
    return [...this.#units.values()];
  }

  /** The unit under this key. */
  get(key: string): QueuedUnit | undefined {
    return this.#units.get(key);
  }

  /** Where this event came from, when one of the identifier's units knows it. */
  sourceOf(identifier: string, id: string): WaitingSource | undefined {
    for (const key of this.#byIdentifier.get(identifier) ?? []) {
      const source = this.#units.get(key)?.entries.get(id);
      if (source) return source;
    }
    return undefined;
  }

  /** Identifiers under which this event is hunted for. */
  identifiersOf(id: string): readonly string[] {
    return [...this.#byEvent.get(id) ?? []].map((key) => this.#units.get(key)!.identifier);
  }

  /**
   * Makes the units of one identifier what they are by this time. New events, events whose source
   * changed and new URLs reset the backoff and bring the next hunt forward, never back. Units
   * without events leave.
   */
  update(identifier: string, demand: Demand): void {
    const present = new Set(demand.units.map(unitKey));
    for (const key of this.#byIdentifier.get(identifier) ?? []) {
      if (!present.has(key)) this.#remove(key);
    }
    for (const unit of demand.units) this.#updateUnit(unit, demand);
  }

  /**
   * A peer delivered a waiting event: units that were never hunted for it do not wait as long as for a
   * client who is about to push. Others keep their backoff, so that a peer cannot make us hurry by
   * repeating itself.
   */
  bringForward(id: string, now: number): void {
    for (const key of this.#byEvent.get(id) ?? []) {
      const unit = this.#units.get(key)!;
      if (unit.attempts === 0) unit.nextAt = Math.min(unit.nextAt, now + HUNT.syncedMs);
    }
  }

  /** True when the event is hunted for and no fetch of any of its units has reached a server. */
  isUnreachable(id: string): boolean {
    const keys = [...this.#byEvent.get(id) ?? []];
    return keys.length > 0 && keys.every((key) => this.#units.get(key)!.memory.unreachable);
  }

  /** Units that may start, those due longest first. */
  due(now: number): readonly QueuedUnit[] {
    return [...this.#units.values()].filter(({ running, nextAt }) => !running && nextAt <= now)
      .sort((a, b) => a.nextAt - b.nextAt);
  }

  /** When the next unit that is not running is due; undefined when there is none. */
  nextAt(): number | undefined {
    let earliest = Infinity;
    for (const { running, nextAt } of this.#units.values()) {
      if (!running && nextAt < earliest) earliest = nextAt;
    }
    return earliest === Infinity ? undefined : earliest;
  }

  /** A hunt begins. */
  begin(key: string): Started | undefined {
    const unit = this.#units.get(key);
    if (!unit || unit.running) return undefined;
    unit.running = true;
    unit.nextAt = Infinity;
    return { unit, generation: unit.generation, entries: new Set(unit.entries.keys()) };
  }

  /**
   * A hunt ended: what still waits is hunted again after a pause. Events that came meanwhile neither
   * inherit the backoff nor get lost: they have their own delay.
   */
  end({ unit: { key }, generation, entries }: Started, now: number): void {
    const unit = this.#stopped(key);
    if (!unit) return;
    const isNew = unit.generation !== generation;
    if (isNew && ![...unit.entries.keys()].some((id) => entries.has(id))) return;
    unit.attempts = isNew ? 0 : unit.attempts + 1;
    unit.nextAt = Math.min(unit.nextAt, now + pauseAfter(unit.attempts));
  }

  /** A turn at a host begins; the unit's own schedule is not touched. False when it is busy or gone. */
  beginTurn(key: string): boolean {
    const unit = this.#units.get(key);
    if (!unit || unit.running) return false;
    unit.running = true;
    return true;
  }

  /** A turn at a host ended. */
  endTurn(key: string): void {
    this.#stopped(key);
  }

  /** The unit after its work ended; undefined when nothing waits in it any more. */
  #stopped(key: string): Unit | undefined {
    const unit = this.#units.get(key);
    if (!unit) return undefined;
    unit.running = false;
    if (unit.entries.size > 0) return unit;
    this.#remove(key);
    return undefined;
  }

  #updateUnit(hunt: HuntUnit, { urls, at, atStart }: Demand): void {
    const key = unitKey(hunt);
    const entries = entriesOf(hunt);
    const named = urls.get(key) ?? new Set<string>();
    const known = this.#units.get(key);
    const fresh = [...entries].filter(([id, source]) => known?.entries.get(id) !== source);
    const hasNewUrl = known !== undefined && [...named].some((url) => !known.urls.has(url));
    const unit = known ?? this.#add(key, hunt);
    this.#setEntries(unit, entries);
    unit.urls = named;
    if (fresh.length === 0 && !hasNewUrl) return;
    const sources = fresh.length > 0 ? fresh.map(([, source]) => source) : [...entries.values()];
    const delay = atStart || sources.includes("sync") ? HUNT.syncedMs : HUNT.directMs;
    unit.generation++;
    unit.attempts = 0;
    unit.nextAt = Math.min(unit.nextAt, at + delay);
    unit.memory.forgetAbsent();
  }

  #add(key: string, { identifier, owner }: HuntUnit): Unit {
    const unit: Unit = {
      key,
      identifier,
      owner,
      entries: new Map(),
      urls: new Set(),
      attempts: 0,
      nextAt: Infinity,
      running: false,
      generation: 0,
      memory: new UrlMemory(),
    };
    this.#units.set(key, unit);
    const keys = this.#byIdentifier.get(identifier) ?? new Set<string>();
    this.#byIdentifier.set(identifier, keys.add(key));
    return unit;
  }

  #setEntries(unit: Unit, entries: ReadonlyMap<string, WaitingSource>): void {
    for (const id of unit.entries.keys()) {
      const keys = this.#byEvent.get(id);
      keys?.delete(unit.key);
      if (keys?.size === 0) this.#byEvent.delete(id);
    }
    for (const id of entries.keys()) {
      this.#byEvent.set(id, (this.#byEvent.get(id) ?? new Set<string>()).add(unit.key));
    }
    unit.entries = entries;
  }

  /** A unit whose work is under way stays, empty, until that ends: no second one may start beside it. */
  #remove(key: string): void {
    const unit = this.#units.get(key);
    if (!unit) return;
    this.#setEntries(unit, new Map());
    unit.nextAt = Infinity;
    if (unit.running) return;
    this.#units.delete(key);
    const keys = this.#byIdentifier.get(unit.identifier);
    keys?.delete(key);
    if (keys?.size === 0) this.#byIdentifier.delete(unit.identifier);
  }
}
