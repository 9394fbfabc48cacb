import type { Filter, NostrEvent } from "../nostr/mod.ts";
import type { Logger } from "../observe/mod.ts";
import { type Clock, nowSeconds } from "../world/mod.ts";
import type { LinkGate } from "./link_gate.ts";
import type { LinkWire, WireSubscription } from "./link_wire.ts";
import { inPacks, maxFilterLength, type PeerBounds } from "./peer_budget.ts";
import { closedMeaning } from "./peer_reasons.ts";
import type { PeerMemory } from "./ports.ts";
import { Timer } from "./timer.ts";
import { filterText, splitToFit } from "./wire_filter.ts";

/** What {@link LiveSubscriptions} needs of its link. */
export interface LiveParts {
  readonly url: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly memory: PeerMemory;
  readonly wire: LinkWire;
  readonly gate: LinkGate;
  bounds(): PeerBounds;
  rateLimited(): void;
  tooManySubscriptions(): boolean;
  authenticated(): Promise<boolean>;
  /** These were not followed from `at` (wall seconds) until this moment: stored events make up for it. */
  missed(filters: readonly Filter[], at: number): void;
}

/** One live subscription of ours, open on the wire or to be opened. */
interface Entry {
  readonly filters: readonly Filter[];
  /** Equal for equal filters. */
  readonly key: string;
  state: "queued" | "open" | "waiting" | "refused" | "gone";
  id: string;
  readonly timer: Timer;
  nextDelayMs: number;
  openedAt: number;
  /** When the peer ended it (wall seconds); undefined while it is open or was not yet. */
  closedAt: number | undefined;
  /** Asked for with `since` because `limit: 0` was refused. */
  isTrial: boolean;
  hasTriedAuth: boolean;
}

const FIRST_REOPEN_MS = 5_000;
const MAX_REOPEN_MS = 300_000;
/** Older events before EOSE are stored ones, whatever `limit` said. */
const STORED_AGE_SECS = 60;

/**
 * The live subscriptions of one link: one filter each, or several where the peer's budget is too
 * small. What the peer ends is opened again later, unless it was refused for good.
 */
export class LiveSubscriptions {
  readonly #parts: LiveParts;
  #entries: Entry[] = [];
  /** Replaced, and still open: they are closed once what replaces them is open. */
  #obsolete: Entry[] = [];
  #isPumping = false;

  constructor(parts: LiveParts) {
    this.#parts = parts;
  }

  /** Some filter is refused for good, or finds no room. */
  get isPartial(): boolean {
    return this.#entries.some(({ state }) => state === "refused");
  }

  /** How many subscriptions these filters take when they are opened together. */
  cost(filters: readonly Filter[]): number {
    const { live, filtersPerLive } = this.#parts.bounds();
    return filters.length <= live ? filters.length : Math.ceil(filters.length / filtersPerLive);
  }

