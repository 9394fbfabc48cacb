import type { NostrEvent } from "../../lib/nostr/mod.ts";
import { event, key, NOW } from "../store/fixtures.ts";
import type { Dice } from "./dice.ts";
import type { WireFilter } from "./oracle.ts";

/** How far time moves while one world is queried, in seconds: some events expire on the way. */
export const QUERIED_SECONDS = 20;

const KINDS = [0, 1, 1, 1, 5, 1621, 10_317, 30_617, 30_618];
const NAMES = ["e", "E", "a", "d", "p", "t"];
const VALUES = ["", "a", "a\0b", "b", "\x01", "\ud800", "x:y", "1", key(3)];
const PUBKEYS = [1, 2, 3, 4, 5].map(key);
/** Longest list of a filter that is picked from real values, beyond {@link FILLER}. */
const MOST_IDS = 80;
/** Values that match nothing, enough of them to make the store answer in its way for long lists. */
const FILLER = Array.from({ length: 70 }, (_, i) => 40_000 + i);

/** Events of one world, some of them twice; few values each, so that filters meet them often. */
export function randomEvents(dice: Dice, count: number): NostrEvent[] {
  const events: NostrEvent[] = [];
  for (let n = 0; n < count; n++) {
    events.push(dice.chance(5) && n > 0 ? dice.pick(events) : randomEvent(dice, n));
  }
  return events;
}

function randomEvent(dice: Dice, n: number): NostrEvent {
  const tags = Array.from({ length: dice.below(5) }, () => {
    const tag = [dice.pick(NAMES), dice.pick(VALUES), "extra"];
    return tag.slice(0, dice.chance(90) ? 2 + dice.below(2) : 1);
  });
  if (dice.chance(10)) tags.push(["expiration", String(NOW - 20 + dice.below(40 + QUERIED_SECONDS))]);
  return event({
    pubkey: dice.pick(PUBKEYS),
    kind: dice.pick(KINDS),
    tags,
    created_at: NOW - dice.below(120),
    content: String(n),
  });
}

/** The filters of one REQ or COUNT as a client writes them, mostly one. */
export function randomFilters(dice: Dice, events: readonly NostrEvent[], maxLimit: number): WireFilter[] {
  const count = dice.chance(70) ? 1 : 2 + dice.below(3);
  return Array.from({ length: count }, () => randomFilter(dice, events, maxLimit));
}

function randomFilter(dice: Dice, events: readonly NostrEvent[], maxLimit: number): WireFilter {
  const tags: Record<string, string[]> = {};
  for (const name of dice.some(NAMES, dice.chance(50) ? 2 : 0)) {
    tags[`#${name}`] = padded(dice, dice.some(VALUES, 4), String);
  }
  const from = NOW - dice.below(130);
  return {
    ...tags,
    ...(dice.chance(10) && { ids: dice.some(events, MOST_IDS).map(({ id }) => id) }),
    ...(dice.chance(30) && { authors: padded(dice, dice.some([...PUBKEYS, key(77)], 3), key) }),
    ...(dice.chance(40) && { kinds: padded(dice, dice.some([...KINDS, 7], 4), Number) }),
    ...(dice.chance(20) && { since: from }),
    ...(dice.chance(20) && { until: from + dice.below(60) }),
    ...(dice.chance(50) && { limit: dice.below(maxLimit + 20) }),
  };
}

function padded<T>(dice: Dice, values: T[], fill: (n: number) => T): T[] {
  return values.length > 0 && dice.chance(15) ? [...values, ...FILLER.map(fill)] : values;
}
