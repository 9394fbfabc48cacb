import { heldByCruft, type RepositoryRef, runningBackup } from "../git/mod.ts";
import { repositoryPin } from "../purgatory/mod.ts";
import { holdsNamedOnly } from "./named_objects.ts";
import type { MaintenanceParts } from "./ports.ts";
import {
  gather,
  GitFailure,
  indexPacks,
  knowsCruft,
  type MaintenanceMemory,
  packRefs,
  planRepack,
  removeCommitGraph,
  repackGeometrically,
  type RepackPlan,
  UNREACHABLE_MS,
  type Workshop,
  writeCommitGraph,
} from "./repack.ts";
import { looseObjects, oldestCruft, readShape, type RepositoryShape } from "./repository_shape.ts";
import { allRepositories, eachRepository, keyOf, subjectOf } from "./walk.ts";

/** Name of the job in notes and metrics. */
export const GIT_MAINTENANCE = "git_maintenance";
/** How often, and after how long each time, it is seen whether a busy repository has become idle. */
const IDLE_LOOKS = 30;
const IDLE_PAUSE_MS = 2_000;
/** Files whose times are set before other tasks get a turn. */
const TOUCHED_PER_TURN = 500;

/** What one run came to. */
export interface GitMaintenanceResult {
  readonly repacked: number;
  readonly pruned: number;
  readonly failed: number;
  /** True when a backup is being made: nothing was touched. */
  readonly postponed: boolean;
}

/**
 * Packs the repositories that changed since their last run, and drops what no ref has reached for 14
 * days. Pushes and clones go on meanwhile: only dropping objects and packing refs takes the lock that
 * pushes take. A repository whose maintenance fails stays as it was.
 */
export async function maintainGit(parts: MaintenanceParts): Promise<GitMaintenanceResult> {
  const { store, repositories, clock, log } = parts;
  const counts = { repacked: 0, pruned: 0 };
  if (await isPostponed(parts)) return { ...counts, failed: 0, postponed: true };
  const notes = await store.repositoryNotes(GIT_MAINTENANCE);
  const memories = new Map(notes.map(({ repository, detail }) => [keyOf(repository), memoryOf(detail)]));
  const { failed } = await eachRepository(parts, await allRepositories(parts), async (repository) => {
    if (await isPostponed(parts) || !await repositories.exists(repository)) return;
    const done = repositories.use(repository);
    try {
      const startedAt = clock.monotonic();
      const result = await maintain(parts, repository, memories.get(keyOf(repository)));
      if (!result) return;
      if (result.plan !== "none") counts.repacked++;
      if (result.pruned) counts.pruned++;
      log[result.plan === "none" && !result.pruned ? "debug" : "info"]("repository maintained", {
        ...subjectOf(repository),
        repack: result.plan,
        pruned: result.pruned,
        duration_ms: Math.round(clock.monotonic() - startedAt),
      });
    } catch (error) {
      if (error instanceof GitFailure && error.isStop) return;
      if (!await repositories.exists(repository)) return; // retired meanwhile
      throw new Error(repositories.clean(error instanceof Error ? error.message : String(error), repository));
    } finally {
      done();
    }
  });
  return { ...counts, failed, postponed: false };
}

async function isPostponed({ repositories, clock, log }: MaintenanceParts): Promise<boolean> {
  const backup = await runningBackup(repositories.root, clock);
  if (backup) log.debug("git maintenance waits for the end of a backup", { pid: backup.pid });
  return backup !== undefined;
}

/** Undefined when there was nothing to do. */
async function maintain(
  parts: MaintenanceParts,
  repository: RepositoryRef,
  memory: MaintenanceMemory | undefined,
): Promise<{ readonly plan: RepackPlan; readonly pruned: boolean } | undefined> {
  const { git, store, repositories, clock, signal } = parts;
  const path = repositories.path(repository);
  const shop: Workshop = { git, path, signal };
  const before = await readShape(path);
  const planned = planRepack(before, memory, clock.now());
  let plan = planned === "geometric" && await namesCruft(parts, repository, before) ? "gather" : planned;
  if (
    plan === "none" && memory?.fingerprint === before.fingerprint && !await hasDueCruft(parts, path, before)
  ) {
    return undefined;
  }
  if (!await hasRoom(parts, repository)) return undefined;
  await indexPacks(shop, before);
  if (plan === "gather" && !await markAsWanted(path, before, clock.now())) plan = "geometric";
  if (plan === "gather") await gather(shop);
  else if (plan === "geometric") await repackGeometrically(shop);
  const arePacked = await packRefsWhenIdle(parts, repository, shop);
  const pruned = await pruneWhenIdle(parts, repository, shop);
  if (plan !== "none" || pruned) await writeCommitGraph(shop);
  const after = await readShape(path);
  // A ref may have been moved back meanwhile: then the next run looks again.
  const isSettled = arePacked && !await namesCruft(parts, repository, after);
  const detail: MaintenanceMemory = {
    fingerprint: isSettled ? after.fingerprint : "",
    gatheredAt: plan === "gather" || pruned ? clock.now() : memory?.gatheredAt ?? 0,
  };
  await store.putRepositoryNote({
    repository,
    job: GIT_MAINTENANCE,
    at: clock.now(),
    ok: true,
    detail: JSON.stringify(detail),
  });
  return { plan, pruned };
}

