/** What a git command said. */
export interface GitOutput {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Environment of the git client: no user or system configuration, no questions. */
export const GIT_ENVIRONMENT = {
  PATH: Deno.env.get("PATH") ?? "/usr/bin:/bin",
  HOME: "/nonexistent",
  LC_ALL: "C",
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_TERMINAL_PROMPT: "0",
  GIT_AUTHOR_NAME: "Alice",
  GIT_AUTHOR_EMAIL: "alice@example.com",
  GIT_COMMITTER_NAME: "Alice",
  GIT_COMMITTER_EMAIL: "alice@example.com",
};

/** Runs the system git in `directory` without any user configuration; never throws on a non-zero exit. */
export async function tryGit(directory: string, ...args: string[]): Promise<GitOutput> {
  const { code, stdout, stderr } = await new Deno.Command("git", {
    args,
    cwd: directory,
    clearEnv: true,
    env: GIT_ENVIRONMENT,
    stdin: "null",
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

/** Runs git and returns its trimmed standard output; throws with stderr when it fails. */
export async function git(directory: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await tryGit(directory, ...args);
  if (code !== 0) throw new Error(`git ${args.join(" ")} failed (${code}): ${stderr || stdout}`);
  return stdout.trim();
}

/** A new work tree on branch `main` with one commit per entry of `files`. */
export async function newWorkTree(
  directory: string,
  files: readonly string[] = ["README.md"],
): Promise<string> {
  await Deno.mkdir(directory, { recursive: true });
  await git(directory, "init", "-q", "-b", "main");
  for (const file of files) await commitFile(directory, file, `content of ${file}\n`);
  return directory;
}

/** Writes and commits one file; returns the commit's id. */
export async function commitFile(
  directory: string,
  file: string,
  content: string | Uint8Array,
): Promise<string> {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  await Deno.writeFile(`${directory}/${file}`, bytes);
  await git(directory, "add", "--", file);
  await git(directory, "commit", "-q", "-m", `add ${file}`);
  return await git(directory, "rev-parse", "HEAD");
}

/** All branches and tags of a repository: full name to object id. */
export async function refsOf(directory: string): Promise<Record<string, string>> {
  const lines = await git(
    directory,
    "for-each-ref",
    "--format=%(refname) %(objectname)",
    "refs/heads",
    "refs/tags",
  );
  return Object.fromEntries(
    lines.split("\n").filter(Boolean).map((line) => line.split(" ") as [string, string]),
  );
}

/** A pack with everything `tip` reaches. */
export async function packOf(directory: string, tip: string): Promise<Uint8Array<ArrayBuffer>> {
  const child = new Deno.Command("git", {
    args: ["-C", directory, "pack-objects", "--stdout", "--revs", "-q"],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(`${tip}\n`));
  await writer.close();
  return (await child.output()).stdout;
}
