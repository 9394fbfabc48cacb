import type { Filter, NostrEvent } from "../nostr/mod.ts";
import type { PeerSocket } from "../world/mod.ts";
import { newBatch } from "./batches.ts";
import { withSince } from "./filters.ts";
import { Histories } from "./history.ts";
import { PageCaps } from "./history_paging.ts";
import type { SharedParts } from "./link_parts.ts";
import { HistoricMeter, LinkGate } from "./link_gate.ts";
import { type EventResult, LinkIntake } from "./link_intake.ts";
import { type DropReason, LinkWire } from "./link_wire.ts";
import { LiveSubscriptions } from "./live.ts";
import { PeerAuth } from "./peer_auth.ts";
import { LEAST_LEARNED_BUDGET, type PeerBounds, peerBounds } from "./peer_budget.ts";
import { fetchPeerLimits, hasFreshLimits } from "./peer_document.ts";
import { PeerProbe } from "./peer_probe.ts";
import { isAboutNegentropy, isRateLimit, isTooManySubscriptions } from "./peer_reasons.ts";
import type { HistoryOutcome, HistoryRequest, LinkEnd, LinkRequest, PeerLink } from "./ports.ts";
import { Timer } from "./timer.ts";
import { idsFilter } from "./wire_filter.ts";

/** Bad frames after which a peer is left. */
const MAX_VIOLATIONS = 100;
/** The first REQs wait this long for the peer's limits: most peers answer within a fraction of it. */
const LIMITS_WAIT_MS = 1_000;
/** A peer can answer without reading: ids of subscriptions are no secret. */
const MAX_UNREAD_BYTES = 16 << 20;
/** Refusals of one burst are one signal. */
const SAME_SIGNAL_MS = 2_000;

/** One WebSocket to a peer, from its handshake to its end. */
export class Link implements PeerLink {
  readonly #parts: SharedParts;
  readonly #request: LinkRequest;
  readonly #socket: PeerSocket;
  readonly #intake: LinkIntake;
  readonly #wire: LinkWire;
  readonly #gate: LinkGate;
  readonly #meter: HistoricMeter;
  readonly #auth: PeerAuth;
  readonly #probe: PeerProbe;
  readonly #live: LiveSubscriptions;
  readonly #histories: Histories;
  readonly #limitsTimer: Timer;
  readonly #ended = new AbortController();
  readonly #socketClosed = Promise.withResolvers<void>();
  #lastFrameAt: number;
  #violations = 0;
  #lastRateSignal = -Infinity;
  #lastTimeout = -Infinity;

