import type { Side } from "./wire_log.ts";
import { WireLog } from "./wire_log.ts";

/** One message on its way through the proxy. */
export interface Passing {
  readonly connection: number;
  readonly from: Side;
  readonly text: string;
  readonly message: readonly unknown[];
}

/**
 * What becomes of a message: `pass`, `drop`, `twice`, `hold` (it goes right after the next message of its
 * direction), a delay (later messages of its direction wait behind it), or other texts instead.
 */
export type Treatment = "pass" | "drop" | "twice" | "hold" | { readonly delayMs: number } | readonly string[];

/** Chooses the treatment of a message; undefined: not mine. */
export type Treat = (passing: Passing) => Treatment | undefined;

/** A WebSocket proxy at message level: what passes is logged and may be disturbed. */
export class WsProxy {
  readonly log = new WireLog();
  /** Asked in order; the first answer counts. Changed at run time by tests. */
  readonly rules: Treat[] = [];
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #sockets = new Set<WebSocket>();
  #backend: string;

  constructor(backend: string) {
    this.#backend = backend;
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      (request) => this.#handle(request),
    );
  }

  get port(): number {
    return this.#server.addr.port;
  }

  get url(): string {
    return `ws://localhost:${this.port}`;
  }

  /** Closes all connections, not the proxy. */
  cut(): void {
    for (const socket of this.#sockets) socket.close();
  }

  async close(): Promise<void> {
    this.cut();
    await this.#server.shutdown();
  }

  async #handle(request: Request): Promise<Response> {
    if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
      const { status, headers, body } = await fetch(this.#backend.replace(/^ws/, "http"), {
        headers: { accept: request.headers.get("accept") ?? "*/*" },
      });
      return new Response(body, { status, headers });
    }
    const { socket: front, response } = Deno.upgradeWebSocket(request);
    const back = new WebSocket(this.#backend);
    const backOpen = new Promise((resolve) => back.onopen = resolve);
    const connection = this.log.opened();
    const ends = [new End("us", back, backOpen), new End("peer", front, Promise.resolve())];
    const [toPeer, toUs] = ends as [End, End];
    front.onmessage = ({ data }) => this.#treat(toPeer, connection, String(data));
    back.onmessage = ({ data }) => this.#treat(toUs, connection, String(data));
    for (const [socket, other] of [[front, back], [back, front]] as const) {
      this.#sockets.add(socket);
      socket.onerror = () => {}; // followed by close
      socket.onclose = () => {
        this.#sockets.delete(socket);
        other.close();
        this.log.closed(connection);
      };
    }
    return response;
  }

  #treat(end: End, connection: number, text: string): void {
    const { from } = end;
    this.log.record(connection, from, text, Date.now());
    const message = this.log.frames.at(-1)!.message;
    const passing = { connection, from, text, message };
    let treatment: Treatment | undefined;
    for (const rule of this.rules) if ((treatment = rule(passing)) !== undefined) break;
    end.take(text, treatment ?? "pass");
  }
}

/** The way to one side: keeps order, except where a treatment says otherwise. */
class End {
  #last: Promise<unknown>;
  #held: string[] = [];

  constructor(readonly from: Side, readonly target: WebSocket, ready: Promise<unknown>) {
    this.#last = ready;
  }

  take(text: string, treatment: Treatment): void {
    if (treatment === "drop") return;
    if (treatment === "hold") return void this.#held.push(text);
    const delayMs = typeof treatment === "object" && "delayMs" in treatment ? treatment.delayMs : 0;
    const texts = Array.isArray(treatment) ? treatment : treatment === "twice" ? [text, text] : [text];
    const all = [...texts, ...this.#held.splice(0)];
    this.#last = this.#last.then(async () => {
      if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs));
      for (const one of all) if (this.target.readyState === WebSocket.OPEN) this.target.send(one);
    });
  }
}
