import { ScriptedPeer } from "./scripted_peer.ts";
import { WireLog } from "./wire_log.ts";

/** A {@link ScriptedPeer} behind a real socket, with everything it said and heard. */
export class ScriptedRelay {
  readonly peer: ScriptedPeer;
  readonly log = new WireLog();
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #sockets = new Set<WebSocket>();

  constructor(peer = new ScriptedPeer(), port = 0) {
    this.peer = peer;
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port, onListen: () => {} },
      (request) => this.#handle(request),
    );
  }

  get port(): number {
    return this.#server.addr.port;
  }

  get url(): string {
    return `ws://localhost:${this.port}`;
  }

  /** Closes all connections, not the relay. */
  cut(): void {
    for (const socket of this.#sockets) socket.close();
  }

  async close(): Promise<void> {
    this.cut();
    await this.#server.shutdown();
  }

  #handle(request: Request): Response {
    const { information, noUpgrade } = this.peer.quirks;
    if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
      if (!information) return new Response("not found", { status: 404 });
      return Response.json(information, { headers: { "content-type": "application/nostr+json" } });
    }
    if (noUpgrade) return new Response("<h1>Welcome</h1>", { headers: { "content-type": "text/html" } });
    const { socket, response } = Deno.upgradeWebSocket(request);
    socket.onopen = () => this.#open(socket);
    return response;
  }

  #open(socket: WebSocket): void {
    const connection = this.log.opened();
    this.#sockets.add(socket);
    const talk = this.peer.accept({
      send: (text) => {
        if (socket.readyState !== WebSocket.OPEN) return;
        this.log.record(connection, "peer", text, Date.now());
        socket.send(text);
      },
      close: () => socket.close(),
    });
    socket.onmessage = ({ data }) => {
      this.log.record(connection, "us", String(data), Date.now());
      talk.receive(String(data));
    };
    socket.onerror = () => {}; // followed by close
    socket.onclose = () => {
      this.#sockets.delete(socket);
      this.log.closed(connection);
      talk.ended();
    };
  }
}
