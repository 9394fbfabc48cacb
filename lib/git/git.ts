import { resolve } from "node:path";
import type { Clock } from "../world/mod.ts";
import { END_WITH_US, type GitChild, GitProcess, type GitProgram } from "./git_process.ts";
import { gitEnvironment, gitSettings, type GitVersion, isAtLeast, parseGitVersion } from "./settings.ts";

/** Which transports a child may use: none unless asked for. */
export type AllowedProtocol = "file" | "http:https";

/** How one short git command is run. */
export interface GitRunOptions {
  /** Written to standard input, which is then closed. */
  readonly input?: string | Uint8Array;
  /** The child is ended (TERM, 5 s later KILL) after this long. */
  readonly timeoutMs: number;
  /** Ends the child when it aborts. */
  readonly signal?: AbortSignal;
  /** Most standard output kept, default 64 MiB; a child that prints more is ended. */
  readonly maxOutputBytes?: number;
  readonly allowProtocol?: AllowedProtocol;
  /** Becomes GIT_PROTOCOL. */
  readonly protocol?: string;
  /**
   * Work nobody waits for: runs at a lower priority where nice(1) is installed, and ends with a killed
   * server where setpriv(1) of util-linux is.
   */
  readonly isBackground?: boolean;
}

/** What became of a command. */
export interface GitResult {
  /** Exit code; 128 + signal number when killed; -1 when no process could be started. */
  readonly code: number;
  readonly stdout: Uint8Array;
  /** The last 8 KiB. May name host paths: never send it to a client as it is. */
  readonly stderr: string;
  /** Why we ended the child, when we did. */
  readonly stopped: "timeout" | "aborted" | "output" | undefined;
}

/** The only way to run git. */
export interface Git {
  readonly version: GitVersion;
  /** Empty private directory, HOME of every child. */
  readonly homePath: string;
  /** Runs a command to its end. Never rejects; see {@link GitResult}. */
  run(args: readonly string[], options: GitRunOptions): Promise<GitResult>;
  /** Starts a child. Throws when git cannot be started. `protocol` becomes GIT_PROTOCOL. */
  spawn(args: readonly string[], options?: { protocol?: string; signal?: AbortSignal }): GitChild;
  /** Number of children running now. */
  readonly running: number;
}

/** Oldest git that knows everything we rely on. */
const MINIMUM_VERSION = [2, 34] as const;
/** Longest time to tell a version. */
const VERSION_TIMEOUT_MS = 10_000;
/** The same for a check, which has to end within 10 s although ending such a git (TERM, KILL) takes 5 s more. */
const INSPECTION_TIMEOUT_MS = 4_000;
const DEFAULT_SEARCH_PATH = "/usr/local/bin:/usr/bin:/bin";
const DEFAULT_MAX_OUTPUT_BYTES = 64 << 20;

/** What {@link createGit} needs. */
export interface GitOptions {
  /** Path of the git program, or a name looked up once in `searchPath`. */
  readonly binary: string;
  /** Created when missing; must stay empty. */
  readonly homePath: string;
  readonly clock: Clock;
  readonly limits: {
    /** `receive.maxInputSize` in bytes; 0 = unlimited. */
    readonly maxPushBytes: number;
  };
  /** PATH of children. */
  readonly searchPath?: string;
}

/** Prepares git. Rejects with one plain sentence when git is missing or older than 2.34. */
export async function createGit(options: GitOptions): Promise<Git> {
  const searchPath = options.searchPath ?? DEFAULT_SEARCH_PATH;
  const program = {
    git: await resolveBinary(options.binary, searchPath),
    setsid: await findTool("setsid", searchPath),
    nice: await findTool("nice", searchPath),
    setpriv: await findSetpriv(searchPath),
  };
  const homePath = await privateDirectory(options.homePath);
  const bare = new GitRunner(
    program,
    searchPath,
    homePath,
    options.clock,
    { major: 0, minor: 0, text: "" },
    () => [],
  );
  const version = await gitVersion(bare, VERSION_TIMEOUT_MS);
  const settings = () => gitSettings(version, options.limits.maxPushBytes);
  return new GitRunner(program, searchPath, homePath, options.clock, version, settings);
}

/**
 * Where git is looked up: what was found, and the program it is a link to. Without a find (or without
 * permission to look) undefined.
 */
export async function locateGit(
  binary: string,
  searchPath: string,
): Promise<{ readonly found: string; readonly program: string } | undefined> {
  const found = await firstFile(binary.includes("/") ? [resolve(binary)] : inSearchPath(binary, searchPath));
  if (found === undefined) return undefined;
  return { found, program: await Deno.realPath(found) };
}

/** Where git is and which version, without preparing anything. Rejects like {@link createGit}. */
export async function inspectGit(
  options: Pick<GitOptions, "binary" | "searchPath" | "clock">,
): Promise<{ readonly path: string; readonly version: GitVersion }> {
  const searchPath = options.searchPath ?? DEFAULT_SEARCH_PATH;
  const path = await resolveBinary(options.binary, searchPath);
  const program = { git: path, setsid: undefined, nice: undefined, setpriv: undefined };
  const unknown = { major: 0, minor: 0, text: "" };
  const runner = new GitRunner(program, searchPath, "/", options.clock, unknown, () => []);
  return { path, version: await gitVersion(runner, INSPECTION_TIMEOUT_MS) };
}

