/**
 * The floor of live delivery: a worker with a bare `Deno.serve` that sends one frame as often over every
 * open connection as there are subscriptions on it. Receives how often, answers with its port; any
 * message on a connection sends.
 */
interface WorkerScope {
  onmessage: ((message: MessageEvent<Broadcast>) => void) | null;
  postMessage(port: number): void;
}

/** What is sent over each connection, and how often. */
export interface Broadcast {
  readonly frame: string;
  readonly copies: number;
}

const scope = self as unknown as WorkerScope;

scope.onmessage = ({ data: { frame, copies } }) => {
  const sockets = new Set<WebSocket>();
  Deno.serve({
    hostname: "127.0.0.1",
    port: 0,
    onListen: ({ port }) => scope.postMessage(port),
  }, (request) => {
    const { socket, response } = Deno.upgradeWebSocket(request);
    // Who publishes listens to nothing, as in the relay's turn.
    if (new URL(request.url).pathname === "/listen") socket.onopen = () => sockets.add(socket);
    socket.onclose = () => sockets.delete(socket);
    socket.onmessage = () => {
      for (const each of sockets) for (let n = 0; n < copies; n++) each.send(frame);
    };
    return response;
  });
};
