import type { Filter, NostrEvent } from "../nostr/mod.ts";
import type { LiveSubscription } from "./live.ts";
import { storedEventId } from "./messages.ts";
import type { Outbox } from "./outbox.ts";
import { FILTER_VALUE_BYTES, type RelayBounds } from "./ports.ts";

/** What a subscription needs of its connection. */
export interface SubscriptionDeps {
  readonly outbox: Outbox;
  readonly bounds: RelayBounds;
  /** Called once when more live events arrive before EOSE than may be held back. */
  onOverflow(subscription: Subscription): void;
}

/** What a subscription takes in memory, roughly: in a message a value may be two characters long. */
export function subscriptionBytes(messageLength: number, filters: readonly Filter[]): number {
  let values = filters.length;
  for (const { ids, authors, kinds, tags } of filters) {
    for (const list of [ids, authors, kinds, ...tags.values()]) values += list?.length ?? 0;
  }
  return messageLength + values * FILTER_VALUE_BYTES;
}

/**
 * One open subscription of one connection. It is registered for live events before its stored ones
 * are read, and holds live events back until EOSE: nothing is missed in between, and what was also
 * found in the store is left out.
 */
export class Subscription implements LiveSubscription {
  readonly id: string;
  readonly filters: readonly Filter[];
  /** See {@link subscriptionBytes}; counted against the bound of the connection. */
  readonly bytes: number;
  readonly #deps: SubscriptionDeps;
  readonly #frameHead: string;
  /** Texts that wait for EOSE, by event id; undefined afterwards. */
  #held: Map<string, string> | undefined = new Map();
  #heldBytes = 0;
  #open = true;

  constructor(id: string, filters: readonly Filter[], bytes: number, deps: SubscriptionDeps) {
    this.id = id;
    this.filters = filters;
    this.bytes = bytes;
    this.#deps = deps;
    this.#frameHead = `["EVENT",${JSON.stringify(id)},`;
  }

  /** False once closed, replaced or overflowed. */
  get isOpen(): boolean {
    return this.#open;
  }

  /** Takes a live event: sends it, or before EOSE holds it back. */
  deliver(event: NostrEvent, text: string): void {
    if (!this.#open) return;
    if (!this.#held) {
      this.send(text);
      return;
    }
    this.#held.set(event.id, text);
    this.#heldBytes += text.length;
    const { heldEvents, heldBytes } = this.#deps.bounds;
    if (this.#held.size <= heldEvents && this.#heldBytes <= heldBytes) return;
    this.close();
    this.#deps.onOverflow(this);
  }

  /** Sends one stored or live event text as it is; false when the connection has ended. */
  send(text: string): boolean {
    return this.#deps.outbox.send("EVENT", `${this.#frameHead}${text}]`);
  }

  /** After EOSE: sends what was held back and was not among the `stored` texts already sent. */
  startLive(stored: readonly string[]): void {
    const held = this.#held;
    this.#held = undefined;
    if (!held?.size) return;
    for (const text of stored) held.delete(storedEventId(text));
    for (const text of held.values()) {
      if (!this.send(text)) return;
    }
  }

  /** Nothing is delivered from here on. */
  close(): void {
    this.#open = false;
    this.#held = undefined;
  }
}
