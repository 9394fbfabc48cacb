/**
 * Waiting entries a running push relies on. They live in memory only: a push dies with its process.
 * Bounded by the number of running pushes.
 */
export class Pins {
  readonly #counts = new Map<string, number>();

  /** Keeps the entries `keys` from expiring until the returned function is called (once). */
  pin(keys: readonly string[]): () => void {
    for (const key of keys) this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
    let pinned = true;
    return () => {
      if (!pinned) return;
      pinned = false;
      for (const key of keys) {
        const count = this.#counts.get(key)! - 1;
        if (count === 0) this.#counts.delete(key);
        else this.#counts.set(key, count);
      }
    };
  }

  /** True while some push relies on `key`. */
  has(key: string): boolean {
    return this.#counts.has(key);
  }
}

/** Pin key of an owner's waiting announcement. */
export function announcementPin(owner: string, identifier: string): string {
  return `announcement:${owner}:${identifier}`;
}

/** Pin key of a waiting state. */
export function statePin(id: string): string {
  return `state:${id}`;
}

/** Pin key of a waiting pull request. */
export function pullRequestPin(id: string): string {
  return `pr:${id}`;
}

/** Pin key of a repository with a running push. */
export function repositoryPin(
  { owner, identifier, space }: {
    readonly owner: string;
    readonly identifier: string;
    readonly space?: "prs";
  },
): string {
  return `${space ?? "repository"}:${owner}:${identifier}`;
}
