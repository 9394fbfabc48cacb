/** The floor of a REQ: a bare `Deno.serve` that answers every message with the frames it was given. */
import { readSettings, serveBare } from "./bare_server.ts";

const frames = await readSettings<readonly string[]>();

serveBare((request) => {
  const { socket, response } = Deno.upgradeWebSocket(request);
  socket.onmessage = () => {
    for (const frame of frames) socket.send(frame);
  };
  return response;
});
