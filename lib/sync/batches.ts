import type { Filter } from "../nostr/mod.ts";
import { identifierOf, type Items, itemSet, type MutableItems } from "./items.ts";
import { newBatchProgress } from "./fresh.ts";
import type { BatchProgress } from "./ports.ts";

/**
 * Why a batch was made: layer 1; items not yet delivered; items delivered before, after a cut or a
 * consolidation; items whose history failed; single events somebody waits for.
 */
export type BatchPurpose = "announcements" | "new" | "catch-up" | "repair" | "targeted";

/** One historic sync that is under way. */
export interface Batch {
  /** Unique and increasing within the process. */
  readonly id: number;
  readonly purpose: BatchPurpose;
  /** What it will confirm; only of purpose `new`. */
  readonly items: MutableItems;
  /** What was confirmed before and is fetched again; does not count as pending. */
  readonly covers: MutableItems;
  readonly filters: readonly Filter[];
  /** Whether it asks for everything rather than what came since some time. */
  readonly isWhole: boolean;
  readonly progress: BatchProgress;
}

let lastId = 0;

/** A batch with an id of its own. */
export function newBatch(
  fields: Pick<Batch, "purpose" | "filters" | "isWhole"> & {
    readonly items?: Items;
    readonly covers?: Items;
  },
): Batch {
  return {
    id: ++lastId,
    purpose: fields.purpose,
    items: itemSet(fields.items),
    covers: itemSet(fields.covers),
    filters: fields.filters,
    isWhole: fields.isWhole,
    progress: newBatchProgress(),
  };
}

/** Those of `items` that the failed filters were about; all when no filter is named. */
export function itemsOfFilters(items: Items, failed: readonly Filter[]): Items {
  if (failed.length === 0) return items;
  const identifiers = valuesOf(failed, ["d"]);
  const refs = valuesOf(failed, ["a", "A", "q"]);
  const ids = valuesOf(failed, ["e", "E", "q"]);
  const hit = itemSet();
  for (const [ref, level] of items.repos) {
    if (refs.has(ref)) hit.repos.set(ref, level);
    else if (identifiers.has(identifierOf(ref))) hit.repos.set(ref, level);
  }
  for (const id of items.roots) if (ids.has(id)) hit.roots.add(id);
  return hit;
}

function valuesOf(filters: readonly Filter[], names: readonly string[]): ReadonlySet<string> {
  return new Set(filters.flatMap(({ tags }) => names.flatMap((name) => tags.get(name) ?? [])));
}
