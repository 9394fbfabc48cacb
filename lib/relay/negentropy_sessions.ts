import { type Filter, parseFilter } from "../nostr/mod.ts";
import type { Logger } from "../observe/mod.ts";
import type { Clock } from "../world/mod.ts";
import { type NegentropyMessage, subscriptionIdProblem } from "./messages.ts";
import {
  createItemSet,
  hexOf,
  isUnsupportedVersion,
  type ItemSet,
  respond,
  runSliced,
  VERSION_MESSAGE,
} from "../negentropy/mod.ts";
import type { NegentropyCapacity } from "./negentropy_capacity.ts";
import type { Outbox } from "./outbox.ts";
import type { RelayBounds, RelayLimits, RelayMetrics, RelayStore } from "./ports.ts";
import { nextTurn } from "./turn.ts";

/** What the negentropy sessions of a connection need. */
export interface NegentropyDeps {
  readonly limits: RelayLimits;
  readonly bounds: RelayBounds;
  readonly store: RelayStore;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: RelayMetrics;
  readonly outbox: Outbox;
  readonly capacity: NegentropyCapacity;
  /** True while the connection may open one more subscription or session. */
  hasRoom(): boolean;
}

/** One open session: a snapshot of what is stored; every message carries the rest of its state. */
interface OpenSession {
  readonly set: ItemSet;
  readonly closed: AbortController;
  /** When its last message arrived, in ms. */
  usedAt: number;
}

const MALFORMED = "invalid: malformed message";
const TOO_BIG = "blocked: this query is too big";
const TOO_MANY = "blocked: too many sessions";

/**
 * The negentropy sessions of one connection (NIP-77, relay side). Problems are told with NEG-ERR
 * only, which ends the session it names and nothing else. Messages come one at a time.
 */
export class NegentropySessions {
  readonly #deps: NegentropyDeps;
  readonly #sessions = new Map<string, OpenSession>();

  constructor(deps: NegentropyDeps) {
    this.#deps = deps;
  }

  /** Number of open sessions. */
  get size(): number {
    return this.#sessions.size;
  }

  /** NEG-OPEN: takes a snapshot and answers the first message. */
  async open(open: NegentropyMessage): Promise<void> {
    const { id } = open;
    this.close(id);
    const idProblem = subscriptionIdProblem(id, this.#deps.limits.maxSubidLength);
    const filter = idProblem ?? parseFilter(open.filter);
    if (typeof filter === "string") return this.#fail(id, `invalid: ${filter}`);
    const message = parseHex(open.message);
    if (!message) return this.#fail(id, MALFORMED);
    if (isUnsupportedVersion(message)) return this.#send(id, VERSION_MESSAGE);
    if (!this.#deps.hasRoom()) return this.#refuse(id, TOO_MANY);
    const set = await this.#load(id, filter);
    if (!set) return;
    const session: OpenSession = { set, closed: new AbortController(), usedAt: this.#deps.clock.now() };
    this.#sessions.set(id, session);
    void this.#dropWhenIdle(id, session);
    await this.#respond(id, session, message);
  }

  /** NEG-MSG: answers the next message of an open session. */
  async answer({ id, message: hex }: NegentropyMessage): Promise<void> {
    const session = this.#sessions.get(id);
    if (!session) return this.#fail(id, "closed: unknown session");
    const message = parseHex(hex);
    if (message) await this.#respond(id, session, message);
    else this.#fail(id, MALFORMED);
  }

  /** NEG-CLOSE: frees a session; unknown ids are ignored. */
  close(id: string): void {
    const session = this.#sessions.get(id);
    if (!session) return;
    this.#sessions.delete(id);
    session.closed.abort();
    this.#deps.capacity.give(session.set.size);
  }

  /** Frees all sessions. */
  closeAll(): void {
    for (const id of [...this.#sessions.keys()]) this.close(id);
  }

  /** The snapshot with its room taken; undefined when there is none, which has been answered. */
  async #load(id: string, filter: Filter): Promise<ItemSet | undefined> {
    const { capacity, outbox, log } = this.#deps;
    let set: ItemSet | string | undefined;
    try {
      set = await capacity.exclusively(() => this.#loadAlone(filter));
    } catch (error) {
      log.error("reading the set of a reconciliation failed", { error: String(error) });
      this.#fail(id, "error: could not read stored events");
      return undefined;
    }
    if (typeof set !== "string") {
      if (!set || !outbox.ended.aborted) return set;
      capacity.give(set.size);
    } else this.#refuse(id, set);
    return undefined;
  }

  /** A text says why not; undefined when the connection has ended. */
  async #loadAlone(filter: Filter): Promise<ItemSet | string | undefined> {
    const { store, limits, capacity, outbox } = this.#deps;
    if (outbox.ended.aborted) return undefined;
    const items = await store.items(filter, limits.maxNegentropyItems);
    if (!items) return TOO_BIG;
    if (!capacity.take(items.length)) return TOO_MANY;
    let set: ItemSet | undefined;
    try {
      set = await runSliced(createItemSet(items), nextTurn, outbox.ended);
    } finally {
      if (!set) capacity.give(items.length);
    }
    return set;
  }

  async #respond(id: string, session: OpenSession, message: Uint8Array): Promise<void> {
    session.usedAt = this.#deps.clock.now();
    const answer = await runSliced(respond(session.set, message), nextTurn, session.closed.signal);
    if (!answer) return;
    if ("malformed" in answer) this.#fail(id, MALFORMED);
    else this.#send(id, answer);
  }

  async #dropWhenIdle(id: string, session: OpenSession): Promise<void> {
    const { clock, bounds } = this.#deps;
    while (!session.closed.signal.aborted) {
      // A wall clock that is set back must not keep a session for longer than usual.
      const left = Math.min(session.usedAt + bounds.negentropyIdleMs - clock.now(), bounds.negentropyIdleMs);
      if (left <= 0) return this.#fail(id, "closed: idle");
      await clock.sleep(left, session.closed.signal);
    }
  }

  #refuse(id: string, reason: string): void {
    this.#deps.metrics.rateLimited("req");
    this.#fail(id, reason);
  }

  #fail(id: string, reason: string): void {
    this.close(id);
    this.#deps.outbox.send("NEG-ERR", JSON.stringify(["NEG-ERR", id, reason]));
  }

  #send(id: string, message: Uint8Array): void {
    this.#deps.outbox.send("NEG-MSG", `["NEG-MSG",${JSON.stringify(id)},"${hexOf(message)}"]`);
  }
}

function parseHex(value: unknown): Uint8Array | undefined {
  if (typeof value !== "string") return undefined;
  try {
    return Uint8Array.fromHex(value);
  } catch {
    return undefined;
  }
}
