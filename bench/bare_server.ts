import { setNoDelay } from "../lib/http/no_delay.ts";

/** A bare server in a process of its own, as the servers beside it have one. */
export interface BareServer {
  readonly port: number;
  readonly pid: number;
  stop(): Promise<void>;
}

const CONFIG = new URL("../deno.json", import.meta.url).pathname;

/** Starts the program at `url`, which reads `settings` as JSON and writes the port it listens on. */
export async function startBareServer(url: URL, settings: unknown): Promise<BareServer> {
  const args = [
    "run",
    "--no-prompt",
    "--quiet",
    "--no-check",
    "--config",
    CONFIG,
    "-N=127.0.0.1",
    "--allow-ffi",
    url.pathname,
  ];
  const child = new Deno.Command(Deno.execPath(), { args, stdin: "piped", stdout: "piped" }).spawn();
  const stop = async () => {
    child.kill("SIGKILL");
    await child.status;
  };
  try {
    await new Blob([JSON.stringify(settings)]).stream().pipeTo(child.stdin);
    const { value } = await child.stdout.getReader().read();
    const port = Number(new TextDecoder().decode(value));
    if (!(port > 0)) throw new Error(`${url.pathname} did not start`);
    return { port, pid: child.pid, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** In such a program: what it was started with. */
export async function readSettings<T>(): Promise<T> {
  return await new Response(Deno.stdin.readable).json() as T;
}

/**
 * In such a program: serves, and says where. Small writes go out at once, as from the servers beside it:
 * with Nagle's algorithm the last frames of an answer wait up to 40 ms for the client.
 */
export function serveBare(handler: (request: Request) => Response): void {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, handler);
  const { port } = server.addr;
  if (!setNoDelay(port)) throw new Error("TCP_NODELAY cannot be set");
  console.log(port);
}
