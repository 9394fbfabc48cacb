import type { Filter } from "../nostr/mod.ts";
import type { ReadableDatabase } from "./database.ts";
import { canMatch } from "./filter_sql.ts";
import { matchesBetween, type Place, placeAhead, type Walk, walksOf } from "./item_sql.ts";
import { nextTurn } from "./turn.ts";
import type { Item } from "./types.ts";

/** Index entries looked at before other tasks get a turn. */
const SLICE = 500;
/** Items sorted, and items merged, before other tasks get a turn. */
const RUN = 4_096;
const MERGED_PER_TURN = 16_384;
/** Hex digits of an id. */
const ID = 64;

/** All matches of one filter; see `Store.items`. */
export async function collectItems(
  database: ReadableDatabase,
  filter: Filter,
  max: number,
  nowSeconds: number,
): Promise<readonly Item[] | undefined> {
  if (!canMatch(filter)) return [];
  const seen = new Set<string>();
  const items: Item[] = [];
  for (const walk of walksOf(filter)) {
    for await (const item of along(database, walk, nowSeconds)) {
      // An event may carry several of the values a tag is asked for.
      if (walk.source === "tags x") {
        if (seen.has(item.id)) continue;
        seen.add(item.id);
      }
      if (items.push(item) > max) return undefined;
    }
  }
  return await sorted(items);
}

async function* along(database: ReadableDatabase, walk: Walk, nowSeconds: number): AsyncGenerator<Item> {
  let after: Place | undefined;
  do {
    const upTo: Place | undefined = walk.rest.ids ? undefined : await ahead(database, walk, after);
    const { sql, args } = matchesBetween(walk, after, upTo, nowSeconds);
    const found = (await database.read(sql, args)).rows[0]?.[0];
    if (typeof found === "string") {
      for (const text of found.split(",")) {
        yield { id: text.slice(0, ID), createdAt: Number(text.slice(ID)) };
      }
    }
    after = upTo;
    await nextTurn();
  } while (after);
}

async function ahead(
  database: ReadableDatabase,
  walk: Walk,
  after: Place | undefined,
): Promise<Place | undefined> {
  const { sql, args } = placeAhead(walk, after, SLICE * database.bounds.sliceFactor);
  const row = (await database.read(sql, args)).rows[0];
  return row && { createdAt: Number(row[0]), idOrder: Number(row[1]) };
}

/** Sorts by merging short runs, with turns for other tasks. */
export async function sorted(items: readonly Item[]): Promise<readonly Item[]> {
  let runs: (readonly Item[])[] = [];
  for (let at = 0; at < items.length; at += RUN) {
    if (at > 0) await nextTurn();
    runs.push(items.slice(at, at + RUN).sort(oldestFirst));
  }
  while (runs.length > 1) {
    const merged: (readonly Item[])[] = [];
    for (let at = 0; at < runs.length; at += 2) merged.push(await merge(runs[at]!, runs[at + 1] ?? []));
    runs = merged;
  }
  return runs[0] ?? [];
}

async function merge(left: readonly Item[], right: readonly Item[]): Promise<readonly Item[]> {
  const merged: Item[] = [];
  for (let l = 0, r = 0; l < left.length || r < right.length;) {
    const fromLeft = r >= right.length || (l < left.length && oldestFirst(left[l]!, right[r]!) < 0);
    if (merged.push(fromLeft ? left[l++]! : right[r++]!) % MERGED_PER_TURN === 0) await nextTurn();
  }
  return merged;
}

function oldestFirst(a: Item, b: Item): number {
  if (a.createdAt !== b.createdAt) return a.createdAt - b.createdAt;
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}
