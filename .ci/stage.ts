/** What `package.ts` and `compile.ts` share: a copy of the program that knows its commit, and child processes. */
import { resolve } from "node:path";

/** The checkout this file belongs to. */
export const ROOT = resolve(import.meta.dirname!, "..");

/**
 * Copies the program (no tests) into `directory` and writes down there which commit it is.
 * Returns that commit; `unknown` without git.
 */
export async function stageProgram(directory: string): Promise<string> {
  for (const name of ["deno.json", "deno.lock", "main.ts", "lib"]) {
    await copy(`${ROOT}/${name}`, `${directory}/${name}`);
  }
  const commit = await sourceCommit();
  await Deno.writeTextFile(`${directory}/lib/build.json`, JSON.stringify({ commit }) + "\n");
  return commit;
}

/** Short commit of the checkout, with `-dirty` when files of the program differ from it. */
async function sourceCommit(): Promise<string> {
  const git = (...args: string[]) => output("git", ["-C", ROOT, ...args]).catch(() => undefined);
  const commit = (await git("rev-parse", "--short=12", "HEAD"))?.trim();
  if (!commit) return "unknown";
  const changes = await git("status", "--porcelain", "--", "main.ts", "lib", "deno.json", "deno.lock");
  return changes === "" ? commit : `${commit}-dirty`;
}

/** Copies a file or a folder with all that is in it. */
export async function copy(from: string, to: string): Promise<void> {
  if (!(await Deno.stat(from)).isDirectory) return await Deno.copyFile(from, to);
  await Deno.mkdir(to, { recursive: true });
  for await (const entry of Deno.readDir(from)) await copy(`${from}/${entry.name}`, `${to}/${entry.name}`);
}

/** Paths of all files in a folder and the folders in it, sorted. */
export async function filesIn(directory: string): Promise<string[]> {
  const found: string[] = [];
  for await (const entry of Deno.readDir(directory)) {
    const path = `${directory}/${entry.name}`;
    found.push(...entry.isDirectory ? await filesIn(path) : [path]);
  }
  return found.sort();
}

/** Runs a program and returns what it wrote; throws with its errors when it fails. */
export async function output(
  command: string,
  args: readonly string[],
  { cwd = ROOT, env = {} }: { readonly cwd?: string; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<string> {
  const child = new Deno.Command(command, {
    args: [...args],
    cwd,
    env: { ...env, NO_COLOR: "1" },
    stdin: "null",
  });
  const { success, stdout, stderr } = await child.output();
  if (success) return new TextDecoder().decode(stdout);
  throw new Error(`${command} ${args.join(" ")}\n${new TextDecoder().decode(stderr).trim()}`);
}

/** `12.3 MB`. */
export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
