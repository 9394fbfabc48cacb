import type { NostrEvent } from "../nostr/mod.ts";
import type { HuntGauges } from "../observe/mod.ts";
import { repeat } from "../world/mod.ts";
import { DemandWatch } from "./demand.ts";
import { HUNT } from "./durations.ts";
import type { HuntParts } from "./ports.ts";
import { HuntQueue, type QueuedUnit, type Started } from "./queue.ts";
import { Searcher } from "./searcher.ts";
import { HostThrottle, type HostTurn } from "./throttle.ts";
import { Upkeep } from "./upkeep.ts";
import type { UrlReport } from "./url_memory.ts";

/** One unit as the operator sees it. */
export interface HuntSnapshot {
  readonly identifier: string;
  /** The home owner. */
  readonly owner: string;
  /** Ids of the events that wait. */
  readonly waiting: readonly string[];
  readonly running: boolean;
  /** Incomplete hunts since the last new event. */
  readonly attempts: number;
  /** Wall time in milliseconds; undefined while its hunt is under way. */
  readonly nextAttemptAt: number | undefined;
  /** True when no fetch has reached a server. */
  readonly unreachable: boolean;
  readonly urls: readonly UrlReport[];
}

/** The running hunt for missing git data. */
export interface Hunt {
  /** Ends everything under way; resolves when it has ended. */
  stop(): Promise<void>;
  gauges(): HuntGauges;
  /** What is hunted for, in the order it was queued. */
  hunts(): readonly HuntSnapshot[];
  /** A peer delivered this event, which waits: its git data is probably at hand. */
  handOver(event: Pick<NostrEvent, "id">): void;
  /** True when no git server that may hold the data of this event could be reached. */
  isUnreachable(event: Pick<NostrEvent, "id">): boolean;
}

/**
 * Starts hunting: fetches the git data waiting events need from the servers their announcements name,
 * and releases what became complete.
 */
export function startHunt(parts: HuntParts): Hunt {
  return new Hunter({ ...parts, log: parts.log.target("purgatory") });
}

class Hunter implements Hunt {
  readonly #parts: HuntParts;
  readonly #stopping = new AbortController();
  readonly #queue = new HuntQueue();
  readonly #throttle: HostThrottle;
  readonly #searcher: Searcher;
  readonly #demand: DemandWatch;
  readonly #unwatch: () => void;
  /** Hunts and turns at hosts under way. */
  readonly #running = new Set<Promise<void>>();
  readonly #background: Promise<unknown>[];
  #timer: { readonly at: number; readonly stop: AbortController } | undefined;
  #turnsFirst = false;