  /** Adds filters; those that are live already are left alone. */
  open(filters: readonly Filter[]): void {
    const added = this.#fitting(filters).filter((filter) => {
      const text = filterText(filter);
      return !this.#entries.some((entry) => entry.filters.some((other) => filterText(other) === text));
    });
    if (added.length === 0) return;
    const { live, filtersPerLive } = this.#parts.bounds();
    const room = live - this.#entries.filter(({ state }) => state !== "refused").length;
    if (added.length <= room) this.#add(added.map((filter) => [filter]));
    else if (Math.ceil(added.length / filtersPerLive) <= room) this.#add(inPacks(added, filtersPerLive));
    else this.replace([...this.#entries.flatMap(({ filters }) => filters), ...added]);
    this.pump();
  }

  /** Makes these the only live filters; the ones to close are closed last where there is room for both. */
  replace(filters: readonly Filter[]): void {
    const fitting = this.#fitting(filters);
    const { live, filtersPerLive } = this.#parts.bounds();
    const packs = fitting.length <= live
      ? fitting.map((filter) => [filter])
      : inPacks(fitting, filtersPerLive);
    const wanted = new Map(packs.map((pack) => [keyOf(pack), pack]));
    const kept = this.#entries.filter(({ key }) => wanted.has(key));
    this.#obsolete.push(...this.#entries.filter(({ key }) => !wanted.has(key)));
    for (const { key } of kept) wanted.delete(key);
    this.#entries = kept;
    this.#add([...wanted.values()]);
    this.pump();
  }

  /** Fits what is live into a budget that has become smaller. */
  refit(): void {
    const { live } = this.#parts.bounds();
    if (this.#entries.length > live) this.replace(this.#entries.flatMap(({ filters }) => filters));
  }

  /** Opens what waits, and closes what was replaced, if the link may send. */
  pump(): void {
    // Closing frees room, of which the link tells us while we are at it.
    if (this.#isPumping || !this.#parts.gate.isOpen) return;
    this.#isPumping = true;
    this.#sendQueued();
    this.#isPumping = false;
  }

  #sendQueued(): void {
    const { wire, bounds } = this.#parts;
    const { budget } = bounds();
    const queued = this.#entries.filter(({ state }) => state === "queued");
    if (wire.openCount + queued.length > budget) this.#closeObsolete();
    const taken = this.#entries.filter(({ state }) => state === "open" || state === "waiting").length;
    for (const entry of this.#withinBudget(queued, taken)) {
      if (wire.openCount < budget) this.#send(entry);
    }
    this.#closeObsolete();
  }

  #withinBudget(queued: readonly Entry[], taken: number): readonly Entry[] {
    const { bounds, log, url } = this.#parts;
    const { live, budget } = bounds();
    const room = Math.max(0, live - taken);
    const refused = queued.slice(room);
    for (const entry of refused) entry.state = "refused";
    if (refused.length > 0) {
      log.warn("peer allows too few subscriptions to follow everything live", { relay: url, budget });
    }
    return queued.slice(0, room);
  }

  #closeObsolete(): void {
    for (const entry of this.#obsolete.splice(0)) this.#close(entry);
  }

  /** Ends all timers; what is open is left to the wire. */
  stop(): void {
    for (const { timer } of [...this.#entries, ...this.#obsolete]) timer.stop();
  }

  #fitting(filters: readonly Filter[]): readonly Filter[] {
    const length = maxFilterLength(this.#parts.bounds());
    return filters.flatMap((filter) => splitToFit(filter, length));
  }

  #add(packs: readonly (readonly Filter[])[]): void {
    for (const filters of packs) {
      this.#entries.push({
        filters,
        key: keyOf(filters),
        state: "queued",
        id: "",
        timer: new Timer(this.#parts.clock),
        nextDelayMs: FIRST_REOPEN_MS,
        openedAt: 0,
        closedAt: undefined,
        isTrial: false,
        hasTriedAuth: false,
      });
    }
  }

  #send(entry: Entry): void {
    const { wire, clock, memory } = this.#parts;
    const now = nowSeconds(clock);
    const usesSince = memory.liveNeedsSince || entry.isTrial;
    let isAnswered = false;
    entry.id = wire.nextId("live");
    entry.state = "open";
    entry.openedAt = clock.monotonic();
    const subscription: WireSubscription = {
      id: entry.id,
      isHistoric: false,
      filters: entry.filters.map((filter) => ({ ...filter, ...(usesSince ? { since: now } : { limit: 0 }) })),
      accepts: entry.filters,
      arrived(event: NostrEvent | undefined) {
        const isStored = event && !isAnswered && !usesSince && event.created_at < now - STORED_AGE_SECS;
        if (isStored) memory.liveNeedsSince = true;
      },
      processed() {},
      eose() {
        isAnswered = true;
        if (entry.isTrial) memory.liveNeedsSince = true;
      },
      closed: (reason) => this.#closed(entry, reason, usesSince),
    };
    wire.open(subscription);
    const { closedAt } = entry;
    entry.closedAt = undefined;
    if (closedAt !== undefined) this.#parts.missed(entry.filters, closedAt);
  }

  #close(entry: Entry): void {
    entry.timer.stop();
    if (entry.state === "open") this.#parts.wire.close(entry.id);
    entry.state = "gone";
  }

  #closed(entry: Entry, reason: string, usedSince: boolean): void {
    if (entry.state !== "open") return;
    const parts = this.#parts;
    // History waits for the AUTH that a live subscription is opened with; nothing is missed then.
    const isFirstAuth = closedMeaning(reason) === "auth" && !entry.hasTriedAuth;
    if (!isFirstAuth) entry.closedAt = nowSeconds(parts.clock);
    if (parts.clock.monotonic() - entry.openedAt >= MAX_REOPEN_MS) entry.nextDelayMs = FIRST_REOPEN_MS;
    switch (closedMeaning(reason)) {
      case "auth":
        return void this.#authenticate(entry, reason);
      case "budget":
        entry.state = "queued";
        if (!parts.tooManySubscriptions()) this.#reopenLater(entry);
        return;
      case "rate":
        entry.state = "queued";
        return parts.rateLimited();
      case "final":
        if (usedSince || !/^(unsupported|invalid)/i.test(reason.trimStart())) {
          return this.#refuse(entry, reason);
        }
        entry.isTrial = true;
        entry.closedAt = undefined;
        entry.state = "queued";
        return this.pump();
      case "error":
        return this.#reopenLater(entry);
    }
  }

  async #authenticate(entry: Entry, reason: string): Promise<void> {
    const isFirst = !entry.hasTriedAuth;
    entry.hasTriedAuth = true;
    entry.state = "waiting";
    const isAccepted = isFirst && await this.#parts.authenticated();
    if (entry.state !== "waiting") return;
    if (!isAccepted) return this.#refuse(entry, reason);
    entry.state = "queued";
    this.pump();
  }

  #reopenLater(entry: Entry): void {
    entry.state = "waiting";
    entry.timer.start(entry.nextDelayMs, () => {
      entry.state = "queued";
      this.pump();
    });
    entry.nextDelayMs = Math.min(entry.nextDelayMs * 2, MAX_REOPEN_MS);
  }

  #refuse(entry: Entry, reason: string): void {
    const { log, url } = this.#parts;
    entry.state = "refused";
    log.info("peer refused a live subscription", { relay: url, reason: reason.slice(0, 120) });
  }
}

function keyOf(filters: readonly Filter[]): string {
  return filters.map(filterText).join(" ");
}
