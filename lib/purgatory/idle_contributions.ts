import type { RepositoryRef } from "../git/mod.ts";

/**
 * Contributors' repositories that may be without refs and were in use when they should have gone.
 * Each was in use when it was noted, so they are never more than the requests of one sweep interval.
 */
export class IdleContributions {
  readonly #noted = new Map<string, RepositoryRef>();

  /** To be looked at again when it is no longer in use. */
  note(repository: RepositoryRef): void {
    this.#noted.set(keyOf(repository), repository);
  }

  /** It is gone, or has refs. */
  forget(repository: RepositoryRef): void {
    this.#noted.delete(keyOf(repository));
  }

  /** True when it was noted and not forgotten. */
  has(repository: RepositoryRef): boolean {
    return this.#noted.has(keyOf(repository));
  }

  /** All that are noted. */
  all(): readonly RepositoryRef[] {
    return [...this.#noted.values()];
  }
}

function keyOf({ owner, identifier }: RepositoryRef): string {
  return `${owner}/${identifier}`;
}
