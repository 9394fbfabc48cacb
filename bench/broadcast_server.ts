/**
 * The floor of live delivery: a bare `Deno.serve` that sends one frame as often over every open
 * connection as there are subscriptions on it. Any message on a connection sends.
 */
import { readSettings, serveBare } from "./bare_server.ts";

/** What is sent over each connection, and how often. */
export interface Broadcast {
  readonly frame: string;
  readonly copies: number;
}

const { frame, copies } = await readSettings<Broadcast>();
const sockets = new Set<WebSocket>();

serveBare((request) => {
  const { socket, response } = Deno.upgradeWebSocket(request);
  // Who publishes listens to nothing, as in the relay's turn.
  if (new URL(request.url).pathname === "/listen") socket.onopen = () => sockets.add(socket);
  socket.onclose = () => sockets.delete(socket);
  socket.onmessage = () => {
    for (const each of sockets) for (let n = 0; n < copies; n++) each.send(frame);
  };
  return response;
});
