import { COMMITS, makeSource } from "../crash/source.ts";
import { git } from "../support/git_client.ts";

const PROPOSALS = 40;

/** The repository everybody pushes from, and its commits. */
export interface Source {
  readonly directory: string;
  /** Oldest first, each the child of the one before. */
  readonly commits: readonly string[];
  /** Commits that are on no branch, each on top of one of {@link commits}. */
  readonly proposals: readonly string[];
}

/** Makes the shared repository. */
export async function openSource(directory: string): Promise<Source> {
  const commits = await makeSource(directory);
  const proposals: string[] = [];
  const author = ["-c", "user.name=Bob", "-c", "user.email=bob@example.com"];
  for (let n = 0; n < PROPOSALS; n++) {
    const parent = commits[n % COMMITS]!;
    const args = ["commit-tree", `${parent}^{tree}`, "-p", parent, "-m", `proposal ${n}`];
    const commit = await git(directory, ...author, ...args);
    await git(directory, "update-ref", `refs/heads/proposal-${n}`, commit);
    proposals.push(commit);
  }
  return { directory, commits, proposals };
}
