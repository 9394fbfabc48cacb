import type { GitData, Repositories } from "./repository.ts";
import type { RepositoryRef } from "./repository_ref.ts";

/**
 * The repositories as they are, for a rehearsal: everything is read, nothing changes, and what would be
 * changed counts as done. A repository that does not exist reads as an empty one.
 */
export function untouched(repositories: Repositories): GitData {
  const orEmpty = async <T>(ref: RepositoryRef, read: () => Promise<T>, empty: T): Promise<T> =>
    await repositories.exists(ref) ? await read() : empty;
  return {
    exists: (ref) => repositories.exists(ref),
    list: () => repositories.list(),
    readRefs: (ref) => orEmpty(ref, () => repositories.readRefs(ref), { refs: new Map(), head: "" }),
    present: (ref, oids) => orEmpty(ref, () => repositories.present(ref, oids), new Map()),
    complete: (ref, oids) => orEmpty(ref, () => repositories.complete(ref, oids), new Set()),
    archived: (ref) => repositories.archived(ref),
    use: (ref) => repositories.use(ref),
    uses: (ref) => repositories.uses(ref),
    ensure: () => Promise.resolve("created"),
    remove: () => Promise.resolve("removed"),
    retire: () => Promise.resolve(""),
    restore: () => Promise.resolve(false),
    discardRetired: () => Promise.resolve(),
    copyObjects: () => Promise.resolve(true),
    align: () => Promise.resolve({ changed: false, failed: [] }),
    changeRefs: () => Promise.resolve([]),
    cleanLeftovers: () => Promise.resolve(),
    cleanAfterCrash: () => Promise.resolve(),
  };
}
