import { isOid } from "../nostr/mod.ts";
import type { Git } from "./git.ts";

/**
 * The commit a working copy stands at; undefined when `gitDirectory` (its `.git`) is none or git
 * cannot tell. A directory above is never asked: it may belong to something else.
 */
export async function headCommit(git: Pick<Git, "run">, gitDirectory: string): Promise<string | undefined> {
  const command = ["--git-dir", gitDirectory, "rev-parse", "--verify", "--quiet", "HEAD^{commit}"];
  const { code, stdout } = await git.run(command, { timeoutMs: 10_000, maxOutputBytes: 1_000 });
  const commit = new TextDecoder().decode(stdout).trim();
  return code === 0 && isOid(commit) ? commit : undefined;
}
