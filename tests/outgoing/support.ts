import { createServer as createTcpServer, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:https";
import type { RequestListener, Server } from "node:http";
// @ts-types="@types/ws"
import { type WebSocket, WebSocketServer } from "ws";
import { createNetwork, type NetworkOptions } from "../../lib/outgoing/mod.ts";
import { type Network, type PeerSocketListener, systemClock } from "../../lib/world/mod.ts";
import { RecordingLog } from "../observe/recording_log.ts";

const FIXTURES = new URL("./fixtures/", import.meta.url);

/** A file of the certificate fixtures, as text. */
export function fixture(name: string): string {
  return Deno.readTextFileSync(new URL(name, FIXTURES));
}

/** A network that may reach this machine and trusts the test authority, and its log. */
export function testNetwork(options: Partial<NetworkOptions> = {}): { network: Network; log: RecordingLog } {
  const log = new RecordingLog();
  const network = createNetwork({
    allowPrivate: true,
    ownAddresses: [],
    clock: systemClock,
    userAgent: "ngit-grasp-test",
    log,
    resolve: () => Promise.resolve(["127.0.0.1"]),
    certificateAuthorities: [fixture("ca.pem")],
    ...options,
  });
  return { network, log };
}

/** Runs `work` with the port of a TCP server on 127.0.0.1; afterwards everything is closed. */
export async function withTcp<T>(
  onSocket: (socket: Socket) => void,
  work: (port: number) => Promise<T>,
): Promise<T> {
  const sockets = new Set<Socket>();
  const server = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    onSocket(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    return await work(portOf(server.address()));
  } finally {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  }
}

/** A server that answers whatever it is asked with `text` and closes. */
export function withAnswer<T>(text: string, work: (port: number) => Promise<T>): Promise<T> {
  return withTcp((socket) => socket.once("data", () => socket.end(text)), work);
}

/** Runs `work` with the port of an HTTPS server with the certificate `name`. */
export async function withTls<T>(
  name: string,
  onRequest: RequestListener,
  work: (port: number, server: Server) => Promise<T>,
): Promise<T> {
  const server = createTlsServer({ key: fixture("key.pem"), cert: fixture(`${name}.pem`) }, onRequest);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    return await work(portOf(server.address()), server as unknown as Server);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

/** Runs `work` with the port of an HTTP server on 127.0.0.1. */
export async function withHttp<T>(
  handler: (request: Request) => Response | Promise<Response>,
  work: (port: number) => Promise<T>,
): Promise<T> {
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, handler);
  try {
    return await work(server.addr.port);
  } finally {
    await server.shutdown();
  }
}

/** Runs `work` with the port of a WebSocket server; `behave` gets every connection. */
export async function withPeer<T>(
  behave: (peer: WebSocket) => void,
  work: (port: number) => Promise<T>,
): Promise<T> {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false });
  await new Promise<void>((resolve) => server.on("listening", () => resolve()));
  server.on("connection", (peer) => {
    peer.on("error", () => {});
    behave(peer);
  });
  try {
    return await work(portOf(server.address()));
  } finally {
    for (const peer of server.clients) peer.terminate();
    await new Promise((resolve) => server.close(resolve));
  }
}

/** Runs `work` with the port of a WebSocket server over TLS with the certificate `name`; it greets with its Host header. */
export function withTlsPeer<T>(name: string, work: (port: number) => Promise<T>): Promise<T> {
  return withTls(name, (_request, response) => response.end(), async (port, server) => {
    const sockets = new WebSocketServer({ server, perMessageDeflate: false });
    sockets.on("connection", (peer, request) => {
      peer.on("error", () => {});
      peer.send(`${request.headers.host} ${request.headers["user-agent"]}`);
    });
    try {
      return await work(port);
    } finally {
      for (const peer of sockets.clients) peer.terminate();
      sockets.close();
    }
  });
}

function portOf(address: string | { readonly port: number } | null): number {
  if (address === null || typeof address === "string") throw new Error("not listening on TCP");
  return address.port;
}

/** A listener that keeps what it is told. */
export class RecordingListener implements PeerSocketListener {
  readonly messages: string[] = [];
  readonly ends: string[] = [];

  message(text: string): void {
    this.messages.push(text);
  }

  closed(reason: string): void {
    this.ends.push(reason);
  }
}

/** A dial request with what tests usually want. */
export function dialing(url: string, listener: PeerSocketListener = new RecordingListener()) {
  return {
    url,
    trusted: false,
    timeoutMs: 5_000,
    maxMessageBytes: 65_536,
    signal: new AbortController().signal,
    listener,
  };
}

/** A GET request with what tests usually want. */
export function getting(url: string) {
  return {
    url,
    headers: {},
    trusted: false,
    timeoutMs: 5_000,
    maxBytes: 65_536,
    maxRedirects: 3,
    signal: new AbortController().signal,
  };
}
