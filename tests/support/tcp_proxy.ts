import { createConnection, createServer, type Server, type Socket } from "node:net";
import { Direction } from "./tcp_direction.ts";

export { Direction };

/** How connections are ended: orderly, or as a crashed machine's kernel does. */
export type Ending = "fin" | "rst";

/** Both halves of one proxied connection. */
interface Pair {
  readonly front: Socket;
  readonly back: Socket;
}

/**
 * A TCP proxy with a front port that stays and a backend that may change, so that a server can move
 * while its URL stands. Each direction can be disturbed at run time, existing connections included.
 */
export class TcpProxy {
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  /** From the one who dials to the backend. */
  readonly toBackend = new Direction();
  readonly toClient = new Direction();
  /** Where new connections go; undefined: nowhere, they are refused. */
  backendPort: number | undefined;
  /** New connections: passed on, reset at once, or accepted and never answered. */
  accepting: "pass" | "refuse" | "hang" = "pass";
  /** Connections accepted so far, refused ones included. */
  accepted = 0;
  #hanging = new Set<Socket>();

  private constructor(server: Server, backendPort: number | undefined) {
    this.#server = server;
    this.backendPort = backendPort;
    server.on("connection", (front: Socket) => this.#accept(front));
  }

  /** A proxy on a free port of 127.0.0.1. */
  static start(backendPort?: number): Promise<TcpProxy> {
    const server = createServer({ allowHalfOpen: true });
    return new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen(0, "127.0.0.1", () => resolve(new TcpProxy(server, backendPort)));
    });
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  /** `ws://localhost:<port>`, as announcements name it. */
  get wsUrl(): string {
    return `ws://localhost:${this.port}`;
  }

  /** Connections that are open on both sides. */
  get openConnections(): number {
    return this.#pairs.size;
  }

  /** Ends all connections, towards both sides. */
  cut(ending: Ending = "fin"): void {
    for (const { front, back } of [...this.#pairs]) {
      end(front, ending);
      end(back, ending);
    }
  }

  /** Nothing passes any more, in either direction, and nobody is told; `false` ends this. */
  blackHole(on: boolean): void {
    this.toBackend.blackHole = on;
    this.toClient.blackHole = on;
  }

  /** Ends everything; the port is free afterwards. */
  async close(): Promise<void> {
    this.toBackend.stop();
    this.toClient.stop();
    this.cut("rst");
    for (const socket of this.#hanging) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #accept(front: Socket): void {
    this.accepted++;
    front.on("error", () => {}); // the end of a socket is handled by its close
    if (this.accepting === "hang") {
      this.#hanging.add(front);
      front.once("close", () => this.#hanging.delete(front));
      return;
    }
    if (this.accepting === "refuse" || this.backendPort === undefined) return end(front, "rst");
    front.setNoDelay(true);
    const back = createConnection({ host: "127.0.0.1", port: this.backendPort, allowHalfOpen: true });
    back.setNoDelay(true);
    back.on("error", () => end(front, "rst"));
    const pair = { front, back };
    this.#pairs.add(pair);
    this.toBackend.connect(front, back);
    this.toClient.connect(back, front);
    const forget = () => {
      if (front.destroyed && back.destroyed) this.#pairs.delete(pair);
    };
    front.once("close", () => {
      if (!this.toBackend.blackHole) back.destroy();
      forget();
    });
    back.once("close", () => {
      if (!this.toClient.blackHole) front.destroy();
      forget();
    });
  }
}

function end(socket: Socket, ending: Ending): void {
  if (ending === "rst") socket.resetAndDestroy();
  else socket.end(() => socket.destroy());
}