  /** `socket` is open; what it delivers goes to {@link receive} and {@link socketClosed}. */
  constructor(parts: SharedParts, request: LinkRequest, socket: PeerSocket) {
    this.#parts = parts;
    this.#request = request;
    this.#socket = socket;
    const { clock, random, settings, secretKey } = parts;
    const { url, memory } = request;
    this.#lastFrameAt = clock.now();
    const send = (text: string) => {
      if (this.#ended.signal.aborted) return;
      socket.send(text);
      // Not in the middle of whatever sends.
      if (socket.queuedBytes > MAX_UNREAD_BYTES) {
        queueMicrotask(() => this.#end("silent", "the peer does not read"));
      }
    };
    this.#intake = new LinkIntake({
      clock,
      bufferedEvents: settings.bufferedEvents,
      process: (event) => this.#process(event),
      pause: () => socket.pause(),
      resume: () => {
        this.#probe.alive();
        socket.resume();
      },
      full: () => this.#wire.suspend(),
      relieved: () => this.#meter.pump(),
      overloaded: () => {
        parts.metrics.droppedFrame("overload");
        this.#end("overload", "events arrive faster than they can be processed");
      },
    });
    this.#wire = new LinkWire({
      clock,
      intake: this.#intake,
      maxEventBytes: settings.maxEventBytes,
      maxFutureSecs: () => settings.maxFutureSecs,
      maxIdLength: () => memory.limits?.maxSubidLength ?? Infinity,
      send,
      frame: () => this.#heard(),
      dropped: (reason) => this.#violation(reason),
      notice: (text) => this.#notice(text),
      challenge: (text) => this.#auth.challenge(text),
      answered: (id, accepted, text) => this.#auth.answered(id, accepted, text),
      freed: () => this.#pump(),
    });
    this.#gate = new LinkGate(clock, random, () => this.#pump());
    this.#meter = new HistoricMeter({
      mayOpen: () => this.#gate.isOpen && !this.#intake.isFull,
      most: (kind) => kind === "request" ? this.#bounds().historicRequests : this.#bounds().negotiations,
      mostTogether: () => this.#bounds().historic,
      hasRoom: () => this.#wire.openCount < this.#bounds().budget,
    });
    this.#auth = new PeerAuth({
      clock,
      log: parts.log,
      url,
      secretKey,
      send,
      changed: () => this.#gate.lock("auth", this.#auth.mustWait),
    });
    this.#probe = new PeerProbe({
      clock,
      wire: this.#wire,
      idleMs: settings.keepAliveIdleMs,
      answerMs: settings.keepAliveAnswerMs,
      mayAsk: () => this.#mayProbe(),
      silent: () => this.#end("silent", "the peer does not answer any more"),
    });
    this.#live = new LiveSubscriptions({
      ...this.#sharedWithHistory(),
      gate: this.#gate,
      missed: (filters, at) => this.#fetchMissed(filters, at),
    });
    this.#histories = new Histories({
      ...this.#sharedWithHistory(),
      random,
      metrics: parts.metrics,
      settings,
      store: parts.store,
      intake: this.#intake,
      meter: this.#meter,
      room: parts.room,
      listed: parts.listed,
      caps: new PageCaps(
        () => this.#bounds().pageThreshold,
        () => this.#bounds().knowsPageLimit,
        (threshold) => memory.learnedThreshold = Math.min(threshold, memory.learnedThreshold ?? Infinity),
      ),
      stalled: () => {
        parts.metrics.stalledSubscription();
        this.#probe.suspect();
      },
      unsupported: (why) => this.#unsupported(why),
      timedOut: () => this.#timedOut(),
      kept: parts.kept,
      redundant: (id) => void this.#countRedundant(id),
    });
    this.#limitsTimer = new Timer(clock);
    this.#learnLimits();
    request.signal.addEventListener("abort", this.#close, { once: true });
    if (request.signal.aborted) this.close();
  }

  get openSubscriptions(): number {
    return this.#wire.openCount;
  }

  get budget(): number {
    return this.#bounds().budget;
  }

  get lastFrameAt(): number {
    return this.#lastFrameAt;
  }

  get queueDepth(): number {
    return this.#intake.depth;
  }

  get partlyLive(): boolean {
    return this.#live.isPartial;
  }

  liveCost(filters: readonly Filter[]): number {
    return this.#live.cost(filters);
  }

  openLive(filters: readonly Filter[]): void {
    if (!this.#ended.signal.aborted) this.#live.open(filters);
  }

  replaceLive(filters: readonly Filter[]): void {
    if (!this.#ended.signal.aborted) this.#live.replace(filters);
  }

  history(request: HistoryRequest): Promise<HistoryOutcome> {
    if (this.#ended.signal.aborted) return Promise.resolve({ result: "dropped", failedFilters: [] });
    return this.#histories.fetch(request);
  }

  dropHistory(): void {
    this.#histories.drop();
  }

  holdUntil(monotonicMs: number): void {
    if (!this.#ended.signal.aborted) this.#gate.hold(monotonicMs);
  }

  close(): void {
    this.#end("closed", "closed by this relay");
  }

  /** Takes one frame of the peer. */
  receive(text: string): void {
    if (!this.#ended.signal.aborted) this.#wire.receive(text);
  }

  /** The socket is closed, by whomever. */
  socketClosed(reason: string): void {
    this.#socketClosed.resolve();
    this.#end("lost", reason);
  }

  readonly #close = () => this.close();

  #sharedWithHistory() {
    const { clock, log } = this.#parts;
    const { url, memory } = this.#request;
    return {
      url,
      clock,
      log,
      memory,
      wire: this.#wire,
      bounds: () => this.#bounds(),
      rateLimited: () => this.#rateLimited(),
      tooManySubscriptions: () => this.#tooManySubscriptions(this.#wire.openCount),
      authenticated: () => this.#auth.authenticated(),
    };
  }

  /** What a live subscription did not bring while the peer had it closed; its failure is left to the daily run. */
  #fetchMissed(filters: readonly Filter[], at: number): void {
    const since = at - this.#parts.settings.overlapSecs;
    const { progress, filters: asked } = newBatch({
      purpose: "targeted",
      filters: withSince(filters, since),
      isWhole: false,
    });
    void this.history({ progress, filters: asked, allowNegentropy: true, fallback: () => asked });
  }

  #bounds(): PeerBounds {
    return peerBounds(this.#parts.settings, this.#request.memory);
  }

  /** Live subscriptions first: what history brings is then followed without a gap. */
  #pump(): void {
    if (this.#ended.signal.aborted) return;
    this.#live.pump();
    this.#meter.pump();
  }

  #heard(): void {
    this.#lastFrameAt = this.#parts.clock.now();
    this.#probe.alive();
  }

  async #process(event: NostrEvent): Promise<EventResult> {
    const { admit, metrics, arrivals, log } = this.#parts;
    const { url } = this.#request;
    let result: EventResult;
    try {
      result = (await admit(event, url)).result;
    } catch (error) {
      log.error("admitting an event of a peer failed", { relay: url, error: String(error) });
      result = "failed";
    }
    metrics.processed(result);
    if (result === "invalid") this.#violation("invalid_event");
    else if (result !== "failed") {
      const isFirst = result === "duplicate" || arrivals.add(event.id);
      // Two peers may deliver an event at once; it is stored once.
      if (result === "saved" && isFirst) metrics.synced();
      this.#histories.received(event.id);
    }
    return result;
  }

  /** An id that was superseded before we saw it is a duplicate too, but was never held. */
  async #countRedundant(id: string): Promise<void> {
    const { arrivals, store, metrics, log } = this.#parts;
    if (arrivals.has(id)) return;
    try {
      const held = await store.heldItems(idsFilter([id]), 1);
      if (held?.length !== 0) metrics.redundantIds(1);
    } catch (error) {
      log.error("reading which events are held failed", { relay: this.#request.url, error: String(error) });
    }
  }

  #violation(reason: DropReason): void {
    this.#parts.metrics.droppedFrame(reason);
    if (++this.#violations >= MAX_VIOLATIONS) {
      this.#end("abuse", `${MAX_VIOLATIONS} bad frames, the last one: ${reason}`);
    }
  }

  #notice(text: string): void {
    if (isRateLimit(text)) {
      if (isTooManySubscriptions(text)) this.#tooManySubscriptions(this.#wire.openCount - 1);
      this.#rateLimited();
    } else if (this.#wire.isNegotiating && isAboutNegentropy(text)) this.#unsupported("says so in a notice");
    else this.#parts.log.trace("notice of a peer", { relay: this.#request.url, text: text.slice(0, 120) });
  }

  /** Holds at once, whatever the listener makes of it later. */
  #rateLimited(): void {
    const now = this.#parts.clock.monotonic();
    if (this.#ended.signal.aborted || now < this.#lastRateSignal + SAME_SIGNAL_MS) return;
    this.#lastRateSignal = now;
    this.#gate.hold(now + this.#parts.settings.cooldownMs);
    this.#request.listener.rateLimited();
  }

  /** The peer accepts no more than `open`; false when that is the least we can work with already. */
  #tooManySubscriptions(open: number): boolean {
    const { memory, url } = this.#request;
    const learned = Math.max(LEAST_LEARNED_BUDGET, open);
    if (learned >= this.#bounds().budget) return false;
    memory.learnedBudget = learned;
    this.#parts.log.info("peer allows fewer subscriptions", { relay: url, budget: learned });
    this.#live.refit();
    this.#pump();
    return true;
  }

  #unsupported(why: string): void {
    const { memory, url } = this.#request;
    memory.negentropy = "unsupported";
    this.#parts.warnOnce(url, "peer does not support negentropy: its history is fetched page by page", why);
    this.#wire.abandonNegotiations();
  }

  /** Negotiations that time out together are one occasion; the second one is a verdict. */
  #timedOut(): void {
    const { clock, settings } = this.#parts;
    const { memory } = this.#request;
    const now = clock.monotonic();
    if (now < this.#lastTimeout + settings.negentropyFirstReplyMs / 2) return;
    this.#lastTimeout = now;
    if (++memory.negentropyTimeouts >= 2) this.#unsupported("does not answer");
  }

  #mayProbe(): boolean {
    const advertised = this.#request.memory.limits?.maxSubscriptions ?? Infinity;
    return !this.#gate.isHeld && this.#intake.depth === 0 && this.#wire.openCount < advertised;
  }

  #learnLimits(): void {
    const { network, clock, log } = this.#parts;
    const { url, trusted, memory } = this.#request;
    if (hasFreshLimits(memory, clock.now())) return this.#applyLimits();
    this.#gate.lock("limits", true);
    this.#limitsTimer.start(LIMITS_WAIT_MS, () => this.#gate.lock("limits", false));
    void fetchPeerLimits({ network, clock, log, url, trusted, memory, signal: this.#ended.signal }).then(
      () => {
        if (!this.#ended.signal.aborted) this.#applyLimits();
      },
    );
  }

  #applyLimits(): void {
    this.#limitsTimer.stop();
    if (this.#request.memory.limits?.authRequired) this.#auth.demanded();
    this.#live.refit();
    this.#gate.lock("limits", false);
  }

  /** Ends the link once; everything open on it is gone when the listener hears of it. */
  #end(reason: LinkEnd, text: string): void {
    if (this.#ended.signal.aborted) return;
    const { listener, signal } = this.#request;
    signal.removeEventListener("abort", this.#close);
    // What is closed below makes room, which must not be used.
    this.#gate.lock("end", true);
    this.#histories.drop();
    this.#wire.closeAll();
    this.#ended.abort();
    this.#socket.close();
    for (const part of [this.#gate, this.#auth, this.#probe, this.#live, this.#limitsTimer]) part.stop();
    if (reason === "closed") {
      // What is being processed is finished before the relay is forgotten.
      void Promise.all([this.#intake.drop(), this.#socketClosed.promise]).then(() =>
        listener.ended(reason, text)
      );
      return;
    }
    // Events that arrived in time are worth having, unless they are the problem.
    void (reason === "abuse" || reason === "overload" ? this.#intake.drop() : this.#intake.drain());
    listener.ended(reason, text);
  }
}
