import { type Filter, matchesFilter, type NostrEvent, parseEvent, parseFilter } from "../../lib/nostr/mod.ts";
import { type Clock, systemClock } from "../../lib/world/mod.ts";
import { EventShelf } from "./event_shelf.ts";
import { PeerNegotiations } from "./peer_negotiations.ts";
import type { Quirks } from "./quirks.ts";

export type { Quirks } from "./quirks.ts";

/** One WebSocket as a peer sees it, over whatever carries it. */
export interface PeerEnd {
  send(text: string): void;
  close(): void;
}

/** A message of the client: its type, subscription id and the rest. */
export type ClientMessage = readonly unknown[];

/** What a rule does instead of what a relay would do. */
export interface Rule {
  readonly when: (message: ClientMessage, talk: Conversation) => boolean;
  readonly act: (message: ClientMessage, talk: Conversation) => Promise<void> | void;
  /** How often it applies; default: always. */
  readonly times?: number;
}

/**
 * A relay that does as it is told: without rules and quirks it accepts, stores and serves every event
 * without any policy (NIP-01, NIP-11, NIP-42, NIP-77). It shares its state among its connections and
 * knows no socket, so that it runs over a real one or in memory.
 */
export class ScriptedPeer {
  readonly shelf = new EventShelf();
  /** Steady misbehaviour; changed at run time to make it fall ill or heal. */
  quirks: Quirks = {};
  /** Looked at before anything else; the first that matches acts. */
  readonly rules: Rule[] = [];
  readonly conversations = new Set<Conversation>();
  readonly clock: Clock;
  /** AUTH events received (NIP-42). */
  readonly authentications: NostrEvent[] = [];
  readonly #used = new Map<Rule, number>();

  constructor(clock: Clock = systemClock) {
    this.clock = clock;
  }

  /** Somebody connected. */
  accept(end: PeerEnd): Conversation {
    const talk = new Conversation(this, end);
    this.conversations.add(talk);
    talk.begin();
    return talk;
  }

  /** Stores an event without telling anybody, as if it had been there before. */
  hold(...events: readonly NostrEvent[]): void {
    for (const event of events) this.shelf.put(event);
  }

  /** An event is published here: stored, and sent to subscribers. */
  publish(...events: readonly NostrEvent[]): void {
    for (const event of events) {
      if (!this.shelf.put(event)) continue;
      for (const talk of this.conversations) talk.offer(event);
    }
  }

  /** Runs the first rule that matches; false when none does. */
  async obey(message: ClientMessage, talk: Conversation): Promise<boolean> {
    const rule = this.rules.find((rule) =>
      (this.#used.get(rule) ?? 0) < (rule.times ?? Infinity) && rule.when(message, talk)
    );
    if (!rule) return false;
    this.#used.set(rule, (this.#used.get(rule) ?? 0) + 1);
    await rule.act(message, talk);
    return true;
  }
}

/** One connection to a {@link ScriptedPeer}. */
export class Conversation {
  readonly peer: ScriptedPeer;
  readonly subscriptions = new Map<string, readonly Filter[]>();
  readonly #end: PeerEnd;
  readonly #negotiations: PeerNegotiations;
  readonly #closed = new AbortController();
  #received = 0;
  #last: Promise<void> = Promise.resolve();
  #authenticated = false;
  readonly #challenge = crypto.randomUUID();

  constructor(peer: ScriptedPeer, end: PeerEnd) {
    this.peer = peer;
    this.#end = end;
    this.#negotiations = new PeerNegotiations(this);
  }

  get closed(): AbortSignal {
    return this.#closed.signal;
  }

  /** Sends one message, or raw text. */
  send(message: ClientMessage | string): void {
    if (this.closed.aborted) return;
    this.#end.send(typeof message === "string" ? message : JSON.stringify(message));
  }

  /** Hangs up. */
  close(): void {
    if (this.closed.aborted) return;
    this.ended();
    this.#end.close();
  }

  /** To be called when the other side is gone. */
  ended(): void {
    this.#closed.abort();
    this.peer.conversations.delete(this);
  }

