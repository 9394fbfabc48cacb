import type { NostrEvent } from "../../lib/nostr/mod.ts";

/** A filter as it stands in a REQ (NIP-01), tag conditions under `#x`. */
export type WireFilter = Readonly<Record<string, readonly string[] | readonly number[] | number>>;

/** The bounds a server puts on one filter. */
export interface OracleLimits {
  readonly defaultFilterLimit: number;
  readonly maxFilterLimit: number;
}

/**
 * What a relay has to answer, in the most obvious way: an array and NIP-01 read aloud. It shares no
 * code with the product, so that a mistake cannot hide in both.
 */
export class Oracle {
  readonly #limits: OracleLimits;
  #events: readonly NostrEvent[] = [];

  constructor(limits: OracleLimits) {
    this.#limits = limits;
  }

  /** Stores one event; says what became of it. */
  insert(added: NostrEvent): "stored" | "duplicate" | "superseded" {
    if (this.#events.some(({ id }) => id === added.id)) return "duplicate";
    const address = addressOf(added);
    const current = address && this.#events.find((other) => addressOf(other) === address);
    if (current && newestFirst(current, added) < 0) return "superseded";
    this.#events = [...this.#events.filter((other) => other !== current), added].sort(newestFirst);
    return "stored";
  }

  /** What a REQ at `now` (seconds) is answered with, in order. */
  query(filters: readonly WireFilter[], now: number): NostrEvent[] {
    const found = filters.flatMap((filter) => this.#matching(filter, now).slice(0, this.#limitOf(filter)));
    return [...new Set(found)].sort(newestFirst);
  }

  /** What a COUNT at `now` (seconds) is answered with (NIP-45): limits play no part. */
  count(filters: readonly WireFilter[], now: number): number {
    return new Set(filters.flatMap((filter) => this.#matching(filter, now))).size;
  }

  #matching(filter: WireFilter, now: number): NostrEvent[] {
    return this.#events.filter((event) => !isExpired(event, now) && matches(filter, event));
  }

  /** As many ids as are asked for may always be returned. */
  #limitOf({ ids, limit }: WireFilter): number {
    const asked = Array.isArray(ids) ? ids.length : 0;
    const wanted = typeof limit === "number" ? limit : Math.max(asked, this.#limits.defaultFilterLimit);
    return Math.min(wanted, Math.max(asked, this.#limits.maxFilterLimit));
  }
}

/** NIP-01: every condition holds; lists hold when one of their values does. */
export function matches(filter: WireFilter, event: NostrEvent): boolean {
  return Object.entries(filter).every(([name, wanted]) => {
    if (name === "limit") return true;
    if (name === "since") return event.created_at >= Number(wanted);
    if (name === "until") return event.created_at <= Number(wanted);
    const values: readonly unknown[] = Array.isArray(wanted) ? wanted : [];
    if (name === "ids") return values.includes(event.id);
    if (name === "authors") return values.includes(event.pubkey);
    if (name === "kinds") return values.includes(event.kind);
    return event.tags.some(([tag, value]) => `#${tag}` === name && values.includes(value));
  });
}

function newestFirst(a: NostrEvent, b: NostrEvent): number {
  return b.created_at - a.created_at || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
}

/** Events with the same address replace each other. */
function addressOf({ kind, pubkey, tags }: NostrEvent): string | undefined {
  if (kind === 0 || kind === 3 || (kind >= 10_000 && kind < 20_000)) return JSON.stringify([kind, pubkey]);
  if (kind < 30_000 || kind >= 40_000) return undefined;
  return JSON.stringify([kind, pubkey, tags.find(([name]) => name === "d")?.[1] ?? ""]);
}

function isExpired({ tags }: NostrEvent, now: number): boolean {
  const time = tags.find(([name]) => name === "expiration")?.[1];
  return time !== undefined && Number(time) <= now;
}
