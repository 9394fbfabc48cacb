import type { NostrEvent } from "../nostr/mod.ts";
import { KIND } from "../nostr/mod.ts";
import type { Clock } from "../world/mod.ts";
import { Timer } from "./timer.ts";

/** What became of one event of a peer. */
export type EventResult = "saved" | "purgatory" | "duplicate" | "rejected" | "invalid" | "failed";

/** Whoever an event was received for. */
export interface EventOwner {
  /** Old events are collected for longer, since they come newest first. */
  readonly isHistoric: boolean;
  /** Called once the event is processed, before any later mark. */
  processed(event: NostrEvent, result: EventResult): void;
}

/** What {@link LinkIntake} needs of its link. */
export interface IntakeParts {
  readonly clock: Clock;
  /** Buffered events that end historic subscriptions for a while. */
  readonly bufferedEvents: number;
  /** Never rejects. */
  process(event: NostrEvent): Promise<EventResult>;
  pause(): void;
  resume(): void;
  /** The buffer is full although reading is paused. */
  full(): void;
  /** It is below half again. */
  relieved(): void;
  overloaded(): void;
}

interface Entry {
  readonly event: NostrEvent;
  readonly bytes: number;
  readonly owner: EventOwner;
}

/** Events processed together, sorted, and what is to be done right after them. */
interface Group {
  readonly entries: Entry[];
  readonly marks: (() => void)[];
  isClosed: boolean;
  /** Monotonic ms. */
  deadline: number;
}

/** Collecting time of live and of old events. */
const LIVE_WINDOW_MS = 5;
const HISTORIC_WINDOW_MS = 50;
const MAX_GROUP_EVENTS = 200;
const MAX_IN_FLIGHT = 64;
/** Times the bound at which the connection is given up. */
const OVERLOAD_FACTOR = 4;
const OVERLOAD_BYTES = 64 << 20;
const PAUSE_BYTES = 16 << 20;

/** The order events depend on each other: announcement, state, root event, update, the rest. */
export function kindRank(kind: number): number {
  switch (kind) {
    case KIND.announcement:
      return 0;
    case KIND.state:
      return 1;
    case KIND.patch:
    case KIND.pullRequest:
    case KIND.issue:
      return 2;
    case KIND.pullRequestUpdate:
      return 3;
    default:
      return 4;
  }
}

