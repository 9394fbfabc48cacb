import assert from "node:assert/strict";
import { NotifySocket } from "../support/notify_socket.ts";
import { ServerProcess } from "../support/server_process.ts";
import { eventually, withTempDirectory } from "../support/temp.ts";

Deno.test({
  name: "M-42 the manager hears that the server is ready once it answers, that it lives, and that it stops",
  ignore: !NotifySocket.isAvailable,
  fn: () =>
    withTempDirectory(async (directory) => {
      const NOTIFY_SOCKET = `${directory}/notify`;
      await using socket = await NotifySocket.open(NOTIFY_SOCKET);
      const dataPath = `${directory}/data`;
      const starting = ServerProcess.start({ dataPath, env: { NOTIFY_SOCKET, WATCHDOG_USEC: "100000" } });
      const [first = ""] = await socket.messages(1);
      const address = (await Deno.readTextFile(`${dataPath}/relay/bound-address`)).trim();
      const answer = await fetch(`http://${address}/readyz`);
      assert.equal(answer.status, 200);
      await answer.body?.cancel();
      const server = await starting;
      assert.equal(first, `READY=1\nSTATUS=serving ${server.domain} on ${server.httpUrl}`);
      const [, ...alive] = await socket.messages(3);
      assert.deepEqual(alive.slice(0, 2), ["WATCHDOG=1", "WATCHDOG=1"]);
      assert.equal(await server.stop(), 0);
      await eventually("STOPPING=1", async () => (await socket.messages(0)).includes("STOPPING=1"));
    }),
});
