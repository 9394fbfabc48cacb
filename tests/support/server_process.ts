import { resolve } from "node:path";

/** How to start a server: extra options by variable name, and where its data lives. */
export interface ServerOptions {
  /** Parent of `git/` and `relay/`; the caller removes it. */
  readonly dataPath: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Arguments after the program's own. */
  readonly args?: readonly string[];
  /** A command that runs the program given as its last arguments. */
  readonly wrapper?: readonly string[];
  /** Fixed port instead of a free one, for restarts. */
  readonly port?: number;
  /** Command line to start it with, when it is not the usual one. */
  readonly program?: { readonly command: string; readonly args: readonly string[] };
}

const START_TIMEOUT_MS = 30_000;
const ROOT = resolve(import.meta.dirname!, "../..");

/** Command line of the program under test: this source tree, or the file named by `NGIT_GRASP_BIN`. */
export function programCommand(): { command: string; args: string[] } {
  const binary = Deno.env.get("NGIT_GRASP_BIN");
  return binary ? { command: binary, args: [] } : workingCopyCommand();
}

/** Command line of this source tree, whatever `NGIT_GRASP_BIN` says. */
export function workingCopyCommand(): { command: string; args: string[] } {
  const args = [
    "run",
    "--no-prompt",
    "--quiet",
    "--config",
    `${ROOT}/deno.json`,
    "-P=serve",
    `${ROOT}/main.ts`,
  ];
  return { command: Deno.execPath(), args };
}

/** What Deno itself needs, and the option that all servers of a test run may be given another value of. */
const INHERITED = [
  ...["PATH", "HOME", "DENO_DIR", "DENO_TLS_CA_STORE", "TMPDIR", "XDG_CACHE_HOME"],
  "NGIT_PACK_CACHE_MB",
];

/** The environment a server process gets: nothing is inherited but {@link INHERITED}. */
function environment(options: ServerOptions): Record<string, string> {
  const inherited = INHERITED.flatMap((name) => {
    const value = Deno.env.get(name);
    return value === undefined ? [] : [[name, value]];
  });
  return {
    ...Object.fromEntries(inherited),
    NO_COLOR: "1",
    NGIT_BIND_ADDRESS: `127.0.0.1:${options.port ?? 0}`,
    NGIT_GIT_DATA_PATH: `${options.dataPath}/git`,
    NGIT_RELAY_DATA_PATH: `${options.dataPath}/relay`,
    NGIT_RELAY_OWNER_NSEC: "1".repeat(64),
    NGIT_LOG_FORMAT: "json",
    NGIT_LOG_LEVEL: "debug",
    NGIT_MAX_EVENTS_PER_MINUTE: "100000",
    ...options.env,
  };
}

/** A running server process. */
export class ServerProcess {
  readonly #child: Deno.ChildProcess;
  readonly #output: string[];
  readonly #drained: Promise<unknown>;
  readonly port: number;

  private constructor(child: Deno.ChildProcess, output: string[], drained: Promise<unknown>, port: number) {
    this.#child = child;
    this.#output = output;
    this.#drained = drained;
    this.port = port;
  }

  /** Starts a server and waits until it answers. */
  static async start(options: ServerOptions): Promise<ServerProcess> {
    const program = options.program ?? programCommand();
    const [command, ...args] = [...options.wrapper ?? [], program.command, ...program.args] as [string];
    await Deno.mkdir(options.dataPath, { recursive: true });
    await Deno.remove(`${statePath(options)}/bound-address`).catch(() => {});
    const child = new Deno.Command(command, {
      args: [...args, ...options.args ?? []],
      cwd: options.dataPath,
      clearEnv: true,
      env: environment(options),
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const output: string[] = [];
    const drained = Promise.all([child.stdout, child.stderr].map(async (stream) => {
      for await (const text of stream.pipeThrough(new TextDecoderStream())) output.push(text);
    }));
    let ended = false;
    child.status.then(() => ended = true);
    const deadline = Date.now() + START_TIMEOUT_MS;
    for (;;) {
      const address = await Deno.readTextFile(`${statePath(options)}/bound-address`).catch(() => "");
      const port = Number(/:(\d+)\s*$/.exec(address)?.[1] ?? 0);
      if (port > 0 && await isReady(port)) return new ServerProcess(child, output, drained, port);
      if (ended || Date.now() > deadline) {
        if (!ended) child.kill("SIGKILL");
        await child.status;
        await drained;
        throw new Error(`server did not start:\n${output.join("")}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** `host:port` as events have to name it. */
  get domain(): string {
    return `localhost:${this.port}`;
  }

  get httpUrl(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get wsUrl(): string {
    return `ws://127.0.0.1:${this.port}/`;
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Everything it has written so far. */
  get log(): string {
    return this.#output.join("");
  }

  /** Clone URL of a repository on this server. */
  cloneUrl(npub: string, identifier: string): string {
    return `${this.httpUrl}/${npub}/${encodeURIComponent(identifier)}.git`;
  }

  /** Asks it to stop and waits; returns the exit code. */
  async stop(): Promise<number> {
    return await this.#end("SIGTERM");
  }

  /** Kills it as a power cut would. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  /** Resident memory in bytes. */
  async residentBytes(): Promise<number> {
    const { stdout } = await new Deno.Command("cat", { args: [`/proc/${this.pid}/status`] }).output();
    return Number(/VmRSS:\s+(\d+) kB/.exec(new TextDecoder().decode(stdout))![1]) * 1024;
  }

  async #end(signal: Deno.Signal): Promise<number> {
    try {
      this.#child.kill(signal);
    } catch {
      // it has ended by itself
    }
    const { code } = await this.#child.status;
    await this.#drained;
    return code;
  }
}

/** Where the server says on which port it listens: the memory backend has no relay data path. */
function statePath({ dataPath, env }: ServerOptions): string {
  const path = env?.NGIT_DATABASE_BACKEND === "memory" ? env.NGIT_GIT_DATA_PATH : env?.NGIT_RELAY_DATA_PATH;
  return path ?? `${dataPath}/relay`;
}

async function isReady(port: number): Promise<boolean> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/readyz`);
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false; // not listening yet
  }
}