  constructor(parts: HuntParts) {
    this.#parts = parts;
    const { signal } = this.#stopping;
    const { maxConcurrentPerHost, maxPerMinutePerHost } = parts.settings;
    this.#throttle = new HostThrottle({
      maxConcurrent: maxConcurrentPerHost,
      maxPerMinute: maxPerMinutePerHost,
    });
    const upkeep = new Upkeep(parts);
    this.#searcher = new Searcher({ ...parts, throttle: this.#throttle, upkeep, signal });
    this.#demand = new DemandWatch(parts, this.#queue, () => this.#pump(), signal);
    this.#unwatch = parts.store.watch((changes, verdicts) => this.#demand.committed(changes, verdicts));
    this.#background = [
      this.#guarded("waiting events could not be read at start", () => this.#demand.atStart()),
      upkeep.afterStart(signal),
      repeat(parts.clock, HUNT.upkeepMs, signal, async () => {
        this.#throttle.prune(parts.clock.monotonic());
        await upkeep.run(signal);
      }),
    ];
  }

  async stop(): Promise<void> {
    this.#unwatch();
    this.#stopping.abort();
    this.#timer?.stop.abort();
    await Promise.all([...this.#background, ...this.#running]);
    await this.#demand.settled();
  }

  gauges(): HuntGauges {
    const now = this.#parts.clock.monotonic();
    const queued = this.#throttle.queuedUnits();
    const units = { due: 0, delayed: 0, running: 0, host_queued: 0 };
    for (const { key, running, nextAt } of this.#queue.units) {
      if (running) units.running++;
      else if (queued.has(key)) units.host_queued++;
      else if (nextAt <= now) units.due++;
      else units.delayed++;
    }
    return {
      units,
      hostsThrottled: this.#throttle.throttled(now),
      naughtyHosts: [...this.#parts.naughty.entries()],
    };
  }

  hunts(): readonly HuntSnapshot[] {
    const { clock } = this.#parts;
    const wall = clock.now() - clock.monotonic();
    return this.#queue.units.map(({ identifier, owner, entries, running, attempts, nextAt, memory }) => ({
      identifier,
      owner,
      waiting: [...entries.keys()],
      running,
      attempts,
      nextAttemptAt: nextAt === Infinity ? undefined : wall + nextAt,
      unreachable: memory.unreachable,
      urls: memory.reports(),
    }));
  }

  handOver({ id }: Pick<NostrEvent, "id">): void {
    this.#queue.bringForward(id, this.#parts.clock.monotonic());
    this.#pump();
  }

  isUnreachable({ id }: Pick<NostrEvent, "id">): boolean {
    return this.#queue.isUnreachable(id);
  }

  /** Starts what may start, hunts and turns at hosts alternating, and arms the timer for the rest. */
  #pump(): void {
    const due = this.#hasRoom() ? [...this.#queue.due(this.#parts.clock.monotonic())] : [];
    while (this.#hasRoom()) {
      const started = this.#turnsFirst
        ? this.#startTurn() || this.#startHunt(due)
        : this.#startHunt(due) || this.#startTurn();
      if (!started) break;
      this.#turnsFirst = !this.#turnsFirst;
    }
    this.#arm();
  }

  #hasRoom(): boolean {
    return !this.#stopping.signal.aborted && this.#running.size < this.#parts.settings.maxRunning;
  }

  #startHunt(due: QueuedUnit[]): boolean {
    for (let unit = due.shift(); unit; unit = due.shift()) {
      const started = this.#queue.begin(unit.key);
      if (!started) continue;
      this.#run(unit.identifier, () => this.#hunt(started));
      return true;
    }
    return false;
  }

  async #hunt(started: Started): Promise<void> {
    try {
      await this.#searcher.hunt(started.unit);
    } finally {
      this.#queue.end(started, this.#parts.clock.monotonic());
    }
  }

  #startTurn(): boolean {
    const now = this.#parts.clock.monotonic();
    const turn = this.#throttle.next(now, (key) => this.#queue.get(key)?.running ?? false);
    if (!turn) return false;
    const unit = this.#queue.get(turn.unit);
    if (unit && this.#queue.beginTurn(turn.unit)) {
      this.#run(unit.identifier, () => this.#turn(unit, turn));
    } else {
      // Nothing waits in it any more.
      this.#throttle.remove(turn.unit, turn.host);
      this.#throttle.refund(turn, now);
    }
    return true;
  }

  async #turn(unit: QueuedUnit, turn: HostTurn): Promise<void> {
    try {
      await this.#searcher.turn(unit, turn);
    } finally {
      this.#queue.endTurn(unit.key);
    }
  }

  #run(identifier: string, work: () => Promise<void>): void {
    const task: Promise<void> = this.#guarded("hunt failed, it is tried again", work, identifier)
      .finally(() => {
        this.#running.delete(task);
        this.#pump();
      });
    this.#running.add(task);
  }

  /** One timer, for whatever is due first. */
  #arm(): void {
    const now = this.#parts.clock.monotonic();
    // Without room the end of something under way looks again.
    const at = this.#hasRoom()
      ? Math.min(this.#queue.nextAt() ?? Infinity, this.#throttle.wakeAt(now) ?? Infinity)
      : Infinity;
    if (this.#timer?.at === at) return;
    this.#timer?.stop.abort();
    this.#timer = undefined;
    if (at === Infinity) return;
    const stop = new AbortController();
    this.#timer = { at, stop };
    this.#parts.clock.sleep(at - now, stop.signal).then(() => {
      if (stop.signal.aborted) return;
      this.#timer = undefined;
      this.#pump();
    });
  }

  async #guarded(message: string, work: () => Promise<void>, identifier?: string): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#parts.log.error(message, { repo: identifier, error: String(error) });
    }
  }
}
