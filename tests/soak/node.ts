import { descendantsOf, killAll } from "../crash/processes.ts";
import { RelayClient } from "../support/relay_client.ts";
import { ServerProcess } from "../support/server_process.ts";
import { TcpProxy } from "../support/tcp_proxy.ts";

const CONNECT_MS = 5_000;

/** How a server goes down. */
export type Stop = "kill" | "kill with children" | "terminate";

/**
 * One server on a data directory, behind a proxy whose port is its public name: peers reach it through
 * the proxy, and so do some clients.
 */
export class Node {
  readonly name: string;
  readonly proxy: TcpProxy;
  readonly dataPath: string;
  /** Everything its ended lives have written. */
  readonly logs: string[] = [];
  maxResidentBytes = 0;
  /** A fault is under way: no other one is begun. */
  disturbed = false;
  #env: Readonly<Record<string, string>> = {};
  #server: ServerProcess | undefined;
  #port: number | undefined;

  constructor(name: string, proxy: TcpProxy, dataPath: string) {
    this.name = name;
    this.proxy = proxy;
    this.dataPath = dataPath;
  }

  /** `host:port` as events name it. */
  get domain(): string {
    return `localhost:${this.proxy.port}`;
  }

  get isUp(): boolean {
    return this.#server !== undefined;
  }

  /** Log of the present life. */
  get log(): string {
    return this.#server?.log ?? "";
  }

  /** Where a client reaches it: past the proxy, or through it. */
  httpUrl(throughProxy = false): string {
    return `http://127.0.0.1:${throughProxy ? this.proxy.port : this.#port}`;
  }

  /** A new client connection. Rejects when there is none within a few seconds. */
  connect(throughProxy = false): Promise<RelayClient> {
    const opening = RelayClient.connect(this.httpUrl(throughProxy).replace("http:", "ws:"));
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new Error("no connection"));
        opening.then((late) => late.close()).catch(() => {});
      }, CONNECT_MS);
      opening.then(resolve, reject).finally(() => clearTimeout(timer));
    });
  }

  /** Starts it, on the port of its former life when there was one; `env` is kept for later lives. */
  async start(env = this.#env): Promise<void> {
    this.#env = env;
    const server = await ServerProcess.start({
      dataPath: this.dataPath,
      env: { NGIT_DOMAIN: this.domain, ...env },
      ...(this.#port !== undefined && { port: this.#port }),
    });
    this.#server = server;
    this.#port = server.port;
    this.proxy.backendPort = server.port;
  }

  /** Ends it. Throws when it was asked to stop and did not exit with 0. */
  async stop(how: Stop): Promise<void> {
    const server = this.#server;
    if (!server) return;
    this.#server = undefined;
    let code = 0;
    if (how === "terminate") code = await server.stop();
    else {
      const children = how === "kill" ? [] : await descendantsOf(server.pid);
      await Promise.all([server.kill(), killAll(children)]);
    }
    this.logs.push(server.log);
    if (code !== 0) throw new Error(`${this.name} exited with code ${code} on SIGTERM`);
  }

  /** Looks at its memory. */
  async sample(): Promise<void> {
    const bytes = await this.#server?.residentBytes().catch(() => 0) ?? 0;
    this.maxResidentBytes = Math.max(this.maxResidentBytes, bytes);
  }

  /** Value of a metric without labels; undefined when there is none or the server is down. */
  async metric(name: string): Promise<number | undefined> {
    if (!this.#server) return undefined;
    const text = await (await fetch(`${this.httpUrl()}/metrics`)).text();
    const value = new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1];
    return value === undefined ? undefined : Number(value);
  }

  /** Ends the server, whatever state it is in, and the proxy. */
  async close(): Promise<void> {
    await this.stop("kill");
    await this.proxy.close();
  }
}
