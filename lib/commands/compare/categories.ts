import type { State } from "../../nostr/mod.ts";

/**
 * How far a repository has what the latest state declares: all of it, nothing at all, some of it, or
 * data of which nothing matches. `unknown`: it could not be looked at.
 */
export type Category = "all" | "none" | "some" | "other" | "unknown";

/** All categories, in the order of their numbers. */
export const CATEGORIES: readonly Category[] = ["all", "none", "some", "other", "unknown"];

/** Category 1 to 4 as operators number them; `?` when unknown. */
export function numberOf(category: Category): string {
  return category === "unknown" ? "?" : String(CATEGORIES.indexOf(category) + 1);
}

/** Compares branches and tags with a state; undefined refs stand for a repository that could not be read. */
export function categoryOf(
  state: State | undefined,
  refs: ReadonlyMap<string, string> | undefined,
): { readonly category: Category; readonly matching: number } {
  if (!refs) return { category: "unknown", matching: 0 };
  const own = [...refs].filter(([name]) => /^refs\/(heads|tags)\//.test(name) && !name.endsWith("^{}"));
  const wanted = state?.refs ?? new Map<string, string>();
  const matching = [...wanted].filter(([name, oid]) => refs.get(name) === oid).length;
  if (matching === wanted.size && (wanted.size > 0 || own.length === 0)) {
    return { category: wanted.size > 0 ? "all" : "none", matching };
  }
  if (own.length === 0) return { category: "none", matching };
  return { category: matching > 0 ? "some" : "other", matching };
}
