import { type Filter, matchesFilter, type NostrEvent, parseEvent } from "../nostr/mod.ts";
import { nowSeconds } from "../world/mod.ts";
import type { Clock } from "../world/mod.ts";
import type { SyncGroup } from "../observe/mod.ts";
import type { EventOwner, LinkIntake } from "./link_intake.ts";
import { filterText } from "./wire_filter.ts";
import { isLongerThan, parsePeerFrame, type PeerFrame } from "./wire_frames.ts";

/** Role of a subscription or negotiation; its id begins with it. */
export type Role = "live" | "h" | "ids" | "neg" | "ka";

/** One subscription on the wire. */
export interface WireSubscription extends EventOwner {
  readonly id: string;
  /** As sent. */
  readonly filters: readonly Filter[];
  /** What its events have to match, where that is less than what was asked for. */
  readonly accepts?: readonly Filter[];
  /** A frame for it arrived; `event` is set when that was an acceptable event. Not in processing order. */
  arrived(event: NostrEvent | undefined): void;
  /** All stored events were sent, and those received before are processed. */
  eose(): void;
  /** The peer ended it; it is off the wire already. Events received before are processed. */
  closed(reason: string): void;
  /** Ends it for a while, because events arrive faster than they are processed. */
  suspend?(): void;
}

/** One negotiation on the wire (NIP-77). */
export interface WireNegotiation {
  readonly id: string;
  message(hex: string): void;
  /** NEG-ERR, or a CLOSED in its place; it is off the wire already. */
  refused(reason: string): void;
  /** The peer turned out not to know this protocol. */
  unsupported(): void;
}

/** Why a frame of a peer was dropped. */
export type DropReason = Parameters<SyncGroup["droppedFrame"]>[0];

/** What {@link LinkWire} needs of its link. */
export interface WireParts {
  readonly clock: Clock;
  readonly intake: LinkIntake;
  readonly maxEventBytes: number;
  /** How far ahead `created_at` may lie, in seconds; may change. */
  maxFutureSecs(): number;
  /** Longest subscription id of the peer. */
  maxIdLength(): number;
  send(text: string): void;
  /** Any frame arrived. */
  frame(): void;
  dropped(reason: DropReason): void;
  notice(text: string): void;
  challenge(text: string): void;
  answered(id: string, accepted: boolean, text: string): void;
  /** A subscription or negotiation left the wire. */
  freed(): void;
}

/** Around the event of the largest acceptable frame. */
const ENVELOPE_BYTES = 512;

/**
 * Subscriptions and negotiations of one WebSocket, and the checks on what arrives for them. An id is
 * used once per link, so that a late frame of an earlier use is told from one of no use at all.
 */
export class LinkWire {
  readonly #parts: WireParts;
  readonly #subscriptions = new Map<string, WireSubscription>();
  /** Subscriptions whose EOSE arrived: further ones mean nothing. */
  readonly #complete = new Set<string>();
  readonly #negotiations = new Map<string, WireNegotiation>();
  #lastId = 0;
  #hasAnswered = false;
  #answeredAt = -Infinity;

  constructor(parts: WireParts) {
    this.#parts = parts;
  }

  /** Open subscriptions and negotiations. */
  get openCount(): number {
    return this.#subscriptions.size + this.#negotiations.size;
  }

  /** The peer sent an EOSE for one of our subscriptions. */
  get hasAnswered(): boolean {
    return this.#hasAnswered;
  }

  /**
   * Monotonic time of the last frame that answers a request for history. On a slow connection what was
   * asked for later waits behind such frames: meanwhile its silence means nothing.
   */
  get answeredAt(): number {
    return this.#answeredAt;
  }

  get isNegotiating(): boolean {
    return this.#negotiations.size > 0;
  }

  /** An unused id. */
  nextId(role: Role): string {
    const id = `${role}-${++this.#lastId}`;
    return id.length <= this.#parts.maxIdLength() ? id : String(this.#lastId);
  }

  /** Sends a REQ. */
  open(subscription: WireSubscription): void {
    this.#subscriptions.set(subscription.id, subscription);
    const filters = subscription.filters.map(filterText).join(",");
    this.#parts.send(`["REQ","${subscription.id}",${filters}]`);
  }