/** Asks git for its version. Rejects when it is not git, does not answer in time or is older than 2.34. */
async function gitVersion(git: Pick<Git, "run">, timeoutMs: number): Promise<GitVersion> {
  const result = await git.run(["version"], { timeoutMs });
  if (result.stopped === "timeout") {
    throw new Error(`git did not tell its version within ${timeoutMs / 1000} s`);
  }
  const version = parseGitVersion(new TextDecoder().decode(result.stdout));
  if (result.code !== 0 || !version) throw new Error("git could not be run: check the git binary setting");
  if (!isAtLeast(version, ...MINIMUM_VERSION)) {
    throw new Error(`git ${version.text} is too old: ${MINIMUM_VERSION.join(".")} or newer is needed`);
  }
  return version;
}

async function resolveBinary(binary: string, searchPath: string): Promise<string> {
  const located = await locateGit(binary, searchPath);
  if (located === undefined) throw new Error(`git not found (NGIT_GIT_BINARY=${binary})`);
  return located.program;
}

/** A small tool, when it is installed and may be run. Its links are kept: busybox goes by the name it is called. */
async function findTool(name: string, searchPath: string): Promise<string | undefined> {
  const command = await firstFile(inSearchPath(name, searchPath));
  if (command === undefined) return undefined;
  const { state } = await Deno.permissions.query({ name: "run", command });
  return state === "granted" ? command : undefined;
}

/** Others of that name do not know what we need of it. */
async function findSetpriv(searchPath: string): Promise<string | undefined> {
  const command = await findTool("setpriv", searchPath);
  if (command === undefined) return undefined;
  const args = [...END_WITH_US, command, "--version"];
  const quiet = { stdin: "null", stdout: "null", stderr: "null" } as const;
  const { success } = await new Deno.Command(command, { args, clearEnv: true, ...quiet }).output()
    .catch(() => ({ success: false }));
  return success ? command : undefined;
}

function inSearchPath(name: string, searchPath: string): readonly string[] {
  return searchPath.split(":").filter((folder) => folder !== "").map((folder) => `${folder}/${name}`);
}

async function firstFile(candidates: readonly string[]): Promise<string | undefined> {
  for (const candidate of candidates) {
    const file = await Deno.stat(candidate).catch(() => undefined);
    if (file?.isFile) return candidate;
  }
  return undefined;
}

async function privateDirectory(path: string): Promise<string> {
  await Deno.mkdir(path, { recursive: true, mode: 0o700 });
  return await Deno.realPath(path);
}

class GitRunner implements Git {
  readonly #processes = new Set<GitProcess>();

  constructor(
    readonly program: GitProgram,
    readonly searchPath: string,
    readonly homePath: string,
    readonly clock: Clock,
    readonly version: GitVersion,
    /** Asked for every child: limits may change. */
    readonly settings: () => readonly (readonly [string, string])[],
  ) {}

  get running(): number {
    return this.#processes.size;
  }

  spawn(args: readonly string[], options: { protocol?: string; signal?: AbortSignal } = {}): GitChild {
    const child = this.#start(args, { protocol: options.protocol });
    const { signal } = options;
    if (signal) {
      const kill = () => child.kill();
      signal.addEventListener("abort", kill, { once: true });
      child.ended.then(() => signal.removeEventListener("abort", kill));
      if (signal.aborted) kill();
    }
    return child;
  }

  async run(args: readonly string[], options: GitRunOptions): Promise<GitResult> {
    const { signal, allowProtocol, protocol, isBackground, timeoutMs } = options;
    let child: GitProcess;
    try {
      child = this.#start(args, { allowProtocol, protocol, isBackground });
    } catch {
      return { code: -1, stdout: new Uint8Array(), stderr: "git could not be started", stopped: undefined };
    }
    let stopped: GitResult["stopped"];
    const stop = (why: GitResult["stopped"]) => {
      stopped ??= why;
      child.kill();
    };
    const over = new AbortController();
    const onAbort = () => stop("aborted");
    signal?.addEventListener("abort", onAbort, { once: true });
    if (signal?.aborted) onAbort();
    const deadline = this.clock.sleep(timeoutMs, over.signal).then(() => {
      if (!over.signal.aborted) stop("timeout");
    });
    const [stdout, exit] = await Promise.all([
      readAll(child.stdout, options.maxOutputBytes ?? DEFAULT_MAX_OUTPUT_BYTES, () => stop("output")),
      child.ended,
      writeAll(child.stdin, options.input),
    ]);
    over.abort();
    signal?.removeEventListener("abort", onAbort);
    await deadline;
    return { code: exit.code, stdout, stderr: child.stderr(), stopped };
  }

  #start(
    args: readonly string[],
    { isBackground, ...options }: {
      protocol?: string | undefined;
      allowProtocol?: string | undefined;
      isBackground?: boolean | undefined;
    },
  ): GitProcess {
    const env = gitEnvironment({
      searchPath: this.searchPath,
      homePath: this.homePath,
      settings: this.settings(),
      ...options,
    });
    const process = new GitProcess(this.program, args, env, this.homePath, this.clock, isBackground);
    this.#processes.add(process);
    process.ended.then(() => this.#processes.delete(process));
    return process;
  }
}

async function writeAll(stdin: WritableStream<Uint8Array>, input: string | Uint8Array | undefined) {
  const writer = stdin.getWriter();
  try {
    if (input !== undefined && input.length > 0) {
      await writer.write(typeof input === "string" ? new TextEncoder().encode(input) : input);
    }
    await writer.close();
  } catch {
    // The child stopped reading; its exit code tells the rest.
  }
}

async function readAll(stream: ReadableStream<Uint8Array>, maxBytes: number, onTooMuch: () => void) {
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of stream) {
      size += chunk.length;
      if (size <= maxBytes) chunks.push(chunk);
      else onTooMuch();
    }
  } catch {
    // A broken pipe ends the output; the exit code tells the rest.
  }
  const all = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let offset = 0;
  for (const chunk of chunks) {
    all.set(chunk, offset);
    offset += chunk.length;
  }
  return all;
}
