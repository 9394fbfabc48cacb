import assert from "node:assert/strict";
import {
  addressIdentifier,
  compareNewestFirst,
  expirationOf,
  type Filter,
  matchesFilter,
  type NostrEvent,
  serialiseEvent,
} from "../../lib/nostr/mod.ts";
import { event, filter, HandClock, key, NOW, put, withMemory } from "./fixtures.ts";

const EVENTS = 900;
const FILTERS = 3_200;
const DEFAULT_LIMIT = 25;
const MAX_LIMIT = 60;

/** A small seeded generator (mulberry32). */
class Dice {
  #state: number;
  constructor(seed: number) {
    this.#state = seed;
  }
  below(n: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % n;
  }
  chance(percent: number): boolean {
    return this.below(100) < percent;
  }
  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }
  some<T>(items: readonly T[], most: number): T[] {
    return [...new Set(Array.from({ length: this.below(most + 1) }, () => this.pick(items)))];
  }
}

const KINDS = [0, 1, 1, 1, 5, 1621, 10_317, 30_617, 30_618];
const NAMES = ["e", "E", "a", "d", "p", "t"];
const VALUES = ["", "a", "a\0b", "b", "\x01", "\ud800", "x:y", "1", key(3)];
const PUBKEYS = [1, 2, 3, 4, 5].map(key);

function randomEvent(dice: Dice, n: number): NostrEvent {
  const tags = Array.from({ length: dice.below(5) }, () => {
    const tag = [dice.pick(NAMES), dice.pick(VALUES), "extra"];
    return tag.slice(0, dice.chance(90) ? 2 + dice.below(2) : 1);
  });
  if (dice.chance(10)) tags.push(["expiration", String(NOW - 20 + dice.below(40))]);
  const kind = dice.pick(KINDS);
  return event({
    pubkey: dice.pick(PUBKEYS),
    kind,
    tags,
    created_at: NOW - dice.below(120),
    content: String(n),
  });
}

/** Values that match nothing, enough of them to make the store answer in its way for long lists. */
const FILLER = Array.from({ length: 70 }, (_, i) => 40_000 + i);

function padded<T>(dice: Dice, values: T[], fill: (n: number) => T): T[] {
  return values.length > 0 && dice.chance(15) ? [...values, ...FILLER.map(fill)] : values;
}

function randomFilter(dice: Dice, events: readonly NostrEvent[]): Filter {
  const tags: Record<string, string[]> = {};
  for (const name of dice.some(NAMES, dice.chance(50) ? 2 : 0)) {
    tags[name] = padded(dice, dice.some(VALUES, 4), String);
  }
  const from = NOW - dice.below(130);
  return filter({
    tags,
    ...(dice.chance(10) && { ids: dice.some(events, 80).map(({ id }) => id) }),
    ...(dice.chance(30) && { authors: padded(dice, dice.some([...PUBKEYS, key(77)], 3), key) }),
    ...(dice.chance(40) && { kinds: padded(dice, dice.some([...KINDS, 7], 4), Number) }),
    ...(dice.chance(20) && { since: from }),
    ...(dice.chance(20) && { until: from + dice.below(60) }),
    ...(dice.chance(50) && { limit: dice.below(MAX_LIMIT + 20) }),
  });
}

/** The obvious implementation: an array. */
class Oracle {
  #events: NostrEvent[] = [];

  insert(added: NostrEvent): string {
    if (this.#events.some(({ id }) => id === added.id)) return "duplicate";
    const address = coordinate(added);
    const current = address && this.#events.find((other) => coordinate(other) === address);
    if (current && compareNewestFirst(current, added) < 0) return "superseded";
    this.#events = [...this.#events.filter((other) => other !== current), added].sort(compareNewestFirst);
    return "stored";
  }

  matches(wanted: Filter): NostrEvent[] {
    return this.#events.filter((each) =>
      (expirationOf(each) ?? Infinity) > NOW && matchesFilter(wanted, each)
    );
  }

  query(filters: readonly Filter[]): string[] {
    const found = filters.flatMap((each) => this.matches(each).slice(0, limitOf(each)));
    return [...new Set(found)].sort(compareNewestFirst).map(serialiseEvent);
  }

  count(filters: readonly Filter[]): number {
    return new Set(filters.flatMap((each) => this.matches(each))).size;
  }
}

function coordinate(each: NostrEvent): string | undefined {
  const identifier = addressIdentifier(each);
  return identifier === undefined ? undefined : JSON.stringify([each.kind, each.pubkey, identifier]);
}

function limitOf({ ids, limit }: Filter): number {
  const asked = ids?.length ?? 0;
  return Math.min(limit ?? Math.max(asked, DEFAULT_LIMIT), Math.max(asked, MAX_LIMIT));
}

async function compare(seed: number): Promise<void> {
  await withMemory(async ({ store }) => {
    const dice = new Dice(seed);
    const oracle = new Oracle();
    const events: NostrEvent[] = [];
    for (let n = 0; n < EVENTS; n++) {
      events.push(dice.chance(5) && n > 0 ? dice.pick(events) : randomEvent(dice, n));
    }
    for (let at = 0; at < EVENTS;) {
      const unit = events.slice(at, at += 1 + dice.below(40));
      assert.deepEqual(await put(store, ...unit), unit.map((each) => oracle.insert(each)));
    }
    for (let n = 0; n < FILTERS; n++) {
      const filters = Array.from(
        { length: dice.chance(70) ? 1 : 2 + dice.below(3) },
        () => randomFilter(dice, events),
      );
      const shown = () => filters.map((each) => JSON.stringify({ ...each, tags: [...each.tags] })).join("\n");
      const { events: found } = await store.query(filters);
      const expected = oracle.query(filters);
      if (found.join() !== expected.join()) assert.deepEqual(found, expected, `query\n${shown()}`);
      assert.equal(await store.count(filters), oracle.count(filters), `count\n${shown()}`);
    }
  }, { limits: { defaultFilterLimit: DEFAULT_LIMIT, maxFilterLimit: MAX_LIMIT }, clock: new HandClock() });
}

Deno.test("R-7 R-15 random events and filters are answered as by a plain array with matchesFilter", async () => {
  const seed = Number(Deno.env.get("STORE_SEED") ?? 20_261_101);
  try {
    await compare(seed);
  } catch (cause) {
    throw new Error(`STORE_SEED=${seed} fails`, { cause });
  }
});
