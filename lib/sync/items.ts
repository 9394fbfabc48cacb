/**
 * What is known of a repository: its announcement waits in purgatory (only states are accepted for
 * it), or it is served (everything that tags it is wanted).
 */
export type SyncLevel = "StateOnly" | "Full";

/** Repositories, by coordinate `30617:<owner>:<identifier>` with their level, and root event ids. */
export interface Items {
  readonly repos: ReadonlyMap<string, SyncLevel>;
  readonly roots: ReadonlySet<string>;
}

/** {@link Items} that change. */
export interface MutableItems {
  readonly repos: Map<string, SyncLevel>;
  readonly roots: Set<string>;
}

/** An empty set, or a copy of another. */
export function itemSet(from?: Items): MutableItems {
  return { repos: new Map(from?.repos), roots: new Set(from?.roots) };
}

/** True when nothing is in it. */
export function isEmpty(items: Items): boolean {
  return items.repos.size === 0 && items.roots.size === 0;
}

/** The higher of two levels, of which either may be missing. */
export function higherLevel(a: SyncLevel | undefined, b: SyncLevel | undefined): SyncLevel | undefined {
  return a === "Full" || b === "Full" ? "Full" : a ?? b;
}

/** The lower of two levels. */
export function lowerLevel(a: SyncLevel, b: SyncLevel): SyncLevel {
  return a === "StateOnly" || b === "StateOnly" ? "StateOnly" : "Full";
}

/** Adds a repository; its level only rises. */
export function addRepo(items: MutableItems, ref: string, level: SyncLevel): void {
  items.repos.set(ref, higherLevel(items.repos.get(ref), level)!);
}

/** The coordinate of a repository, the key of every index. */
export function repoRef(owner: string, identifier: string): string {
  return `30617:${owner}:${identifier}`;
}

/** The identifier in a coordinate: all behind the second colon, colons included. */
export function identifierOf(ref: string): string {
  return ref.slice(ref.indexOf(":", ref.indexOf(":") + 1) + 1);
}
