import { type Filter, KIND } from "../nostr/mod.ts";
import { identifierOf, type Items } from "./items.ts";

/** Layer 1: announcements, and users' lists of servers, from every relay. */
export const ANNOUNCEMENTS: Filter = { kinds: [KIND.announcement, KIND.graspList], tags: new Map() };

/** What to ask for: repositories whose states, and whose tagged events, are wanted, and root events. */
export interface FilterNeeds {
  readonly states: Iterable<string>;
  readonly tagged: Iterable<string>;
  readonly roots: Iterable<string>;
}

/**
 * The filters of layers 2 and 3, one per subscription. Values are sorted before they are cut into
 * pieces of `perFilter`, so that building the same twice gives the same.
 */
export function filtersOf(needs: FilterNeeds, perFilter: number): Filter[] {
  const identifiers = Array.from(needs.states, identifierOf);
  return [
    ...chunks(identifiers, perFilter).map((values) => ({
      kinds: [KIND.state],
      tags: new Map([["d", values]]),
    })),
    ...chunks(needs.tagged, perFilter).flatMap((refs) => tagFilters(["a", "A", "q"], refs)),
    ...chunks(needs.roots, perFilter).flatMap((ids) => tagFilters(["e", "E", "q"], ids)),
  ];
}

/** All filters of some items by their level: tagged events only of served repositories. */
export function itemFilters(items: Items, perFilter: number): Filter[] {
  const tagged = [...items.repos].filter(([, level]) => level === "Full").map(([ref]) => ref);
  return filtersOf({ states: items.repos.keys(), tagged, roots: items.roots }, perFilter);
}

/** The same filters from a time on, in seconds; without it the filters as they are. */
export function withSince(filters: readonly Filter[], since: number | undefined): readonly Filter[] {
  return since === undefined ? filters : filters.map((filter) => ({ ...filter, since }));
}

function tagFilters(names: readonly string[], values: readonly string[]): Filter[] {
  return names.map((name) => ({ tags: new Map([[name, values]]) }));
}

/** Distinct values, sorted, in pieces. */
function chunks(values: Iterable<string>, size: number): string[][] {
  const sorted = [...new Set(values)].sort();
  const pieces: string[][] = [];
  for (let start = 0; start < sorted.length; start += size) pieces.push(sorted.slice(start, start + size));
  return pieces;
}