/** Orders by rank of the kind, then oldest first, then by id. */
export function compareForProcessing(a: NostrEvent, b: NostrEvent): number {
  return kindRank(a.kind) - kindRank(b.kind) || a.created_at - b.created_at ||
    (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
}

/**
 * The bounded buffer between a socket and the processing of its events. Events are collected for a
 * moment and processed in the order they depend on each other; equal ranks run side by side, so that
 * they share commits. Marks (an EOSE, a CLOSED) are done after every event that came before them.
 */
export class LinkIntake {
  readonly #parts: IntakeParts;
  readonly #timer: Timer;
  #groups: Group[] = [];
  #depth = 0;
  #bytes = 0;
  #running: Promise<void> | undefined;
  #isPaused = false;
  #isFull = false;
  #isDropped = false;

  constructor(parts: IntakeParts) {
    this.#parts = parts;
    this.#timer = new Timer(parts.clock);
  }

  /** Events received and not yet processed. */
  get depth(): number {
    return this.#depth;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** True from reaching the bound until below half of it. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /** Takes one event that passed every check except its hash and signature. */
  add(event: NostrEvent, bytes: number, owner: EventOwner): void {
    const now = this.#parts.clock.monotonic();
    let group = this.#groups.at(-1);
    if (!group || group.isClosed) {
      this.#groups.push(group = { entries: [], marks: [], isClosed: false, deadline: now + LIVE_WINDOW_MS });
      this.#watch();
    }
    const isFirstHistoric = owner.isHistoric && !group.entries.some((entry) => entry.owner.isHistoric);
    if (isFirstHistoric) group.deadline = now + HISTORIC_WINDOW_MS;
    group.entries.push({ event, bytes, owner });
    this.#depth++;
    this.#bytes += bytes;
    if (group.entries.length >= MAX_GROUP_EVENTS) this.#close(group);
    this.#press();
  }

  /** Runs `action` after every event added so far; at once when there is none. */
  mark(action: () => void): void {
    const last = this.#groups.at(-1);
    if (last) {
      last.marks.push(action);
      this.#close(last);
    } else if (this.#running) {
      this.#groups.push({ entries: [], marks: [action], isClosed: true, deadline: 0 });
    } else action();
  }

  /** Processes what was received, then resolves. */
  async drain(): Promise<void> {
    const last = this.#groups.at(-1);
    if (last) this.#close(last);
    await this.#running;
  }

  /** Forgets what waits; resolves when the events being processed are done. */
  async drop(): Promise<void> {
    this.#isDropped = true;
    this.#timer.stop();
    this.#groups = [];
    await this.#running;
  }

  #watch(): void {
    const { clock } = this.#parts;
    const group = this.#groups.at(-1);
    if (!group || group.isClosed || this.#timer.isRunning) return;
    this.#timer.start(Math.max(0, group.deadline - clock.monotonic()), () => {
      const open = this.#groups.at(-1);
      if (!open || open.isClosed) return;
      if (open.deadline <= clock.monotonic()) this.#close(open);
      else this.#watch();
    });
  }

  #close(group: Group): void {
    group.isClosed = true;
    this.#timer.stop();
    this.#running ??= this.#run();
  }

  async #run(): Promise<void> {
    for (let group = this.#groups[0]; group?.isClosed; group = this.#groups[0]) {
      this.#groups.shift();
      await this.#process(group.entries);
      for (const mark of group.marks) mark();
    }
    // In the same turn as the last look at the groups, so that whatever is closed later runs again.
    this.#running = undefined;
  }

  /** The same event for several subscriptions is processed once. */
  async #process(entries: readonly Entry[]): Promise<void> {
    const byId = new Map<string, Entry[]>();
    for (const entry of entries) {
      const same = byId.get(entry.event.id);
      if (same) same.push(entry);
      else byId.set(entry.event.id, [entry]);
    }
    const sorted = [...byId.values()].sort(([a], [b]) => compareForProcessing(a!.event, b!.event));
    for (let start = 0; start < sorted.length;) {
      const rank = kindRank(sorted[start]![0]!.event.kind);
      let end = start + 1;
      while (end < sorted.length && kindRank(sorted[end]![0]!.event.kind) === rank) end++;
      await this.#processRank(sorted.slice(start, end));
      start = end;
    }
  }

  async #processRank(events: readonly (readonly Entry[])[]): Promise<void> {
    let next = 0;
    const work = async () => {
      for (let index = next++; index < events.length; index = next++) {
        if (!this.#isDropped) await this.#processOne(events[index]!);
      }
    };
    await Promise.all(Array.from({ length: Math.min(MAX_IN_FLIGHT, events.length) }, work));
  }

  async #processOne(entries: readonly Entry[]): Promise<void> {
    const { event } = entries[0]!;
    const result = await this.#parts.process(event);
    for (const { bytes, owner } of entries) {
      this.#depth--;
      this.#bytes -= bytes;
      owner.processed(event, result);
    }
    this.#relieve();
  }

  /** First the peer feels back-pressure, then its history waits, at last it is given up. */
  #press(): void {
    const { bufferedEvents } = this.#parts;
    if (this.#depth >= OVERLOAD_FACTOR * bufferedEvents || this.#bytes >= OVERLOAD_BYTES) {
      return this.#parts.overloaded();
    }
    if (!this.#isPaused && (this.#depth >= bufferedEvents * 3 / 4 || this.#bytes >= PAUSE_BYTES)) {
      this.#isPaused = true;
      this.#parts.pause();
    }
    if (!this.#isFull && this.#depth >= bufferedEvents) {
      this.#isFull = true;
      this.#parts.full();
    }
  }

  #relieve(): void {
    if (this.#isDropped || this.#depth >= this.#parts.bufferedEvents / 2 || this.#bytes >= PAUSE_BYTES / 2) {
      return;
    }
    if (this.#isPaused) {
      this.#isPaused = false;
      this.#parts.resume();
    }
    if (this.#isFull) {
      this.#isFull = false;
      this.#parts.relieved();
    }
  }
}