  /** Sends a CLOSE unless the subscription is off the wire already. */
  close(id: string): void {
    if (!this.#remove(id)) return;
    this.#parts.send(`["CLOSE","${id}"]`);
    this.#parts.freed();
  }

  /** Sends a NEG-OPEN; `message` in hex. */
  negotiate(negotiation: WireNegotiation, filter: Filter, message: string): void {
    this.#negotiations.set(negotiation.id, negotiation);
    this.#parts.send(`["NEG-OPEN","${negotiation.id}",${filterText(filter)},"${message}"]`);
  }

  /** Sends a NEG-MSG; `message` in hex. */
  answer(id: string, message: string): void {
    if (this.#negotiations.has(id)) this.#parts.send(`["NEG-MSG","${id}","${message}"]`);
  }

  /** Tells all negotiations that the peer does not know them. */
  abandonNegotiations(): void {
    for (const negotiation of [...this.#negotiations.values()]) negotiation.unsupported();
  }

  /** Sends a NEG-CLOSE unless the negotiation is off the wire already. */
  endNegotiation(id: string): void {
    if (!this.#negotiations.delete(id)) return;
    this.#parts.send(`["NEG-CLOSE","${id}"]`);
    this.#parts.freed();
  }

  /** Suspends what can be resumed later. */
  suspend(): void {
    for (const subscription of [...this.#subscriptions.values()]) subscription.suspend?.();
  }

  /** Ends everything that is open. */
  closeAll(): void {
    for (const id of [...this.#subscriptions.keys()]) this.close(id);
    for (const id of [...this.#negotiations.keys()]) this.endNegotiation(id);
  }

  /** Takes one frame of the peer. */
  receive(text: string): void {
    const parts = this.#parts;
    parts.frame();
    if (isLongerThan(text, parts.maxEventBytes + ENVELOPE_BYTES)) return parts.dropped("size");
    const frame = parsePeerFrame(text);
    if (!frame) return parts.dropped("malformed");
    this.#dispatch(frame, text.length);
  }

  #dispatch(frame: PeerFrame, bytes: number): void {
    switch (frame.type) {
      case "EVENT":
        return this.#event(frame.sub, frame.event, bytes);
      case "EOSE":
        return this.#eose(frame.sub);
      case "CLOSED":
        return this.#closed(frame.sub, frame.reason);
      case "NEG-MSG":
        return this.#negotiated(frame.sub, frame.message);
      case "NEG-ERR":
        return this.#refused(frame.sub, frame.reason);
      case "NOTICE":
        return this.#parts.notice(frame.text);
      case "AUTH":
        return this.#parts.challenge(frame.challenge);
      case "OK":
        return this.#parts.answered(frame.id, frame.accepted, frame.text);
      case "COUNT":
        return; // we never ask for one
    }
  }

  #event(id: string, value: unknown, bytes: number): void {
    const parts = this.#parts;
    const subscription = this.#subscriptions.get(id);
    if (!subscription) {
      if (!this.#wasIssued(id)) parts.dropped("subscription");
      return;
    }
    const parsed = parseEvent(value);
    const problem = parsed.ok ? this.#problemOf(parsed.event, subscription) : "invalid_event";
    if (!parsed.ok || problem) {
      subscription.arrived(undefined);
      return parts.dropped(problem ?? "invalid_event");
    }
    if (subscription.isHistoric) this.#answeredAt = parts.clock.monotonic();
    parts.intake.add(parsed.event, bytes, subscription);
    subscription.arrived(parsed.event);
  }

  #problemOf(event: NostrEvent, { filters, accepts }: WireSubscription): DropReason | undefined {
    const { clock, maxFutureSecs } = this.#parts;
    if (event.created_at > nowSeconds(clock) + maxFutureSecs()) return "future";
    return (accepts ?? filters).some((filter) => matchesFilter(filter, event)) ? undefined : "filter";
  }

  #eose(id: string): void {
    const subscription = this.#subscriptions.get(id);
    if (!subscription || this.#complete.has(id)) return;
    this.#complete.add(id);
    this.#hasAnswered = true;
    if (subscription.isHistoric) this.#answeredAt = this.#parts.clock.monotonic();
    subscription.arrived(undefined);
    this.#parts.intake.mark(() => subscription.eose());
  }

  #closed(id: string, reason: string): void {
    const subscription = this.#subscriptions.get(id);
    if (!subscription) return this.#refused(id, reason);
    subscription.arrived(undefined);
    this.#remove(id);
    this.#parts.freed();
    this.#parts.intake.mark(() => subscription.closed(reason));
  }

  #negotiated(id: string, message: string): void {
    const negotiation = this.#negotiations.get(id);
    if (!negotiation) return;
    this.#answeredAt = this.#parts.clock.monotonic();
    negotiation.message(message);
  }

  #refused(id: string, reason: string): void {
    const negotiation = this.#negotiations.get(id);
    if (!negotiation) return;
    this.#negotiations.delete(id);
    negotiation.refused(reason);
    this.#parts.freed();
  }

  #remove(id: string): boolean {
    this.#complete.delete(id);
    return this.#subscriptions.delete(id);
  }

  #wasIssued(id: string): boolean {
    const number = /^(?:(?:live|h|ids|neg|ka)-)?([1-9]\d{0,14})$/.exec(id)?.[1];
    return number !== undefined && Number(number) <= this.#lastId;
  }
}
