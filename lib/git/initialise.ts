import { type Random, randomHex } from "../world/mod.ts";
import type { Git } from "./git.ts";
import { RepositoryError } from "./refs.ts";

const TIMEOUT_MS = 60_000;
/** Name of the repository that stands for every contributor's repository that does not exist. */
const EMPTY = ".empty.git";

/** Kept in each repository as well, so that the directory can be taken over by another server. */
const PERSISTED_CONFIG = `[uploadpack]
\tallowTipSHA1InWant = true
\tallowReachableSHA1InWant = true
\tallowAnySHA1InWant = true
\tallowFilter = true
`;

/** Makes an empty bare repository: SHA-1, HEAD `refs/heads/master`. Throws {@link RepositoryError} with git's words. */
export async function initialiseRepository(git: Git, path: string): Promise<void> {
  const result = await git.run([
    "init",
    "--bare",
    "--quiet",
    "--template=",
    "--initial-branch=master",
    "--object-format=sha1",
    "--end-of-options",
    path,
  ], { timeoutMs: TIMEOUT_MS });
  if (result.code !== 0) {
    throw new RepositoryError(`a repository could not be created: ${result.stderr.trim()}`);
  }
  await Deno.writeTextFile(`${path}/config`, PERSISTED_CONFIG, { append: true });
}

/** The directory below `root` of a repository that stays empty; created when missing. Throws {@link RepositoryError}. */
export async function emptyRepository(git: Git, root: string, random: Random): Promise<string> {
  const path = `${root}/${EMPTY}`;
  if (await Deno.lstat(`${path}/HEAD`).catch(() => undefined)) return path;
  const temporary = `${root}/.empty-${randomHex(random, 16)}`;
  await Deno.mkdir(root, { recursive: true, mode: 0o750 });
  await Deno.remove(path, { recursive: true }).catch(() => {});
  await initialiseRepository(git, temporary);
  await Deno.rename(temporary, path);
  return path;
}
