import { GIT_ENVIRONMENT } from "../tests/support/git_client.ts";

/** Runs git as a client whose time is measured, or whose work is long: `signal` ends it. Throws with what it said. */
export async function clientGit(signal: AbortSignal, directory: string, ...args: string[]): Promise<void> {
  signal.throwIfAborted();
  const { success, stderr } = await new Deno.Command("git", {
    args,
    cwd: directory,
    clearEnv: true,
    env: GIT_ENVIRONMENT,
    stdin: "null",
    stdout: "null",
    signal,
  }).output();
  signal.throwIfAborted();
  if (!success) throw new Error(`git ${args[0]} failed: ${new TextDecoder().decode(stderr).slice(-500)}`);
}
