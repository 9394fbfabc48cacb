import { type IncomingMessage, request } from "node:http";
import { Buffer } from "node:buffer";
import type { Scene } from "../scenarios/support.ts";
import { RelayClient } from "../support/relay_client.ts";
import { ServerProcess } from "../support/server_process.ts";
import type { Proxy, ProxyKind } from "./proxies.ts";

/** A server behind a proxy; `server` is the same server as its clients see it. */
export interface ProxyScene extends Scene {
  readonly proxy: Proxy;
  /** Past the proxy, for comparison. */
  readonly direct: ServerProcess;
  readonly httpUrl: string;
  readonly wsUrl: string;
  end(): Promise<void>;
}

/** Starts a server and `kind` in front of it. The server believes its proxy, 127.0.0.1, and nobody else. */
export async function openProxyScene(kind: ProxyKind): Promise<ProxyScene> {
  const directory = await Deno.makeTempDir({ prefix: "ngit-grasp-test-" });
  const undo: (() => Promise<unknown>)[] = [() => Deno.remove(directory, { recursive: true })];
  const end = async () => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    const port = freePort();
    const direct = await ServerProcess.start({
      dataPath: `${directory}/data`,
      env: {
        NGIT_DOMAIN: `localhost:${port}`,
        NGIT_TRUSTED_PROXIES: "127.0.0.1",
        NGIT_LOG_IP: "full",
        NGIT_METRICS_CONNECTION_PER_IP_ABUSE_THRESHOLD: "2",
      },
    });
    undo.push(() => direct.stop());
    const proxy = await kind.start({ directory, port, upstreamPort: direct.port });
    undo.push(() => proxy.stop());
    const [httpUrl, wsUrl] = [`http://127.0.0.1:${port}`, `ws://127.0.0.1:${port}/`];
    const relay = await RelayClient.connect(wsUrl);
    undo.push(() => relay.close());
    const server = new Proxied(direct, port) as unknown as ServerProcess;
    return { directory, server, relay, proxy, direct, httpUrl, wsUrl, end };
  } catch (error) {
    await end();
    throw error;
  }
}

/** What the helpers of the scenarios ask a server, answered with the proxy's address. */
class Proxied {
  readonly domain: string;
  readonly #direct: ServerProcess;
  readonly #port: number;

  constructor(direct: ServerProcess, port: number) {
    this.#direct = direct;
    this.#port = port;
    this.domain = `localhost:${port}`;
  }

  cloneUrl(npub: string, identifier: string): string {
    return `http://127.0.0.1:${this.#port}/${npub}/${encodeURIComponent(identifier)}.git`;
  }

  get log(): string {
    return this.#direct.log;
  }
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** An answer as it came: headers neither joined nor unpacked. */
export interface RawAnswer {
  readonly status: number;
  readonly body: string;
  /** All values of a header. */
  values(name: string): string[];
}

/** How {@link ask} asks. */
export interface RawQuestion {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
}

/** One request whose path goes out as written. An upgrade's 101 is an answer like any other. */
export function ask(origin: string, path: string, question: RawQuestion = {}): Promise<RawAnswer> {
  const { hostname, port } = new URL(origin);
  return new Promise((resolve, reject) => {
    const sent = request({
      host: hostname,
      port,
      path,
      method: question.method ?? "GET",
      headers: { ...question.headers },
      agent: false,
    }, (response) => read(response).then(resolve, reject));
    sent.on("upgrade", (response, socket) => {
      socket.destroy();
      resolve(answerOf(response, ""));
    });
    sent.on("error", reject);
    sent.end(question.body);
  });
}

async function read(response: IncomingMessage): Promise<RawAnswer> {
  const parts: Uint8Array[] = [];
  for await (const part of response) parts.push(part);
  return answerOf(response, Buffer.concat(parts).toString("latin1"));
}

function answerOf(response: IncomingMessage, body: string): RawAnswer {
  const { rawHeaders: raw } = response;
  return {
    status: response.statusCode ?? 0,
    body,
    values: (name) => raw.filter((_, index) => index % 2 === 1 && raw[index - 1]!.toLowerCase() === name),
  };
}
