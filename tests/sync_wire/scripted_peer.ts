import {
  compareNewestFirst,
  type Filter,
  matchesFilter,
  type NostrEvent,
  parseFilter,
} from "../../lib/nostr/mod.ts";
import { createItemSet, hexOf, type ItemSet, respond, type Sliced } from "../../lib/negentropy/mod.ts";
import type { Item } from "../../lib/store/types.ts";
import type { DialRequest, Network, PeerSocket } from "../../lib/world/mod.ts";
import type { VirtualClock } from "../support/virtual_clock.ts";

/** Start of the virtual clock, in seconds. */
export const NOW = 1_800_000_000;
const LATENCY_MS = 1;

/** A filter from its wire form. */
export function filter(fields: Record<string, unknown>): Filter {
  const parsed = parseFilter(fields);
  if (typeof parsed === "string") throw new Error(parsed);
  return parsed;
}

/** A frame as parsed JSON. */
export type Frame = readonly [string, ...unknown[]];

/** How a scripted peer misbehaves; without any rule it is a good relay. */
export interface PeerRules {
  /** Most events of one answer. */
  cap?: number;
  /** Most events of one answer to an `ids` filter. */
  idsCap?: number;
  /** NIP-11 document; absent: 404. */
  document?: Record<string, unknown>;
  /** Never answers the request for its document. */
  documentHangs?: boolean;
  negentropy?:
    | "yes"
    | "silent"
    | "notice"
    | "garbage"
    | "endless"
    | "version"
    | "blocked"
    | "closed"
    | "lies";
  /** Items above which `blocked` applies. */
  maxItems?: number;
  /** Takes a frame before the peer does; true: handled. */
  intercept?: (frame: Frame, peer: ScriptedPeer) => boolean;
  /** Sends no EOSE. */
  withoutEose?: boolean;
  /** Every message twice. */
  twice?: boolean;
}

/** A relay in memory behind one virtual socket. */
export class ScriptedPeer {
  readonly clock: VirtualClock;
  readonly events: NostrEvent[];
  readonly rules: PeerRules;
  /** What the link sent, in order. */
  readonly frames: Frame[] = [];
  /** Texts of NIP-11 requests. */
  documents = 0;
  isOpen = false;
  isPaused = false;
  /** False: what the link sends stays in its queue, although it is answered. */
  isReading = true;
  /** By the link. */
  sentBytes = 0;
  pauses = 0;
  /** Messages delivered although the link does not read. */
  deliversWhilePaused = true;
  #listener: DialRequest["listener"] | undefined;
  #queue: string[] = [];
  #isFlushing = false;
  readonly subscriptions = new Map<string, readonly Filter[]>();
  readonly #sets = new Map<string, ItemSet>();
  mostOpen = 0;

  constructor(clock: VirtualClock, events: readonly NostrEvent[] = [], rules: PeerRules = {}) {
    this.clock = clock;
    this.events = [...events];
    this.rules = rules;
  }

  /** Frames of one type the link sent. */
  sent(type: string): Frame[] {
    return this.frames.filter(([other]) => other === type);
  }

  /** REQs that ask for stored events, as [id, filter]. */
  historic(): { id: string; filter: Record<string, unknown> }[] {
    return this.sent("REQ").map(([, id, first]) => ({
      id: id as string,
      filter: first as Record<string, unknown>,
    })).filter(({ id }) => /^(h|ids)-/.test(id));
  }

  live(): Frame[] {
    return this.sent("REQ").filter(([, id]) => (id as string).startsWith("live-"));
  }

  /** Publishes: stores and sends to whoever subscribed. */
  publish(event: NostrEvent): void {
    this.events.push(event);
    for (const [id, filters] of this.subscriptions) {
      if (filters.some((one) => matchesFilter(one, event))) this.send("EVENT", id, event);
    }
  }

  /** Queues one message for the link. */
  send(...frame: unknown[]): void {
    this.raw(JSON.stringify(frame));
  }

  raw(text: string): void {
    this.#queue.push(text);
    if (this.rules.twice) this.#queue.push(text);
    void this.flush();
  }

  /** Delivers what is queued, unless the link does not read. */
  async flush(): Promise<void> {
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    await this.clock.sleep(LATENCY_MS);
    this.#isFlushing = false;
    while (this.isOpen && (!this.isPaused || this.deliversWhilePaused)) {
      const text = this.#queue.shift();
      if (text === undefined) return;
      this.#listener?.message(text);
    }
  }

