import { deadlineAfterRestart, DURATION } from "../policy/mod.ts";
import type { DirtyMark, Placeholder, WaitingAnnouncement } from "../store/mod.ts";
import type { KeyedLock } from "../world/mod.ts";
import type { ReleaseParts } from "./ports.ts";
import { release } from "./release.ts";

/**
 * What a start does before requests are accepted: deadlines are re-anchored, missing repositories of
 * waiting announcements recreated, and everything that was completed just before a crash released.
 */
export async function startPurgatory(parts: ReleaseParts, locks: KeyedLock): Promise<void> {
  const { store, clock, log } = parts;
  const now = clock.now();
  const pending = await store.pendingAtStart();
  await store.commit({
    putAnnouncements: pending.announcements.map((row) => ({
      ...row,
      deadlineAt: deadlineAfterRestart(
        row,
        { fullMs: DURATION.announcementMs, capMs: DURATION.announcementCapMs },
        now,
      ),
    })),
    putStates: pending.states.map((row) => ({
      ...row,
      deadlineAt: deadlineAfterRestart(row, { fullMs: DURATION.stateMs, capMs: DURATION.stateCapMs }, now),
    })),
    putPullRequests: pending.pullRequests.map((row) => ({
      ...row,
      deadlineAt: deadlineAfterRestart(
        row,
        { fullMs: DURATION.pullRequestMs, capMs: DURATION.pullRequestCapMs },
        now,
      ),
    })),
    putPlaceholders: pending.placeholders.map((row) => ({
      ...row,
      deadlineAt: Math.min(row.deadlineAt, now + longestWait(parts, row)),
    })),
  });
  for (const row of pending.announcements) await recreate(parts, row);
  await removeLeftovers(parts);
  const dirty = await store.dirtyMarks();
  for (const mark of dirty) await repairDirectory(parts, mark);
  for (const { owner, identifier } of [...dirty, ...pending.announcements]) {
    try {
      const request = { identifier, receivedBy: owner, mirrorAgain: true, via: "startup" } as const;
      await locks.run([identifier], () => release(parts, request));
    } catch (error) {
      log.error("release at start failed, the next sweep tries again", {
        repo: identifier,
        error: String(error),
      });
    }
  }
  if (pending.announcements.length + pending.states.length > 0) {
    log.info("purgatory restored", {
      announcements: pending.announcements.length,
      states: pending.states.length,
    });
  }
}

function longestWait({ contributions }: ReleaseParts, { scope }: Placeholder): number {
  return scope ? contributions?.unclaimedMs ?? Infinity : DURATION.placeholderMs;
}

/** The event is what matters: a waiting announcement without its directory gets a new one. */
async function recreate(
  { repositories, log }: ReleaseParts,
  { owner, identifier }: WaitingAnnouncement,
): Promise<void> {
  try {
    await repositories.ensure({ owner, identifier });
  } catch (error) {
    log.error("repository could not be recreated", { repo: identifier, error: String(error) });
  }
}

/** A soft-expired announcement has no repository: one that is there was being revived when a crash came. */
async function removeLeftovers({ store, repositories, counters }: ReleaseParts): Promise<void> {
  for (const row of await store.waitingAnnouncements()) {
    if (row.phase !== "soft" || !await repositories.exists(row)) continue;
    counters.repositoryDeleted("expired", await repositories.remove(row, { force: false }));
  }
}

/** What a crash left of a repository: locks nobody holds, or a retirement that was never recorded. */
async function repairDirectory(
  { repositories, store, log }: ReleaseParts,
  { owner, identifier }: DirtyMark,
): Promise<void> {
  const repository = { owner, identifier };
  await repositories.cleanAfterCrash(repository);
  if (await repositories.exists(repository)) return;
  const recorded = new Set<string>();
  for await (const { directory } of store.held(owner, identifier)) recorded.add(directory);
  const unrecorded = (await repositories.archived(repository)).filter((directory) =>
    !recorded.has(directory)
  );
  const [newest] = unrecorded.sort().reverse();
  if (newest === undefined || !await repositories.restore(repository, newest)) return;
  log.warn("a retirement cut off by a crash was undone; the request has to be sent again", {
    repo: identifier,
  });
}
