import type { Git } from "../../git/mod.ts";
import { findGitTree } from "../backup/mod.ts";
import type { Progress } from "../progress.ts";

/** Walking the history of a very large repository. */
const TIMEOUT_MS = 1_800_000;

/**
 * Follows every ref of every repository below `root`, contributed and retired ones included, and reads
 * every pack: damaged bytes are found, objects of an odd form that somebody once wrote are none.
 */
export async function fsckAll(
  git: Git,
  root: string,
  progress: Progress,
): Promise<{ readonly checked: number; readonly broken: readonly string[] }> {
  const { repositories, unreadable } = await findGitTree(root);
  const broken = unreadable.map(({ path }) => path);
  progress.stage("checking connectivity", repositories.length);
  for (const path of repositories) {
    if (!await isWhole(git, `${root}/${path}`)) broken.push(path);
    progress.advance();
  }
  return { checked: repositories.length, broken };
}

async function isWhole(git: Git, path: string): Promise<boolean> {
  const passes = async (...args: string[]) =>
    (await git.run([`--git-dir=${path}`, ...args], { timeoutMs: TIMEOUT_MS })).code === 0;
  if (!await passes("fsck", "--connectivity-only", "--no-dangling", "--no-progress")) return false;
  const folder = `${path}/objects/pack`;
  const entries = await Array.fromAsync(Deno.readDir(folder)).catch(() => []);
  const packs = entries.filter(({ name }) => name.endsWith(".idx")).map(({ name }) => `${folder}/${name}`);
  return packs.length === 0 || await passes("verify-pack", ...packs);
}