  /** Ends the connection from the peer's side. */
  cut(reason = "reset"): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.subscriptions.clear();
    this.#listener?.closed(reason);
  }

  readonly network: Network = {
    dial: ({ listener }) => {
      this.#listener = listener;
      this.isOpen = true;
      this.#queue = [];
      const isReading = () => this.isReading;
      const sentBytes = () => this.sentBytes;
      const socket: PeerSocket = {
        get queuedBytes() {
          return isReading() ? 0 : sentBytes();
        },
        send: (text) => {
          this.sentBytes += text.length;
          if (this.isOpen) void this.clock.sleep(LATENCY_MS).then(() => this.#take(JSON.parse(text)));
        },
        pause: () => {
          this.isPaused = true;
          this.pauses++;
        },
        resume: () => {
          this.isPaused = false;
          void this.flush();
        },
        close: () => void this.clock.sleep(LATENCY_MS).then(() => this.cut("closed")),
      };
      return Promise.resolve({ ok: true, socket });
    },
    get: async ({ url, signal }) => {
      this.documents++;
      if (this.rules.documentHangs) await this.clock.sleep(5_000, signal);
      const { document } = this.rules;
      return {
        ok: true,
        status: document ? 200 : 404,
        headers: new Headers(),
        body: new TextEncoder().encode(JSON.stringify(document ?? {})),
        url,
      };
    },
    pin: () => Promise.resolve({ ok: false, fault: "dns", text: "not here" }),
  };

  #take(frame: Frame): void {
    if (!this.isOpen) return;
    this.frames.push(frame);
    if (!this.rules.intercept?.(frame, this)) this.answer(frame);
    this.mostOpen = Math.max(this.mostOpen, this.subscriptions.size + this.#sets.size);
  }

  /** Answers as a good relay does, apart from the rules. */
  answer(frame: Frame): void {
    const [type, id] = frame as [string, string];
    switch (type) {
      case "REQ":
        return this.#request(id, frame.slice(2));
      case "CLOSE":
        return void this.subscriptions.delete(id);
      case "NEG-OPEN":
        return this.#negotiate(id, frame[2], frame[3] as string);
      case "NEG-MSG":
        return this.#respond(id, frame[2] as string);
      case "NEG-CLOSE":
        return void this.#sets.delete(id);
    }
  }

  #request(id: string, values: readonly unknown[]): void {
    const filters = values.map((value) => filter(value as Record<string, unknown>));
    this.subscriptions.set(id, filters);
    const { cap = 500, idsCap = cap, withoutEose } = this.rules;
    for (const one of filters) {
      const limit = Math.min(one.limit ?? Infinity, one.ids ? idsCap : cap);
      const found = this.events.filter((event) => matchesFilter(one, event)).sort(compareNewestFirst);
      for (const event of found.slice(0, limit)) this.send("EVENT", id, event);
    }
    if (!withoutEose) this.send("EOSE", id);
  }

  #negotiate(id: string, value: unknown, hex: string): void {
    const { negentropy = "yes", maxItems = 0 } = this.rules;
    const items = itemsOf(this.events, filter(value as Record<string, unknown>));
    switch (negentropy) {
      case "silent":
        return;
      case "notice":
        return this.send("NOTICE", "ERROR: unknown message type NEG-OPEN");
      case "garbage":
        return this.send("NEG-MSG", id, "61zz");
      case "version":
        return this.send("NEG-MSG", id, "60");
      case "closed":
        return this.send("NEG-ERR", id, "closed: too slow");
      case "blocked":
        if (items.length > maxItems) return this.send("NEG-ERR", id, "blocked: this query is too big");
        break;
      case "lies":
        for (const n of [1, 2, 3]) items.push({ id: `${n}`.repeat(64), createdAt: NOW + n });
    }
    this.#sets.set(id, finish(createItemSet(items)));
    this.#respond(id, hex);
  }

  #respond(id: string, hex: string): void {
    const set = this.#sets.get(id);
    if (this.rules.negentropy === "endless") {
      // A fingerprint of everything that never matches.
      return this.send("NEG-MSG", id, "61" + "000001" + "ab".repeat(16));
    }
    if (!set) return this.send("NEG-ERR", id, "closed: unknown session");
    const answer = finish(respond(set, Uint8Array.fromHex(hex)));
    if ("malformed" in answer) throw new Error(answer.malformed);
    this.send("NEG-MSG", id, hexOf(answer));
  }
}

/** What a negotiation about a filter is about, in order. */
export function itemsOf(events: readonly NostrEvent[], one: Filter): Item[] {
  return events.filter((event) => matchesFilter(one, event))
    .map(({ id, created_at }) => ({ id, createdAt: created_at }))
    .sort((a, b) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1));
}

function finish<T>(work: Sliced<T>): T {
  for (;;) {
    const step = work.next();
    if (step.done) return step.value;
  }
}
