import type { GitResult, RepositoryRef } from "../git/mod.ts";
import type { MaintenanceParts } from "./ports.ts";
import { readShape } from "./repository_shape.ts";
import { allRepositories, eachRepository, keyOf, subjectOf } from "./walk.ts";

/** Name of the job in notes and metrics. */
export const GIT_FSCK = "git_fsck";
/** For one check of one repository. */
const TIMEOUT_MS = 6 * 3_600_000;
const MAX_OUTPUT_BYTES = 1 << 20;
const MAX_REASON_LENGTH = 300;
/** Exit bit of git-fsck for objects whose content is odd or damaged; all others are damage. */
const OBJECT_BIT = 1;

/** Damage found while packs or refs changed is looked for once more, this often at most. */
const MAX_ATTEMPTS = 3;

/** Whether a repository is sound; `undefined` when the check was stopped or the repository went away. */
export type FsckVerdict = { readonly ok: true } | { readonly ok: false; readonly reason: string } | undefined;

/** What one run came to. */
export interface FsckResult {
  readonly checked: number;
  /** Repositories whose last check, in this run or before, found damage. */
  readonly damaged: readonly RepositoryRef[];
  /** Repositories that could not be checked. */
  readonly failed: number;
}

/**
 * Checks the repositories whose last check is older than `olderThanMs`: first that everything refs reach
 * is there, then the contents of all objects. A damaged repository is reported and served as
 * before, but for answers kept from when it was sound.
 */
export async function fsckRepositories(parts: MaintenanceParts, olderThanMs: number): Promise<FsckResult> {
  const { store, repositories, clock } = parts;
  const notes = new Map(
    (await store.repositoryNotes(GIT_FSCK)).map((note) => [keyOf(note.repository), note]),
  );
  const all = await allRepositories(parts);
  const due = all.filter((repository) => {
    const last = notes.get(keyOf(repository));
    return !last || last.at <= clock.now() - olderThanMs;
  });
  // Those checked longest ago come first: a run that is cut short goes on where it ended.
  due.sort((a, b) => (notes.get(keyOf(a))?.at ?? 0) - (notes.get(keyOf(b))?.at ?? 0));
  const damaged = new Map(
    all.filter((repository) => notes.get(keyOf(repository))?.ok === false).map((ref) => [keyOf(ref), ref]),
  );
  let checked = 0;
  const { failed } = await eachRepository(parts, due, async (repository) => {
    const done = repositories.use(repository);
    try {
      const verdict = await fsck(parts, repository);
      if (!verdict) return;
      checked++;
      report(parts, repository, verdict);
      if (verdict.ok) damaged.delete(keyOf(repository));
      else {
        damaged.set(keyOf(repository), repository);
        repositories.onGone(repositories.path(repository));
      }
      await store.putRepositoryNote({
        repository,
        job: GIT_FSCK,
        at: clock.now(),
        ok: verdict.ok,
        detail: verdict.ok ? "" : verdict.reason,
      });
    } finally {
      done();
    }
  });
  return { checked, damaged: [...damaged.values()], failed };
}

type FsckParts = Pick<MaintenanceParts, "git" | "repositories" | "signal">;

/**
 * Checks one repository without changing anything, while it may be pushed to, repacked and removed: what
 * git misses then is no damage. Throws when git cannot be run.
 */
export async function fsck(parts: FsckParts, repository: RepositoryRef): Promise<FsckVerdict> {
  const path = parts.repositories.path(repository);
  for (let attempt = 1;; attempt++) {
    const before = await readShape(path);
    const verdict = await check(parts, repository);
    if (verdict?.ok !== false) return verdict;
    if (await isGone(path)) return undefined;
    const { fingerprint } = await readShape(path);
    if (fingerprint === before.fingerprint || attempt === MAX_ATTEMPTS) return verdict;
  }
}

async function isGone(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(() => false, (error) => error instanceof Deno.errors.NotFound);
}

async function check(
  { git, repositories, signal }: FsckParts,
  repository: RepositoryRef,
): Promise<FsckVerdict> {
  const path = repositories.path(repository);
  for (const scope of ["--connectivity-only", "--full"]) {
    const result = await git.run(
      [`--git-dir=${path}`, "fsck", scope, "--no-dangling", "--no-progress"],
      { timeoutMs: TIMEOUT_MS, maxOutputBytes: MAX_OUTPUT_BYTES, isBackground: true, signal },
    );
    if (result.stopped === "aborted") return undefined;
    if (result.code === -1 || result.stopped === "timeout") {
      throw new Error("git fsck could not be run to its end");
    }
    const reason = damageOf(result);
    if (reason !== undefined) return { ok: false, reason: repositories.clean(reason, repository) };
  }
  return { ok: true };
}

/**
 * The first thing that is damaged. Old histories are full of objects that break rules of format and are
 * good all the same: `error in commit <id>: missingEmail: ...`.
 */
export function damageOf({ code, stdout, stderr, stopped }: GitResult): string | undefined {
  if (code === 0) return undefined;
  const lines = [...new TextDecoder().decode(stdout).split("\n"), ...stderr.split("\n")]
    .map((line) => line.trim()).filter((line) => line !== "");
  const damage = lines.filter((line) =>
    !/^(error|warning) in (commit|tree|tag|blob) /.test(line) &&
    !/^(warning|notice|hint|dangling) ?/.test(line)
  );
  if (damage.length === 0 && code === OBJECT_BIT) return undefined;
  // A broken link takes two lines: from and to.
  const text = damage.slice(0, 2).join(" ").replace(/\s+/g, " ");
  return (text || lines[0] || `git fsck ended with ${stopped ?? code}`).slice(0, MAX_REASON_LENGTH);
}

function report(
  { log }: MaintenanceParts,
  repository: RepositoryRef,
  verdict: NonNullable<FsckVerdict>,
): void {
  if (verdict.ok) log.debug("repository is sound", subjectOf(repository));
  else {
    log.error("repository is damaged; it is still served, see `maintain report` for what can be done", {
      ...subjectOf(repository),
      reason: verdict.reason,
    });
  }
}
