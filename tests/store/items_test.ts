import assert from "node:assert/strict";
import { setImmediate } from "node:timers";
import { createClient } from "@libsql/client";
import { type Filter, type NostrEvent, parseFilter } from "../../lib/nostr/mod.ts";
import { matchesBetween, placeAhead, walksOf } from "../../lib/store/item_sql.ts";
import type { Item, Store } from "../../lib/store/mod.ts";
import { Dice } from "../fuzz/dice.ts";
import { randomEvents, randomFilters } from "../fuzz/generator.ts";
import { Oracle } from "../fuzz/oracle.ts";
import { eachStore } from "./each_store.ts";
import { event, filter, HandClock, key, NOW, open, put, withDirectory, withMemory } from "./fixtures.ts";

const FILTERS = 1_500;
const ALL = 1_000_000;

function oldestFirst(events: readonly NostrEvent[]): Item[] {
  return events.map(({ id, created_at }) => ({ id, createdAt: created_at }))
    .sort((a, b) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1));
}

/** Stores `count` events of few authors and seconds. */
async function fill(store: Store, count: number, more: Partial<NostrEvent> = {}): Promise<NostrEvent[]> {
  const events = Array.from({ length: count }, (_, n) =>
    event({
      kind: 1621,
      pubkey: key(n % 3),
      created_at: NOW - (n % 2),
      content: String(n),
      tags: [["e", key(n % 2)], ["e", key(2 + n % 3)]],
      ...more,
    }));
  assert.deepEqual(new Set(await put(store, ...events)), new Set(["stored"]));
  return events;
}

Deno.test("R-21 the items of a filter are all its unexpired matches, as a plain array finds them", () =>
  withMemory(async ({ store }) => {
    const dice = new Dice(20_261_121);
    const oracle = new Oracle({ defaultFilterLimit: Infinity, maxFilterLimit: Infinity });
    const events = randomEvents(dice, 900);
    await put(store, ...events);
    for (const each of events) oracle.insert(each);
    for (let n = 0; n < FILTERS; n++) {
      const { limit: _, ...wire } = randomFilters(dice, events, 60)[0]!;
      const parsed = parseFilter({ ...wire, limit: dice.below(5) }) as Filter;
      const expected = oldestFirst(oracle.query([wire], NOW));
      assert.deepEqual(await store.items(parsed, ALL), expected, JSON.stringify(wire));
    }
  }, { clock: new HandClock() }));

Deno.test(
  "R-21 2,000 matches are 2,000 items although the filter has a limit of 10",
  eachStore(async ({ store }) => {
    const events = await fill(store, 2_000);
    const wide = [
      filter({ limit: 10 }),
      filter({ kinds: [1621, 1, 1621], limit: 10 }),
      filter({ authors: [key(0), key(1), key(2)], limit: 0 }),
      filter({ authors: [key(0), key(1), key(2)], kinds: [1621], limit: 10 }),
      filter({ tags: { e: [key(0), key(1), key(2), key(3), key(4), key(0)] }, limit: 10 }),
      filter({ ids: events.map(({ id }) => id), limit: 10 }),
    ];
    for (const each of wide) assert.deepEqual(await store.items(each, 2_000), oldestFirst(events));
    const ofOne = events.filter(({ pubkey }) => pubkey === key(1));
    assert.deepEqual(
      await store.items(filter({ authors: [key(1)], limit: 10 }), ALL),
      oldestFirst(ofOne),
    );
  }),
);

Deno.test(
  "more matches than the maximum are undefined, as many are all returned, none are an empty list",
  eachStore(async ({ store }) => {
    await fill(store, 30);
    for (const each of [filter(), filter({ tags: { e: [key(0), key(1)] } })]) {
      assert.equal(await store.items(each, 29), undefined);
      assert.equal((await store.items(each, 30))?.length, 30);
    }
    assert.deepEqual(await store.items(filter({ kinds: [7] }), 0), []);
    assert.deepEqual(await store.items(filter({ kinds: [] }), 0), []);
  }),
);

Deno.test(
  "ids that begin alike within one second are neither lost nor doubled between slices",
  eachStore(async ({ store }) => {
    const events = Array.from({ length: 1_300 }, (_, n) =>
      event({
        content: String(n),
        id: (n < 40 ? "0" : n < 1_200 ? "7" : "f").repeat(40) + key(n).slice(40),
        created_at: NOW,
      }));
    await put(store, ...events);
    assert.deepEqual(await store.items(filter(), ALL), oldestFirst(events));
  }),
);

Deno.test(
  "other tasks get turns while a large set is collected",
  eachStore(async ({ store }) => {
    await fill(store, 10_000);
    let turns = 0;
    let collecting = true;
    const count = () => {
      turns++;
      if (collecting) setImmediate(count);
    };
    count();
    assert.equal((await store.items(filter(), ALL))?.length, 10_000);
    collecting = false;
    assert.ok(turns >= 20, `${turns} turns`);
  }),
);

Deno.test("every walk runs along its index, from where the last slice ended", () =>
  withDirectory(async (path) => {
    await (await open(path)).store.close();
    const client = createClient({ url: `file:${path}` });
    const place = { createdAt: NOW, idOrder: 5 };
    const cases: readonly [string, Filter][] = [
      ["events_by_time (created_at>? AND created_at<?)", filter({ until: NOW + 9 })],
      ["events_by_kind (kind=? AND created_at>? AND created_at<?)", filter({ kinds: [1, 2] })],
      ["events_by_author (pubkey=? AND created_at>? AND created_at<?)", filter({ authors: [key(1)] })],
      [
        "events_by_author_kind (pubkey=? AND kind=? AND created_at>? AND created_at<?)",
        filter({ authors: [key(1)], kinds: [1], tags: { d: ["x"] } }),
      ],
      [
        "PRIMARY KEY (name=? AND value=? AND created_at>? AND created_at<?)",
        filter({ tags: { e: [key(1)] } }),
      ],
    ];
    try {
      for (const [wanted, each] of cases) {
        const walk = [...walksOf(each)][0]!;
        const older = { ...place, createdAt: NOW - 10 };
        const statements = [placeAhead(walk, place, 500), matchesBetween(walk, place, older, NOW)];
        for (const [index, { sql, args }] of statements.entries()) {
          const plan = await client.execute({ sql: `EXPLAIN QUERY PLAN ${sql}`, args: [...args] });
          const steps = plan.rows.map((row) => String(row.detail));
          const expected = index === 0 ? wanted.replace(/ \(.*/, "") : wanted;
          assert.ok(steps[0]?.includes(expected), `${expected}: ${steps.join(" | ")}`);
          assert.ok(!steps.some((step) => step.includes("TEMP B-TREE")), steps.join(" | "));
        }
      }
    } finally {
      client.close();
    }
  }));
