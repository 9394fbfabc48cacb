import { emptyDatedTrash } from "./dated_trash.ts";
import { type EmptyReport, scanForEmpty } from "./empty_scan.ts";
import { GIT_FSCK } from "./git_fsck.ts";
import { GIT_MAINTENANCE } from "./git_maintenance.ts";
import type { MaintenanceParts } from "./ports.ts";
import { allRepositories, eachRepository, keyOf } from "./walk.ts";

/** Orphans named in one log line. */
const NAMED = 5;

/** What one run came to. */
export interface ReconcileResult {
  readonly repositories: number;
  readonly candidates: EmptyReport["candidates"];
  readonly failed: number;
}

/**
 * Counts the repositories, reports directories and announcements that lack each other, removes what
 * killed git processes left behind for more than an hour, old trash, and notes about what is gone.
 */
export async function reconcileRepositories(parts: MaintenanceParts): Promise<ReconcileResult> {
  const { repositories, locks, clock, log } = parts;
  await repositories.recount();
  const all = await allRepositories(parts);
  const { failed } = await eachRepository(parts, all, async (repository) => {
    await locks.run([repository.identifier], () => repositories.cleanLeftovers(repository));
  });
  const days = await emptyDatedTrash(repositories.root, clock.now());
  if (days > 0) log.info("old trash deleted", { days });
  await forgetGone(parts, new Set(all.map(keyOf)));
  const { candidates, entries } = await scanForEmpty(parts, { purgeOrphans: false });
  const orphans = entries.filter(({ scan }) => scan === "directory");
  if (candidates.empty_orphan + candidates.nonempty_orphan > 0) {
    log.info("directories without announcement; `cleanup-empty-repos` lists them", {
      empty: candidates.empty_orphan,
      nonempty: candidates.nonempty_orphan,
      first: orphans.slice(0, NAMED).map(({ repository }) => repository.identifier).join(", "),
    });
  }
  return { repositories: repositories.count, candidates, failed };
}

async function forgetGone({ store }: MaintenanceParts, present: ReadonlySet<string>): Promise<void> {
  const notes = [...await store.repositoryNotes(GIT_MAINTENANCE), ...await store.repositoryNotes(GIT_FSCK)];
  const gone = notes.map(({ repository }) => repository).filter((repository) =>
    !present.has(keyOf(repository))
  );
  await store.dropRepositoryNotes(gone);
}
