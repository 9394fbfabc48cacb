import type { Filter } from "../../lib/nostr/mod.ts";
import type {
  HistoryOutcome,
  HistoryRequest,
  LinkEnd,
  LinkListener,
  LinkRequest,
  OpenLink,
  PeerLink,
} from "../../lib/sync/ports.ts";
import type { Clock, NetworkFailure, NetworkFault } from "../../lib/world/mod.ts";

/** One history the actor asked for, ended by the test or at once by the peer's rule. */
export interface History {
  readonly request: HistoryRequest;
  readonly isOpen: boolean;
  /** Ends it; later calls do nothing. */
  end(result: HistoryOutcome["result"], failedFilters?: readonly Filter[]): void;
}

/** A link without a wire: keeps what it was asked for, and lets the test play the peer. */
export class ScriptedLink implements PeerLink {
  live: Filter[] = [];
  readonly histories: History[] = [];
  /** Everything opened, in order: `live`, `replace` and `history` with their filters. */
  readonly calls: { readonly op: "live" | "replace" | "history"; readonly filters: readonly Filter[] }[] = [];
  budget = 70;
  /** Counted beside what is open here. */
  extraSubscriptions = 0;
  lastFrameAt: number;
  heldUntil = 0;
  queueDepth = 0;
  partlyLive = false;
  isClosed = false;
  /** Answers `close()`; false plays a peer whose socket hangs. */
  closesPolitely = true;
  readonly #peer: ScriptedPeer;
  readonly #listener: LinkListener;

  constructor(peer: ScriptedPeer, listener: LinkListener, now: number) {
    this.#peer = peer;
    this.#listener = listener;
    this.lastFrameAt = now;
  }

  get openSubscriptions(): number {
    return this.live.length + this.open.length + this.extraSubscriptions;
  }

  /** Histories under way. */
  get open(): readonly History[] {
    return this.histories.filter(({ isOpen }) => isOpen);
  }

  liveCost(filters: readonly Filter[]): number {
    return filters.length;
  }

  openLive(filters: readonly Filter[]): void {
    this.calls.push({ op: "live", filters });
    this.live.push(...filters);
  }

  replaceLive(filters: readonly Filter[]): void {
    this.calls.push({ op: "replace", filters });
    this.live = [...filters];
  }

  history(request: HistoryRequest): Promise<HistoryOutcome> {
    this.#peer.onHistory?.(request);
    this.calls.push({ op: "history", filters: request.filters });
    const { promise, resolve } = Promise.withResolvers<HistoryOutcome>();
    const history = {
      request,
      isOpen: true,
      end: (result: HistoryOutcome["result"], failedFilters: readonly Filter[] = []) => {
        history.isOpen = false;
        resolve({ result, failedFilters });
      },
    };
    this.histories.push(history);
    const rule = this.#peer.rule(request);
    if (rule !== "wait") history.end(rule, rule === "failed" ? request.filters : []);
    return promise;
  }

  dropHistory(): void {
    for (const history of this.open) history.end("dropped");
  }

  holdUntil(monotonicMs: number): void {
    this.heldUntil = monotonicMs;
  }

  close(): void {
    if (this.closesPolitely) this.end("closed");
  }

  /** The connection ends. */
  end(reason: LinkEnd = "lost"): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.dropHistory();
    this.#listener.ended(reason, "scripted");
  }

  /** The peer asks to slow down. */
  slowDown(): void {
    this.#listener.rateLimited();
  }
}

/** How a peer treats a history: left to the test, or ended at once. */
export type HistoryRule = "wait" | "complete" | "failed";

/** One relay out there. */
export class ScriptedPeer {
  /** What a dial comes to: a fault, or `hang` for no answer until it is aborted. */
  dial: "ok" | "hang" | NetworkFault = "ok";
  rule: (request: HistoryRequest) => HistoryRule = () => "complete";
  onHistory: ((request: HistoryRequest) => void) | undefined;
  /** Applied to every new link. */
  prepare: (link: ScriptedLink) => void = () => {};
  dials = 0;
  readonly dialTimes: number[] = [];
  readonly links: ScriptedLink[] = [];

  /** The latest link. */
  get link(): ScriptedLink {
    const link = this.links.at(-1);
    if (!link) throw new Error("never connected");
    return link;
  }
}

/** All relays out there, by normalised URL. */
export class ScriptedWorld {
  readonly peers = new Map<string, ScriptedPeer>();
  readonly requests: LinkRequest[] = [];
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  peer(url: string): ScriptedPeer {
    let peer = this.peers.get(url);
    if (!peer) this.peers.set(url, peer = new ScriptedPeer());
    return peer;
  }

  /** Links that are open right now. */
  get liveLinks(): number {
    return [...this.peers.values()].flatMap(({ links }) => links).filter((link) => !link.isClosed).length;
  }

  readonly openLink: OpenLink = (request) => {
    this.requests.push(request);
    const peer = this.peer(request.url);
    peer.dials++;
    peer.dialTimes.push(this.#clock.monotonic());
    const failure = (fault: NetworkFault): NetworkFailure => ({
      ok: false,
      fault,
      text: `scripted ${fault}`,
    });
    if (peer.dial === "hang") {
      return new Promise((resolve) =>
        request.signal.addEventListener("abort", () => resolve(failure("aborted")))
      );
    }
    if (peer.dial !== "ok") return Promise.resolve(failure(peer.dial));
    const link = new ScriptedLink(peer, request.listener, this.#clock.now());
    peer.prepare(link);
    peer.links.push(link);
    return Promise.resolve({ ok: true, link });
  };
}
