import assert from "node:assert/strict";
import { serviceManager } from "../../lib/world/mod.ts";
import { NotifySocket } from "../support/notify_socket.ts";
import { withTempDirectory } from "../support/temp.ts";
import { VirtualClock } from "../support/virtual_clock.ts";

const CONFIG = `${import.meta.dirname}/../../deno.json`;
const PAUSE_MS = 100;

Deno.test({
  name:
    "M-42 the manager is told ready, alive at half its interval, and stopping, on a path or an abstract name",
  ignore: !NotifySocket.isAvailable,
  fn: () =>
    withTempDirectory(async (directory) => {
      for (const name of [`${directory}/notify`, `@${directory}/abstract`]) {
        await using socket = await NotifySocket.open(name);
        const clock = new VirtualClock();
        const manager = serviceManager(
          { NOTIFY_SOCKET: name, WATCHDOG_USEC: "60000000", WATCHDOG_PID: String(Deno.pid) },
          (sentence) => assert.fail(sentence),
        );
        manager.ready("serving\nall");
        const stop = new AbortController();
        const watched = manager.watch(clock, stop.signal);
        await clock.advance(29_999);
        manager.stopping();
        await clock.advance(1);
        await clock.advance(30_000);
        stop.abort();
        await watched;
        assert.deepEqual(await socket.messages(4), [
          "READY=1\nSTATUS=serving all",
          "STOPPING=1",
          "WATCHDOG=1",
          "WATCHDOG=1",
        ]);
      }
    }),
});

Deno.test({
  name: "without a service manager, or with an unusable address, nothing is sent and nothing fails",
  ignore: !NotifySocket.isAvailable,
  fn: async () => {
    const cases: [Record<string, string>, number][] = [
      [{}, 0],
      [{ NOTIFY_SOCKET: "" }, 1],
      [{ NOTIFY_SOCKET: "@" }, 1],
      [{ NOTIFY_SOCKET: "vsock:2:1" }, 1],
      [{ NOTIFY_SOCKET: "/nonexistent/socket" }, 1],
      [{ NOTIFY_SOCKET: "/" + "x".repeat(108) }, 1],
    ];
    for (const [env, sentences] of cases) {
      let heard = 0;
      const manager = serviceManager(env, () => heard++);
      manager.ready("x");
      manager.stopping();
      assert.equal(heard, sentences, JSON.stringify(env));
      await manager.watch(new VirtualClock(), AbortSignal.abort());
    }
  },
});

Deno.test({
  name: "the watchdog of another process, or an interval that is none, is left alone",
  ignore: !NotifySocket.isAvailable,
  fn: () =>
    withTempDirectory(async (directory) => {
      const NOTIFY_SOCKET = `${directory}/notify`;
      await using socket = await NotifySocket.open(NOTIFY_SOCKET);
      for (const env of [{ WATCHDOG_USEC: "1000000", WATCHDOG_PID: "1" }, { WATCHDOG_USEC: "0" }, {}]) {
        const manager = serviceManager({ NOTIFY_SOCKET, ...env }, (sentence) => assert.fail(sentence));
        await manager.watch(new VirtualClock(), new AbortController().signal);
      }
      assert.deepEqual(await socket.messages(0), []);
    }),
});

Deno.test({
  name: "M-42 an event loop that is blocked gives no sign of life",
  ignore: !NotifySocket.isAvailable,
  fn: () =>
    withTempDirectory(async (directory) => {
      const NOTIFY_SOCKET = `${directory}/notify`;
      await using socket = await NotifySocket.open(NOTIFY_SOCKET);
      const child = new Deno.Command(Deno.execPath(), {
        args: [
          "run",
          "--no-prompt",
          "--config",
          CONFIG,
          "--allow-ffi",
          "--allow-env",
          `${import.meta.dirname}/blocked.ts`,
        ],
        env: { NOTIFY_SOCKET, WATCHDOG_USEC: "20000" },
        stdin: "piped",
        stdout: "piped",
      }).spawn();
      try {
        assert.deepEqual(await socket.messages(3), ["WATCHDOG=1", "WATCHDOG=1", "WATCHDOG=1"]);
        await child.stdin.close();
        await child.stdout.pipeThrough(new TextDecoderStream()).getReader().read(); // "blocked"
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS)); // what was sent before arrives
        const settled = socket.received;
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS)); // ten half intervals
        assert.equal(socket.received, settled);
      } finally {
        child.kill("SIGKILL");
        await child.status;
      }
    }),
});