/**
 * True when a ref was moved back to an object that a cruft pack holds: gathered with the others its age
 * begins anew. What such an object reaches is kept by git as long as that.
 */
async function namesCruft(
  { repositories }: MaintenanceParts,
  repository: RepositoryRef,
  shape: RepositoryShape,
): Promise<boolean> {
  if (shape.cruft.length === 0) return false;
  const { refs } = await repositories.readRefs(repository);
  return (await heldByCruft(repositories.path(repository), refs.values())).length > 0;
}

/** Packing writes everything anew before the old packs go: a full disk would stop pushes and the database. */
async function hasRoom(
  { repositories, room, log }: MaintenanceParts,
  repository: RepositoryRef,
): Promise<boolean> {
  if (await repositories.bytes(repository) <= await room()) return true;
  log.debug("repository left as it is: too little disk space to pack it", subjectOf(repository));
  return false;
}

/**
 * The age of an unreachable object begins when it is first found unreachable: everything outside cruft
 * packs counts as wanted until this moment. git takes that from the times of files. False when these
 * cannot be set, as with files of another user: ages would be wrong.
 */
async function markAsWanted(path: string, { packs }: RepositoryShape, now: number): Promise<boolean> {
  const time = new Date(now);
  const files = [...packs.map((stem) => `objects/pack/${stem}.pack`), ...await looseObjects(path)];
  const mark = (file: string) =>
    Deno.utime(`${path}/${file}`, time, time).then(
      () => true,
      (error) => error instanceof Deno.errors.NotFound,
    );
  for (let at = 0; at < files.length; at += TOUCHED_PER_TURN) {
    const marked = await Promise.all(files.slice(at, at + TOUCHED_PER_TURN).map(mark));
    if (marked.includes(false)) return false;
  }
  return true;
}

/** False when a push is moving refs: the next run packs them. */
async function packRefsWhenIdle(
  { locks, pins }: MaintenanceParts,
  repository: RepositoryRef,
  shop: Workshop,
): Promise<boolean> {
  return await locks.run([repository.identifier], async () => {
    if (pins.has(repositoryPin(repository))) return false;
    await packRefs(shop);
    return true;
  });
}

async function hasDueCruft(
  { git, clock }: MaintenanceParts,
  path: string,
  shape: RepositoryShape,
): Promise<boolean> {
  const oldest = knowsCruft(git) ? await oldestCruft(path, shape) : undefined;
  return oldest !== undefined && oldest < clock.now() - UNREACHABLE_MS;
}

/**
 * Drops objects that have been unreachable for long. Under the lock, and only while nobody else uses the
 * repository, so that no push and no event can begin to rely on them; and not while an event names an
 * object that only the cruft pack holds.
 */
async function pruneWhenIdle(
  parts: MaintenanceParts,
  repository: RepositoryRef,
  shop: Workshop,
): Promise<boolean> {
  const { locks, repositories, clock, log } = parts;
  if (!await hasDueCruft(parts, shop.path, await readShape(shop.path))) return false;
  for (let look = 0; look < IDLE_LOOKS && repositories.uses(repository) > 1; look++) {
    await clock.sleep(IDLE_PAUSE_MS, parts.signal);
  }
  return await locks.run([repository.identifier], async () => {
    const reason = repositories.uses(repository) > 1
      ? "the repository is in use"
      : await runningBackup(repositories.root, clock)
      ? "a backup is being made"
      : await holdsNamedOnly(parts, repository)
      ? "an event names unreachable objects"
      : await markAsWanted(shop.path, await readShape(shop.path), clock.now())
      ? undefined
      : "the times of its files cannot be set";
    if (reason !== undefined) {
      log.debug("unreachable objects are kept until the next run", { ...subjectOf(repository), reason });
      return false;
    }
    await removeCommitGraph(shop);
    await gather(shop, clock.now() - UNREACHABLE_MS);
    return true;
  });
}

function memoryOf(detail: string): MaintenanceMemory | undefined {
  try {
    const { fingerprint, gatheredAt } = JSON.parse(detail);
    return typeof fingerprint === "string" && typeof gatheredAt === "number"
      ? { fingerprint, gatheredAt }
      : undefined;
  } catch {
    return undefined; // as if it had never been maintained
  }
}
