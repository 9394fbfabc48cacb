import { type Filter, matchesFilter, type NostrEvent } from "../nostr/mod.ts";

/** One open subscription, as the index of live subscriptions sees it. */
export interface LiveSubscription {
  readonly filters: readonly Filter[];
  /** Takes one matching event; `text` is its stored JSON text. Must not throw or wait. */
  deliver(event: NostrEvent, text: string): void;
}

/** One filter under one or more keys of the index. */
interface Entry {
  readonly owner: Owner;
  readonly filter: Filter;
}

interface Owner {
  readonly subscription: LiveSubscription;
  /** Number of the last publish delivered here: each event arrives once, however many filters match. */
  lastPublish: number;
  readonly placements: { readonly key: string; readonly entry: Entry }[];
}

const ANY = "*";

/**
 * The live subscriptions of all connections, indexed so that publishing costs what its candidates
 * cost: every filter stands under the values of its most selective field only.
 */
export class LiveSubscriptions {
  readonly #owners = new Map<LiveSubscription, Owner>();
  readonly #index = new Map<string, Set<Entry>>();
  #publishes = 0;

  /** Number of open subscriptions. */
  get size(): number {
    return this.#owners.size;
  }

  /** Number of keys in the index: 0 when nobody subscribes. */
  get indexSize(): number {
    return this.#index.size;
  }

  /** Starts delivering to `subscription`; adding it twice has no effect. */
  add(subscription: LiveSubscription): void {
    if (this.#owners.has(subscription)) return;
    const owner: Owner = { subscription, lastPublish: 0, placements: [] };
    this.#owners.set(subscription, owner);
    for (const filter of subscription.filters) {
      const entry: Entry = { owner, filter };
      for (const key of keysOf(filter)) {
        let entries = this.#index.get(key);
        if (!entries) this.#index.set(key, entries = new Set());
        entries.add(entry);
        owner.placements.push({ key, entry });
      }
    }
  }

  /** Stops delivering to `subscription`; unknown ones are ignored. */
  remove(subscription: LiveSubscription): void {
    const owner = this.#owners.get(subscription);
    if (!owner) return;
    this.#owners.delete(subscription);
    for (const { key, entry } of owner.placements) {
      const entries = this.#index.get(key);
      entries?.delete(entry);
      if (entries?.size === 0) this.#index.delete(key);
    }
  }

  /**
   * Delivers an event to every subscription it matches, once each. To keep "stored or live, never
   * twice" the caller publishes right after the commit resolved, without waiting for I/O between.
   */
  publish(event: NostrEvent, text: string): void {
    const publish = ++this.#publishes;
    for (const key of candidateKeys(event)) {
      const entries = this.#index.get(key);
      if (!entries) continue;
      for (const { owner, filter } of entries) {
        if (owner.lastPublish === publish || !matchesFilter(filter, event)) continue;
        owner.lastPublish = publish;
        owner.subscription.deliver(event, text);
      }
    }
  }
}

/** The keys a filter stands under; none when it can match nothing. */
function keysOf(filter: Filter): string[] {
  const lists: string[][] = [];
  if (filter.ids) lists.push(filter.ids.map(idKey));
  if (filter.authors) lists.push(filter.authors.map(authorKey));
  for (const [name, values] of filter.tags) lists.push(values.map((value) => tagKey(name, value)));
  // Kinds match many events each, so they select only where nothing better does.
  if (lists.length === 0) return filter.kinds ? filter.kinds.map(kindKey) : [ANY];
  if (filter.kinds?.length === 0) return [];
  return lists.reduce((best, list) => list.length < best.length ? list : best);
}

function candidateKeys(event: NostrEvent): Set<string> {
  const keys = new Set([ANY, idKey(event.id), authorKey(event.pubkey), kindKey(event.kind)]);
  for (const [name, value] of event.tags) {
    if (name?.length === 1 && value !== undefined) keys.add(tagKey(name, value));
  }
  return keys;
}

const idKey = (id: string): string => `i${id}`;
const authorKey = (pubkey: string): string => `p${pubkey}`;
const kindKey = (kind: number): string => `k${kind}`;
const tagKey = (name: string, value: string): string => `#${name}${value}`;
