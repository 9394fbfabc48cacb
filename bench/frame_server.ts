/**
 * The floor of a REQ: a worker with a bare `Deno.serve` that answers every message with the frames it
 * was given. Receives the frames, answers with its port.
 */
interface WorkerScope {
  onmessage: ((message: MessageEvent<readonly string[]>) => void) | null;
  postMessage(port: number): void;
}

const scope = self as unknown as WorkerScope;

scope.onmessage = ({ data: frames }) => {
  Deno.serve({
    hostname: "127.0.0.1",
    port: 0,
    onListen: ({ port }) => scope.postMessage(port),
  }, (request) => {
    const { socket, response } = Deno.upgradeWebSocket(request);
    socket.onmessage = () => {
      for (const frame of frames) socket.send(frame);
    };
    return response;
  });
};
