import { programCommand } from "../support/server_process.ts";

/** What a run of the program led to. */
export interface ProgramRun {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** How to run the program: where its data lies, and what else it is told. */
export interface ProgramOptions {
  /** Parent of `git/` and `relay/`, and working directory. */
  readonly dataPath: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
}

/** Runs the program to its end on the data of a server (see ServerProcess). */
export async function runProgram(args: readonly string[], options: ProgramOptions): Promise<ProgramRun> {
  const { command, args: own } = programCommand();
  const { dataPath, env, stdin } = options;
  const child = new Deno.Command(command, {
    args: [...own, ...args],
    cwd: dataPath,
    env: {
      NO_COLOR: "1",
      NGIT_BIND_ADDRESS: "127.0.0.1:0",
      NGIT_GIT_DATA_PATH: `${dataPath}/git`,
      NGIT_RELAY_DATA_PATH: `${dataPath}/relay`,
      NGIT_RELAY_OWNER_NSEC: "1".repeat(64),
      ...env,
    },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  if (stdin !== undefined) await writer.write(new TextEncoder().encode(stdin)).catch(() => {});
  await writer.close().catch(() => {});
  const { code, stdout, stderr } = await child.output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

/** Copies a directory with everything in it, as `cp -a` does. */
export async function copyTree(from: string, to: string): Promise<void> {
  const { code, stderr } = await new Deno.Command("cp", { args: ["-a", from, to] }).output();
  if (code !== 0) throw new Error(new TextDecoder().decode(stderr));
}
