import { type Filter, type NostrEvent, parseFilter, serialiseEvent } from "../../lib/nostr/mod.ts";
import { LiveSubscriptions } from "../../lib/relay/live.ts";
import type { Store } from "../../lib/store/mod.ts";
import { HandClock, NOW, put, withMemory } from "../store/fixtures.ts";
import { Dice } from "./dice.ts";
import { QUERIED_SECONDS, randomEvents, randomFilters } from "./generator.ts";
import { matches, Oracle, type WireFilter } from "./oracle.ts";

const EVENTS = 900;
const FILTERS_PER_WORLD = 4_000;
/** Open subscriptions while events are published, and how many events that is. */
const SUBSCRIPTIONS = 120;
const PUBLISHED = 100;
const LIMITS = { defaultFilterLimit: 25, maxFilterLimit: 60 };

/** What to compare. */
export interface FuzzOptions {
  readonly seed: number;
  /** At least so many filters are tried. */
  readonly filters: number;
  /** First world to look at; the same seed and world give the same events and filters. */
  readonly world?: number;
  /** Called after every world with the number of filters tried so far. */
  readonly progress?: (filters: number, world: number) => void;
}

/** Where product and oracle part. */
export interface Difference {
  readonly seed: number;
  readonly world: number;
  /** Filters the world was to try: part of what makes it repeatable. */
  readonly most: number;
  readonly what: "insert" | "query" | "count" | "live";
  readonly filters: readonly WireFilter[];
  readonly expected: unknown;
  readonly actual: unknown;
}

/** Compares stored queries, COUNT and live delivery with the oracle until enough filters were tried. */
export async function fuzz(options: FuzzOptions): Promise<Difference | undefined> {
  let tried = 0;
  for (let world = options.world ?? 0; tried < options.filters; world++) {
    const most = Math.min(FILTERS_PER_WORLD, options.filters - tried);
    const result = await runWorld(options.seed, world, most);
    if (typeof result !== "number") return { seed: options.seed, world, most, ...result };
    tried += result;
    options.progress?.(tried, world);
  }
  return undefined;
}

type Found = Omit<Difference, "seed" | "world" | "most">;

/** One database: fills it, then asks. The number of filters tried, or the first difference. */
async function runWorld(seed: number, world: number, most: number): Promise<number | Found> {
  const dice = new Dice(Math.imul(seed, 0x9e3779b1) + world);
  const clock = new HandClock();
  let result: number | Found = 0;
  await withMemory(async ({ store }) => {
    const oracle = new Oracle(LIMITS);
    const events = randomEvents(dice, EVENTS);
    result = await fill(dice, store, oracle, events) ?? 0;
    let live: LiveCheck | undefined;
    while (typeof result === "number" && result < most) {
      const wire = randomFilters(dice, events, LIMITS.maxFilterLimit);
      const now = NOW + Math.floor(QUERIED_SECONDS * result / FILTERS_PER_WORLD);
      clock.time = now * 1000;
      const filters = wire.map(parsed);
      live ??= new LiveCheck();
      live.add(wire, filters);
      let found = await compareStored(store, oracle, { wire, filters, now });
      if (live.size === SUBSCRIPTIONS) {
        found ??= live.publish(Array.from({ length: PUBLISHED }, () => dice.pick(events)));
        live = undefined;
      }
      result = found ?? result + wire.length;
    }
    if (typeof result === "number") result = live?.publish(events.slice(0, PUBLISHED)) ?? result;
  }, { limits: LIMITS, clock });
  return result;
}

async function fill(
  dice: Dice,
  store: Store,
  oracle: Oracle,
  events: readonly NostrEvent[],
): Promise<Found | undefined> {
  for (let at = 0; at < events.length;) {
    const unit = events.slice(at, at += 1 + dice.below(40));
    const actual = await put(store, ...unit);
    const expected = unit.map((each) => oracle.insert(each));
    if (actual.join() !== expected.join()) return { what: "insert", filters: [], expected, actual };
  }
  return undefined;
}

interface Question {
  readonly wire: readonly WireFilter[];
  readonly filters: readonly Filter[];
  /** Seconds. */
  readonly now: number;
}

async function compareStored(
  store: Store,
  oracle: Oracle,
  { wire, filters, now }: Question,
): Promise<Found | undefined> {
  const actual = (await store.query(filters)).events;
  const expected = oracle.query(wire, now).map(serialiseEvent);
  if (actual.join() !== expected.join()) return { what: "query", filters: wire, expected, actual };
  const counted = await store.count(filters);
  const count = oracle.count(wire, now);
  return counted === count ? undefined : { what: "count", filters: wire, expected: count, actual: counted };
}

/** Many open subscriptions, as one connection after another would open them. */
class LiveCheck {
  readonly #live = new LiveSubscriptions();
  readonly #open: { readonly wire: readonly WireFilter[]; readonly received: NostrEvent[] }[] = [];

  get size(): number {
    return this.#open.length;
  }

  add(wire: readonly WireFilter[], filters: readonly Filter[]): void {
    const received: NostrEvent[] = [];
    this.#live.add({ filters, deliver: (event) => void received.push(event) });
    this.#open.push({ wire, received });
  }

  publish(events: readonly NostrEvent[]): Found | undefined {
    for (const event of events) this.#live.publish(event, serialiseEvent(event));
    for (const { wire, received } of this.#open) {
      const wanted = events.filter((event) => wire.some((filter) => matches(filter, event)));
      const [expected, actual] = [wanted, received].map((list) => list.map(({ id }) => id));
      if (expected!.join() !== actual!.join()) return { what: "live", filters: wire, expected, actual };
    }
    return undefined;
  }
}

function parsed(wire: WireFilter): Filter {
  const filter = parseFilter(JSON.parse(JSON.stringify(wire)));
  if (typeof filter === "string") throw new Error(`${filter}: ${JSON.stringify(wire)}`);
  return filter;
}

/** A difference for people, ending with the command that shows it again. */
export function describe({ seed, world, most, what, filters, expected, actual }: Difference): string {
  return [
    `${what} differs from the oracle`,
    ...filters.map((filter) => `  filter   ${JSON.stringify(filter)}`),
    `  expected ${JSON.stringify(expected)}`,
    `  actual   ${JSON.stringify(actual)}`,
    `again: deno task fuzz --seed ${seed} --world ${world} --filters ${most}`,
  ].join("\n");
}
