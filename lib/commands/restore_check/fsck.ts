import type { Git } from "../../git/mod.ts";
import { findGitTree } from "../backup/mod.ts";
import type { Progress } from "../progress.ts";

/** Walking the history of a very large repository. */
const TIMEOUT_MS = 1_800_000;

/** Follows every ref of every repository below `root`, contributed and retired ones included. */
export async function fsckAll(
  git: Git,
  root: string,
  progress: Progress,
): Promise<{ readonly checked: number; readonly broken: readonly string[] }> {
  const { repositories, unreadable } = await findGitTree(root);
  const broken = unreadable.map(({ path }) => path);
  progress.stage("checking connectivity", repositories.length);
  for (const path of repositories) {
    const result = await git.run(
      [`--git-dir=${root}/${path}`, "fsck", "--connectivity-only", "--no-dangling", "--no-progress"],
      { timeoutMs: TIMEOUT_MS },
    );
    if (result.code !== 0) broken.push(path);
    progress.advance();
  }
  return { checked: repositories.length, broken };
}
