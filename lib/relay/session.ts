import { Buffer } from "node:buffer";
import { AdmissionOrder } from "../intake/mod.ts";
import type { Filter } from "../nostr/mod.ts";
import type { Logger } from "../observe/mod.ts";
import type { Clock } from "../world/mod.ts";
import { AnswerQueue } from "./answer_queue.ts";
import { Inbox } from "./inbox.ts";
import type { LiveSubscriptions } from "./live.ts";
import {
  answerIdOf,
  type ClientMessage,
  NOTICE,
  type Notice,
  parseClientMessage,
  parseFilters,
  subscriptionIdProblem,
} from "./messages.ts";
import type { NegentropyCapacity } from "./negentropy_capacity.ts";
import { NegentropySessions } from "./negentropy_sessions.ts";
import { Outbox, type OutboxSocket } from "./outbox.ts";
import type { AdmitAnswer, EventSink, RelayBounds, RelayLimits, RelayMetrics, RelayStore } from "./ports.ts";
import { Subscription, subscriptionBytes } from "./subscription.ts";
import { TokenBucket } from "./token_bucket.ts";
import { nextTurn } from "./turn.ts";

/** What every connection shares. */
export interface SessionDeps {
  readonly limits: RelayLimits;
  readonly bounds: RelayBounds;
  readonly store: RelayStore;
  readonly sink: EventSink;
  readonly live: LiveSubscriptions;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: RelayMetrics;
  readonly capacity: NegentropyCapacity;
}