  begin(): void {
    const { auth, closesAfterMs } = this.peer.quirks;
    if (auth) this.send(["AUTH", this.#challenge]);
    if (closesAfterMs === undefined) return;
    void this.peer.clock.sleep(closesAfterMs, this.closed).then(() => this.close());
  }

  /** Takes one text message; they are handled in order. */
  receive(text: string): void {
    this.#last = this.#last.then(() => this.#handle(text));
  }

  /** Sends a live event to the subscriptions it matches. */
  offer(event: NostrEvent): void {
    for (const [id, filters] of this.subscriptions) {
      if (filters.some((filter) => matchesFilter(filter, event))) this.send(["EVENT", id, event]);
    }
  }

  /** What a relay would do, quirks included; for rules that only add something. */
  async proceed(message: ClientMessage): Promise<void> {
    const [type, id] = message;
    if (type === "REQ") await this.#request(String(id), message.slice(2));
    else if (type === "CLOSE") this.subscriptions.delete(String(id));
    else if (type === "EVENT") this.#publish(message[1]);
    else if (type === "AUTH") this.#authenticate(message[1]);
    else if (String(type).startsWith("NEG-")) this.#negotiations.handle(message);
    else this.send(["NOTICE", "unknown message"]);
  }

  /** Sends the stored events of a REQ, without an EOSE. */
  sendStored(id: string, filters: readonly Filter[]): void {
    const sent = new Set<string>();
    for (const filter of filters) {
      for (const event of this.#stored(filter)) {
        if (!sent.has(event.id)) this.send(["EVENT", id, event]);
        sent.add(event.id);
      }
    }
  }

  async #handle(text: string): Promise<void> {
    const { quirks } = this.peer;
    if (this.closed.aborted || quirks.deaf) return;
    if (quirks.dropAfter !== undefined && this.#received++ >= quirks.dropAfter) return this.close();
    const message = JSON.parse(text) as ClientMessage;
    if (!await this.peer.obey(message, this)) await this.proceed(message);
  }

  async #request(id: string, sources: readonly unknown[]): Promise<void> {
    const { quirks, clock } = this.peer;
    const filters = sources.map(parseFilter);
    if (filters.some((filter) => typeof filter === "string")) {
      return this.send(["CLOSED", id, `invalid: ${filters.find((filter) => typeof filter === "string")}`]);
    }
    const refusal = this.#refusal(id, filters as Filter[]);
    if (refusal) return this.send(["CLOSED", id, refusal]);
    this.subscriptions.set(id, filters as Filter[]);
    this.sendStored(id, filters as Filter[]);
    const { eose = "once" } = quirks;
    if (eose === "never") return;
    if (typeof eose === "number") await clock.sleep(eose, this.closed);
    this.send(["EOSE", id]);
    if (eose === "twice") this.send(["EOSE", id]);
  }

  #refusal(id: string, filters: readonly Filter[]): string | undefined {
    const { auth, maxSubscriptions = Infinity, refusesLimitZero } = this.peer.quirks;
    if (auth && !this.#authenticated) return "auth-required: please authenticate";
    const others = this.subscriptions.size - (this.subscriptions.has(id) ? 1 : 0) + this.#negotiations.size;
    if (others >= maxSubscriptions) return "error: too many concurrent subscriptions";
    if (refusesLimitZero && filters.some(({ limit }) => limit === 0)) {
      return "invalid: limit must be positive";
    }
    return undefined;
  }

  #stored(filter: Filter): readonly NostrEvent[] {
    const { cap, idsCap, unserved, storedForLimitZero } = this.peer.quirks;
    const { limit, ...rest } = filter;
    const wanted = limit === 0 && storedForLimitZero ? rest : filter;
    const most = Math.min(cap ?? Infinity, filter.ids ? idsCap ?? Infinity : Infinity);
    return this.peer.shelf.query(wanted, most).filter(({ id }) =>
      unserved === undefined || !filter.ids || (unserved !== "all" && !unserved.has(id))
    );
  }

  #publish(value: unknown): void {
    const parsed = parseEvent(value);
    if (!parsed.ok) return this.send(["NOTICE", "invalid: malformed event"]);
    this.peer.publish(parsed.event);
    this.send(["OK", parsed.event.id, true, ""]);
  }

  #authenticate(value: unknown): void {
    const parsed = parseEvent(value);
    if (!parsed.ok) return this.send(["NOTICE", "invalid: malformed event"]);
    const { event } = parsed;
    this.peer.authentications.push(event);
    const answered = event.tags.some(([name, text]) => name === "challenge" && text === this.#challenge);
    const accepted = answered && this.peer.quirks.auth === "accept";
    this.#authenticated ||= accepted;
    this.send(["OK", event.id, accepted, accepted ? "" : "restricted: not on the list"]);
  }
}
