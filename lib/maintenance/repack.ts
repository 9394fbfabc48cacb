import type { Git, GitResult } from "../git/mod.ts";
import { isAtLeast } from "../git/mod.ts";
import type { RepositoryShape } from "./repository_shape.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** More loose objects or packs than this are gathered into one pack. */
const MAX_LOOSE = 5_000;
const MAX_PACKS = 50;
/** A repository that changes is gathered this often at least, so that unreachable objects are found. */
const GATHER_MS = 14 * DAY_MS;
/** Unreachable objects are kept this long after they were found: purgatory may have fetched them ahead. */
export const UNREACHABLE_MS = 14 * DAY_MS;
/** For one step of maintenance in one repository. */
const STEP_TIMEOUT_MS = 6 * HOUR_MS;

/** What maintenance remembers of a repository. */
export interface MaintenanceMemory {
  readonly fingerprint: string;
  /** When everything was last gathered into one pack, in milliseconds; 0 never. */
  readonly gatheredAt: number;
}

/**
 * How the objects of a repository are to be packed: not at all, `geometric` (small packs are joined until
 * each is at least twice the size of the next), or `gather` (one pack of all that is reachable).
 */
export type RepackPlan = "none" | "geometric" | "gather";

/** Decides how to repack a repository. */
export function planRepack(
  shape: RepositoryShape,
  memory: MaintenanceMemory | undefined,
  now: number,
): RepackPlan {
  if (memory?.fingerprint === shape.fingerprint) return "none";
  if (shape.loose > MAX_LOOSE || shape.packs.length > MAX_PACKS) return "gather";
  if (shape.loose + shape.packs.length + shape.cruft.length === 0) return "none";
  return now - (memory?.gatheredAt ?? 0) >= GATHER_MS ? "gather" : "geometric";
}

/** How git commands of maintenance are run in one repository. */
export interface Workshop {
  readonly git: Git;
  /** Directory of the repository. */
  readonly path: string;
  readonly signal: AbortSignal;
}

/** Indexes packs that a kill left without: git does not see what they hold, and packs nothing beside them. */
export async function indexPacks(shop: Workshop, { packs, cruft }: RepositoryShape): Promise<void> {
  for (const stem of [...packs, ...cruft]) {
    const file = `${shop.path}/objects/pack/${stem}`;
    if (!await isMissing(`${file}.idx`) || await isMissing(`${file}.pack`)) continue;
    // Of what cannot be indexed, packing says why it fails.
    await runUnchecked(shop, ["index-pack", `${file}.pack`]);
  }
}

async function isMissing(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(() => false, (error) => error instanceof Deno.errors.NotFound);
}

const LIMITS = ["--threads=2", "--window-memory=256m"];

/** Joins small packs and loose objects; nothing is ever dropped. Throws when git fails. */
export async function repackGeometrically(shop: Workshop): Promise<void> {
  await run(shop, [
    "repack",
    "-d",
    "--quiet",
    "--geometric=2",
    "--write-midx",
    "--write-bitmap-index",
    ...LIMITS,
  ]);
}

/**
 * Gathers all reachable objects into one pack with bitmaps, and the others into a cruft pack with their
 * ages, less those that were last wanted before `dropBefore` (ms). Without `dropBefore` nothing is
 * dropped. Throws when git fails; the repository is as before then.
 */
export async function gather(shop: Workshop, dropBefore?: number): Promise<void> {
  const expiry = dropBefore === undefined ? "never" : `@${Math.floor(dropBefore / 1000)}`;
  const unreachable = knowsCruft(shop.git) ? ["--cruft", `--cruft-expiration=${expiry}`] : ["-k"];
  await run(shop, ["repack", "-a", "-d", "--quiet", "--write-bitmap-index", ...unreachable, ...LIMITS]);
}

/** Older versions of git cannot keep ages of single objects: there nothing unreachable is ever dropped. */
export function knowsCruft(git: Git): boolean {
  return isAtLeast(git.version, 2, 37);
}

/** Moves refs into one file. */
export async function packRefs(shop: Workshop): Promise<void> {
  await run(shop, ["pack-refs", "--all"]);
}

/** Writes what makes walking the history fast. */
export async function writeCommitGraph(shop: Workshop): Promise<void> {
  await run(shop, ["commit-graph", "write", "--reachable", "--no-progress"]);
}

/** Before commits are dropped: git takes those of the graph for being there, and writes none without refs. */
export async function removeCommitGraph({ path }: Workshop): Promise<void> {
  for (const name of ["commit-graph", "commit-graphs"]) {
    await Deno.remove(`${path}/objects/info/${name}`, { recursive: true }).catch((error) => {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    });
  }
}

async function run(shop: Workshop, args: readonly string[]): Promise<void> {
  const result = await runUnchecked(shop, args);
  if (result.code !== 0) throw new GitFailure(args[0]!, result);
}

async function runUnchecked({ git, path, signal }: Workshop, args: readonly string[]): Promise<GitResult> {
  return await git.run([`--git-dir=${path}`, ...args], {
    timeoutMs: STEP_TIMEOUT_MS,
    isBackground: true,
    signal,
  });
}

/** A git command that did not work. */
export class GitFailure extends Error {
  /** True when we ended it ourselves because of a stop. */
  readonly isStop: boolean;

  constructor(command: string, { code, stderr, stopped }: GitResult) {
    super(`git ${command} ended with ${stopped ?? code}: ${stderr.trim().slice(-400)}`);
    this.isStop = stopped === "aborted";
  }
}