/** Stored events sent in one turn of the event loop. */
const EVENTS_PER_TURN = 500;
/** WebSocket close codes (RFC 6455, 7.4.1). */
const MESSAGE_TOO_BIG = 1009;
const TRY_AGAIN_LATER = 1013;
/** A message that does not fit is not parsed: its beginning says enough to count it. */
const EVENT_MESSAGE = /^\s*\[\s*"EVENT"/;

type NotEvent = Exclude<ClientMessage, { readonly type: "EVENT" }>;

/**
 * One client connection (NIP-01). Messages are handled as if one at a time, and answered in order;
 * EVENTs that follow each other overlap as far as nobody can tell. Only this class writes to its
 * socket. A refusal never closes the connection, an exceeded transport limit does.
 */
export class Session {
  readonly #deps: SessionDeps;
  readonly #outbox: Outbox;
  readonly #inbox: Inbox<string | undefined>;
  readonly #eventTokens: TokenBucket;
  readonly #order = new AdmissionOrder();
  readonly #answers: AnswerQueue;
  readonly #subscriptions = new Map<string, Subscription>();
  readonly #negentropy: NegentropySessions;
  #subscriptionBytes = 0;

  constructor(deps: SessionDeps, socket: OutboxSocket) {
    this.#deps = deps;
    this.#outbox = new Outbox(socket, deps.clock, deps.bounds, deps.metrics);
    this.#inbox = new Inbox(
      (text) => this.#handle(text),
      deps.bounds.queuedMessages,
      deps.bounds.queuedBytes,
    );
    this.#answers = new AnswerQueue(deps.bounds.eventsUnderWay, deps.bounds.eventUnitsUnderWay);
    this.#eventTokens = new TokenBucket(() => deps.limits.maxEventsPerMinute, deps.clock);
    this.#negentropy = new NegentropySessions({
      ...deps,
      outbox: this.#outbox,
      hasRoom: () => this.#hasRoom(),
    });
    this.#outbox.ended.addEventListener("abort", () => this.#release(), { once: true });
  }

  /** Takes one frame as the socket delivered it: a text, or bytes of a binary frame. */
  receive(data: unknown): void {
    if (this.#outbox.ended.aborted) return;
    const text = typeof data === "string" ? data : undefined;
    const bytes = text === undefined ? 0 : byteLength(text, this.#deps.limits.maxMessageBytes);
    if (bytes > this.#deps.limits.maxMessageBytes) {
      this.#deps.metrics.rateLimited("message_size");
      this.close(MESSAGE_TOO_BIG, "message too big");
    } else if (!this.#inbox.push(text, bytes)) {
      this.#deps.metrics.rateLimited(text !== undefined && EVENT_MESSAGE.test(text) ? "event" : "req");
      this.close(TRY_AGAIN_LATER, "messages arrive too fast");
    }
  }

  /** Takes no further messages; resolves when those received have been answered. */
  async finish(): Promise<void> {
    await this.#inbox.finish();
    await this.#answers.empty();
  }

  /** Sends a NOTICE; the text is one of {@link NOTICE}, because peers react to words in it. */
  notice(text: Notice): void {
    this.#outbox.send("NOTICE", JSON.stringify(["NOTICE", text]));
  }

  /** Closes the connection after what is queued for it. */
  close(code: number, reason: string): void {
    this.#outbox.close(code, reason);
  }

  /** To be called when the socket has closed. */
  end(): void {
    this.#outbox.end();
  }

  #release(): void {
    this.#inbox.discard();
    for (const id of [...this.#subscriptions.keys()]) this.#drop(id);
    this.#negentropy.closeAll();
  }

  async #handle(text: string | undefined): Promise<void> {
    try {
      // A client that reads no answers gets no further ones computed.
      if (this.#outbox.isFull && !(await this.#outbox.drained())) return;
      const message = text === undefined ? undefined : parseClientMessage(text);
      if (message?.type === "EVENT") return await this.#event(message.value, text!.length);
      await this.#answers.empty();
      if (this.#outbox.ended.aborted) return;
      await this.#dispatch(message, text?.length ?? 0);
    } catch (error) {
      this.#deps.log.error("handling a client message failed", { error: String(error) });
      this.notice(NOTICE.failed);
    }
  }

  /** Handles a message of `length` UTF-16 units; undefined: a binary one. */
  #dispatch(message: NotEvent | undefined, length: number): Promise<void> | void {
    this.#deps.metrics.received(message?.type ?? "invalid");
    if (!message) return this.notice(NOTICE.binary);
    switch (message.type) {
      case "AUTH":
        return this.#answerEvent(message.value, refused("invalid: no challenge was issued"));
      case "REQ":
        return this.#withFilters(
          message,
          (filters) => this.#request(message.id, filters, subscriptionBytes(length, filters)),
          () => this.#drop(message.id),
        );
      case "COUNT":
        return this.#withFilters(message, (filters) => this.#count(message.id, filters));
      case "CLOSE":
        return this.#drop(message.id);
      case "NEG-OPEN":
        return this.#negentropy.open(message);
      case "NEG-MSG":
        return this.#negentropy.answer(message);
      case "NEG-CLOSE":
        return this.#negentropy.close(message.id);
      case "invalid":
        return this.notice(message.notice);
    }
  }

  /** Starts judging an event of `length` UTF-16 units; resolves when the next message may be looked at. */
  #event(value: unknown, length: number): Promise<void> | void {
    const { metrics } = this.#deps;
    metrics.received("EVENT");
    if (!this.#eventTokens.take()) {
      metrics.rateLimited("event");
      return this.#answers.add(
        Promise.resolve(refused("rate-limited: slow down")),
        length,
        (answer) => this.#answerEvent(value, answer),
      );
    }
    const admitted = this.#order.run(value, () => this.#admit(value));
    return this.#answers.add(admitted, length, (answer) => this.#answerEvent(value, answer));
  }

  async #admit(value: unknown): Promise<AdmitAnswer> {
    try {
      return await this.#deps.sink.admit(value, "client");
    } catch (error) {
      this.#deps.log.error("admitting an event failed", { error: String(error) });
      return refused("error: could not process event");
    }
  }

  /** Exactly one answer: an OK with the id as sent, or a NOTICE when there is no id to repeat. */
  #answerEvent(value: unknown, { id: readId, accepted, message }: AdmitAnswer): void {
    const id = answerIdOf(value) ?? readId;
    if (id === undefined) this.notice(NOTICE.unparsable);
    else this.#outbox.send("OK", JSON.stringify(["OK", id, accepted, message]));
  }

  #withFilters(
    { id, filters: values }: { readonly id: string; readonly filters: readonly unknown[] },
    use: (filters: readonly Filter[]) => Promise<void>,
    refused?: () => void,
  ): Promise<void> | void {
    const { maxSubidLength, maxFiltersPerReq } = this.#deps.limits;
    const idProblem = subscriptionIdProblem(id, maxSubidLength);
    const filters = idProblem ?? parseFilters(values, maxFiltersPerReq);
    if (typeof filters !== "string") return use(filters);
    refused?.();
    this.#closed(id, `invalid: ${filters}`);
  }

  async #request(id: string, filters: readonly Filter[], bytes: number): Promise<void> {
    const subscription = this.#open(id, filters, bytes);
    if (!subscription) return;
    const wanted = filters.filter((filter) => filter.limit !== 0);
    const stored = wanted.length === 0 ? [] : await this.#readStored(subscription, wanted);
    if (!stored || !(await this.#sendStored(subscription, stored))) return;
    this.#outbox.send("EOSE", `["EOSE",${JSON.stringify(id)}]`);
    subscription.startLive(stored);
  }

  /** Registers a subscription for live events; undefined when the connection may not open it. */
  #open(id: string, filters: readonly Filter[], bytes: number): Subscription | undefined {
    const { bounds, live, metrics } = this.#deps;
    this.#drop(id);
    if (!this.#hasRoom()) {
      metrics.rateLimited("req");
      this.#closed(id, "rate-limited: too many subscriptions");
      return undefined;
    }
    if (this.#subscriptionBytes + bytes > bounds.subscriptionBytes) {
      metrics.rateLimited("req");
      this.#closed(id, "rate-limited: the filters of all open subscriptions are too large");
      return undefined;
    }
    const subscription = new Subscription(id, filters, bytes, {
      outbox: this.#outbox,
      bounds,
      onOverflow: (overflowed) => this.#fail(overflowed, "error: more new events than could be held back"),
    });
    this.#subscriptions.set(id, subscription);
    this.#subscriptionBytes += bytes;
    live.add(subscription);
    metrics.subscriptions(1);
    return subscription;
  }

  /** Subscriptions and negentropy sessions share one bound. */
  #hasRoom(): boolean {
    return this.#subscriptions.size + this.#negentropy.size < this.#deps.limits.maxSubscriptions;
  }

  async #readStored(
    subscription: Subscription,
    filters: readonly Filter[],
  ): Promise<readonly string[] | undefined> {
    try {
      const { events } = await this.#deps.store.query(filters);
      // An event this query saw may be on its way through publish: let it reach the held-back ones.
      await nextTurn();
      return events;
    } catch (error) {
      this.#deps.log.error("reading stored events failed", { error: String(error) });
      this.#fail(subscription, "error: could not read stored events");
      return undefined;
    }
  }

  /** False when the subscription or the connection ended meanwhile. */
  async #sendStored(subscription: Subscription, texts: readonly string[]): Promise<boolean> {
    for (const [index, text] of texts.entries()) {
      if (!subscription.isOpen || !subscription.send(text)) return false;
      if (this.#outbox.isDraining && !(await this.#outbox.drained())) return false;
      if ((index + 1) % EVENTS_PER_TURN === 0) await nextTurn();
    }
    return subscription.isOpen;
  }

  async #count(id: string, filters: readonly Filter[]): Promise<void> {
    try {
      const count = await this.#deps.store.count(filters);
      await nextTurn();
      this.#outbox.send("COUNT", JSON.stringify(["COUNT", id, { count }]));
    } catch (error) {
      this.#deps.log.error("counting events failed", { error: String(error) });
      this.#closed(id, "error: could not count events");
    }
  }

  #fail(subscription: Subscription, reason: string): void {
    if (this.#subscriptions.get(subscription.id) === subscription) this.#drop(subscription.id);
    this.#closed(subscription.id, reason);
  }

  #closed(id: string, reason: string): void {
    this.#outbox.send("CLOSED", JSON.stringify(["CLOSED", id, reason]));
  }

  #drop(id: string): void {
    const subscription = this.#subscriptions.get(id);
    if (!subscription) return;
    this.#subscriptions.delete(id);
    this.#subscriptionBytes -= subscription.bytes;
    subscription.close();
    this.#deps.live.remove(subscription);
    this.#deps.metrics.subscriptions(-1);
  }
}

function refused(message: string): AdmitAnswer {
  return { id: undefined, accepted: false, message };
}

/** Bytes of `text` in UTF-8; counted only when the answer can matter for `limit`. */
function byteLength(text: string, limit: number): number {
  const isSurelyWithin = text.length * 3 <= limit;
  const isSurelyBeyond = text.length > limit;
  return isSurelyWithin || isSurelyBeyond ? text.length : Buffer.byteLength(text);
}
