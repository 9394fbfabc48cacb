import assert from "node:assert/strict";
import { type Client, createClient } from "@libsql/client";
import type { Filter } from "../../lib/nostr/mod.ts";
import { countOf, rowsOf, textsOf } from "../../lib/store/filter_sql.ts";
import type { Statement } from "../../lib/store/statement.ts";
import { Dice } from "../sim/dice.ts";
import { RELATED } from "../../lib/store/related.ts";
import { event, filter, key, NOW, open, put, withDirectory } from "./fixtures.ts";

const MANY = Array.from({ length: 1_000 }, (_, i) => key(i));

const CASES: readonly [string, Filter][] = [
  ["one id", filter({ ids: [key(1)] })],
  ["many ids", filter({ ids: MANY, kinds: [1], tags: { e: MANY } })],
  ["an author", filter({ authors: [key(1)] })],
  ["many authors", filter({ authors: MANY })],
  ["a kind", filter({ kinds: [30617], since: NOW })],
  ["many kinds", filter({ kinds: [1, 2, 3], until: NOW })],
  ["author and kind", filter({ authors: [key(1)], kinds: [1] })],
  ["authors and kinds", filter({ authors: [key(1), key(2)], kinds: [1, 2] })],
  ["too many pairs", filter({ authors: MANY, kinds: [1, 2, 3] })],
  ["a tag", filter({ tags: { e: [key(1)] } })],
  ["many values", filter({ tags: { e: MANY } })],
  ["two tags and a kind", filter({ kinds: [1], tags: { e: MANY, p: [key(1)] } })],
  ["tag and author", filter({ authors: [key(1)], tags: { a: ["x"] } })],
  ["repositories by identifier", filter({ kinds: [30617, 30618], tags: { d: ["x"] } })],
  ["pull requests of coordinates", filter({ kinds: [1617, 1618, 1621, 5], tags: { a: ["x", "y"] } })],
  ["many updates", filter({ kinds: [1617, 1619, 1630, 1631, 1632, 1633, 5], tags: { e: MANY } })],
  ["replies by root", filter({ kinds: [1619, 1630, 1111, 5], tags: { E: [key(1), key(2)] } })],
  ["a person's repositories", filter({ kinds: [30617], authors: [key(1)] })],
  ["browsing", filter({ kinds: [30617], limit: 100 })],
  ["author, kind and d", filter({ authors: [key(1)], kinds: [30617], tags: { d: ["x"] } })],
];

Deno.test("IO-3 no filter that names an id, author, kind or tag scans a table or sorts what it may not return", () =>
  withDirectory(async (path) => {
    await (await open(path)).store.close();
    const client = createClient({ url: `file:${path}` });
    try {
      await checkPlans(client);
      // Statistics of a nearly empty database speak for scans: the plans must not listen to them.
      const { store } = await open(path);
      await put(store, event({ tags: [["e", key(1)]] }), event({ kind: 30617, tags: [["d", "x"]] }));
      await store.close();
      await client.execute("ANALYZE");
      await checkPlans(client);
    } finally {
      client.close();
    }
  }));

async function checkPlans(client: Client): Promise<void> {
  for (const [name, wanted] of [...CASES, ...randomCases(300), ["time", filter()] as const]) {
    for (const { sql, args } of statementsFor(wanted)) {
      const plan = await client.execute({ sql: `EXPLAIN QUERY PLAN ${sql}`, args: [...args] });
      const steps = plan.rows.map((row) => String(row.detail));
      // The look-up by time is the one scan: in index order and cut off by its limit.
      const scans = steps.filter((step) => step.startsWith("SCAN") && !isListScan(step));
      const allowed = name === "time" ? (step: string) => /events_by_time/.test(step) : () => false;
      assert.deepEqual(scans.filter((step) => !allowed(step)), [], `${name}: ${steps.join(" | ")}`);
      // One sort of what the look-ups let through, where they run over lists.
      const sorts = steps.filter((step) => step.includes("TEMP B-TREE FOR ORDER BY"));
      assert.ok(sorts.length <= (/SCAN v/.test(steps.join()) ? 1 : 0), `${name}: ${steps.join(" | ")}`);
    }
  }
  for (const [name, wanted] of [...CASES, ...randomCases(100)]) {
    const { sql, args } = countOf([wanted], NOW);
    const plan = await client.execute({ sql: `EXPLAIN QUERY PLAN ${sql}`, args: [...args] });
    const steps = plan.rows.map((row) => String(row.detail));
    assert.deepEqual(
      steps.filter((step) => step.startsWith("SCAN") && !isListScan(step)),
      [],
      `${name}: ${steps.join(" | ")}`,
    );
  }
}

function statementsFor(wanted: Filter): readonly Statement[] {
  return [textsOf(wanted, 500, NOW, 100_000), rowsOf(wanted, 500, NOW)];
}

/** Filters that name an id, author, kind or tag, with lists of any length. */
function randomCases(count: number): [string, Filter][] {
  const dice = new Dice(count);
  const list = <T>(make: (n: number) => T) => {
    const length = dice.pick([1, 2, 70, 2_100]);
    return Array.from({ length }, (_, n) => make(n));
  };
  return Array.from({ length: count }, (_, n) => {
    const names = ["e", "a", "d", "p", "t"].filter(() => dice.chance(0.25));
    const fields = {
      ...(dice.chance(0.1) && { ids: list(key) }),
      ...(dice.chance(0.4) && { authors: list(key) }),
      ...(dice.chance(0.4) && { kinds: list((kind) => kind) }),
      ...(dice.chance(0.5) && { until: NOW }),
      ...(dice.chance(0.3) && { since: NOW - 1 }),
      tags: Object.fromEntries(names.map((name) => [name, list(String)])),
    };
    const isNamed = names.length > 0 || "ids" in fields || "authors" in fields || "kinds" in fields;
    return [`random ${n}`, filter(isNamed ? fields : { ...fields, kinds: [n] })];
  });
}

/** A pass over the values the filter itself lists, or over what a subquery returns. */
function isListScan(step: string): boolean {
  return /VIRTUAL TABLE|CONSTANT ROW|SCAN \(subquery|SCAN s$/.test(step);
}

Deno.test("whether an event is related is found by index, in order of what is cheapest", () =>
  withDirectory(async (path) => {
    await (await open(path)).store.close();
    const client = createClient({ url: `file:${path}` });
    try {
      const plan = await client.execute({ sql: `EXPLAIN QUERY PLAN ${RELATED}`, args: ["[]", NOW] });
      const steps = plan.rows.map((row) => String(row.detail)).filter((step) => /\b[et]\b/.test(step));
      assert.deepEqual(steps.map((step) => step.replace(/ \(.*/, "")), [
        "SEARCH e USING INDEX events_by_coordinate",
        "SEARCH e USING INDEX sqlite_autoindex_events_1",
        "SEARCH t USING PRIMARY KEY",
      ]);
    } finally {
      client.close();
    }
  }));
