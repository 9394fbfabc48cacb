import type { Clock } from "../world/mod.ts";

/** How a child ended. */
export interface GitExit {
  readonly code: number;
  readonly signal: string | undefined;
}

/** A running git child with open pipes, used to serve one request. */
export interface GitChild {
  readonly stdin: WritableStream<Uint8Array>;
  /** Must be read to its end or cancelled. */
  readonly stdout: ReadableStream<Uint8Array>;
  /** Resolves when the process is gone and its stderr read. Never rejects. */
  readonly ended: Promise<GitExit>;
  /** The last 8 KiB of standard error, host paths included. */
  stderr(): string;
  /** Ends the child and its children: TERM, after 5 s KILL. */
  kill(): void;
}

/** What is run, both as absolute paths. */
export interface GitProgram {
  readonly git: string;
  /**
   * setsid(1), which gives git a process group of its own and becomes it. Undefined: the runtime makes
   * the group, and forks the whole server for it, which stops every other request meanwhile.
   */
  readonly setsid: string | undefined;
  /** nice(1), for children that must not be in the way of requests. */
  readonly nice: string | undefined;
  /**
   * setpriv(1) of util-linux, for children that end with the server however it ends: what they drop is
   * safe under its locks only. Undefined: a killed server leaves them running.
   */
  readonly setpriv: string | undefined;
}

/** How much lower than ours the priority of a background child is. */
const NICENESS = ["-n", "10"];
/** Ends a background child at the death of the server; git's own helpers end for lack of a reader. */
export const END_WITH_US = ["--pdeathsig", "TERM"];

/** How much of standard error is kept: its end says what went wrong. */
const STDERR_BYTES = 8 * 1024;
/** From TERM to KILL. */
const KILL_AFTER_MS = 5_000;

/** One git child in its own process group, so that the helpers git starts end with it. */
export class GitProcess implements GitChild {
  readonly stdin: WritableStream<Uint8Array>;
  readonly stdout: ReadableStream<Uint8Array>;
  readonly ended: Promise<GitExit>;
  readonly #process: Deno.ChildProcess;
  readonly #clock: Clock;
  readonly #over = new AbortController();
  #stderr = new Uint8Array();
  #killing = false;

  /** Starts the child. Throws when no process can be started; git itself failing to start is exit code 126 or 127. */
  constructor(
    program: GitProgram,
    args: readonly string[],
    env: Record<string, string>,
    cwd: string,
    clock: Clock,
    isBackground = false,
  ) {
    this.#clock = clock;
    const { git, setsid, nice, setpriv } = program;
    const [command, ...rest] = [
      ...(setsid === undefined ? [] : [setsid]),
      ...(setpriv === undefined || !isBackground ? [] : [setpriv, ...END_WITH_US]),
      ...(nice === undefined || !isBackground ? [] : [nice, ...NICENESS]),
      git,
      ...args,
    ];
    this.#process = new Deno.Command(command!, {
      args: rest,
      env,
      cwd,
      clearEnv: true,
      detached: setsid === undefined,
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.stdin = this.#process.stdin;
    this.stdout = this.#process.stdout;
    this.ended = this.#wait();
  }

  stderr(): string {
    return new TextDecoder().decode(this.#stderr);
  }

  kill(): void {
    if (this.#killing || this.#over.signal.aborted) return;
    this.#killing = true;
    this.#signalGroup("SIGTERM");
    this.#clock.sleep(KILL_AFTER_MS, this.#over.signal).then(() => {
      if (!this.#over.signal.aborted) this.#signalGroup("SIGKILL");
    });
  }

  #signalGroup(signal: Deno.Signal): void {
    try {
      Deno.kill(-this.#process.pid, signal);
    } catch {
      this.#signalAlone(signal);
    }
  }

  /** No such group: setsid has not made it yet, so there are no helpers either, or all have ended. */
  #signalAlone(signal: Deno.Signal): void {
    try {
      this.#process.kill(signal);
    } catch {
      // It ended by itself.
    }
  }

  async #wait(): Promise<GitExit> {
    const [status] = await Promise.all([this.#process.status, this.#drainStderr()]);
    this.#over.abort();
    return { code: status.code, signal: status.signal ?? undefined };
  }

  async #drainStderr(): Promise<void> {
    try {
      for await (const chunk of this.#process.stderr) {
        const joined = new Uint8Array(this.#stderr.length + chunk.length);
        joined.set(this.#stderr);
        joined.set(chunk, this.#stderr.length);
        this.#stderr = joined.slice(-STDERR_BYTES);
      }
    } catch {
      // The pipe broke with the child.
    }
  }
}
