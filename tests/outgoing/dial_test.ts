import assert from "node:assert/strict";
import type { DialRequest, Network, PeerSocket } from "../../lib/world/mod.ts";
import { eventually } from "../support/temp.ts";
import { dialing, RecordingListener, testNetwork, withPeer, withTcp, withTlsPeer } from "./support.ts";

async function opened(network: Network, request: DialRequest): Promise<PeerSocket> {
  const dialled = await network.dial(request);
  if (!dialled.ok) assert.fail(dialled.text);
  return dialled.socket;
}

Deno.test("a dialled peer gets text, answers it, and a close ends both sides once", async () => {
  const { network } = testNetwork();
  await withPeer(
    (peer) => peer.on("message", (data) => peer.send(`echo ${data}`)),
    async (port) => {
      const listener = new RecordingListener();
      const socket = await opened(network, dialing(`ws://peer.example:${port}/path?x=1`, listener));
      socket.send("hällo");
      await eventually("the echo", () => listener.messages.length === 1);
      assert.deepEqual(listener.messages, ["echo hällo"]);
      socket.close();
      socket.send("too late");
      await eventually("the end", () => listener.ends.length > 0);
      assert.deepEqual(listener.ends, ["closed with code 1000"]);
      socket.close();
    },
  );
});

Deno.test("binary messages are dropped, pings are answered, a peer's close is told with its words", async () => {
  const { network } = testNetwork();
  let pongs = 0;
  await withPeer((peer) => {
    peer.on("pong", () => {
      pongs++;
      peer.send("after");
      peer.close(4000, "enough");
    });
    peer.send(new Uint8Array([1, 2, 3]));
    peer.ping("x");
  }, async (port) => {
    const listener = new RecordingListener();
    await opened(network, dialing(`ws://peer.example:${port}`, listener));
    await eventually("the end", () => listener.ends.length > 0);
    assert.deepEqual([listener.messages, listener.ends, pongs], [
      ["after"],
      ["closed with code 4000: enough"],
      1,
    ]);
  });
});

Deno.test("a message over the limit ends the connection instead of being delivered", async () => {
  const { network } = testNetwork();
  await withPeer((peer) => {
    peer.send("x".repeat(1_000));
    peer.send("x".repeat(1_001));
  }, async (port) => {
    const listener = new RecordingListener();
    await opened(network, { ...dialing(`ws://peer.example:${port}`, listener), maxMessageBytes: 1_000 });
    await eventually("the end", () => listener.ends.length > 0);
    assert.equal(listener.messages.length, 1);
    assert.match(listener.ends[0]!, /Max payload size exceeded/);
  });
});

Deno.test("a paused socket makes the peer's messages wait outside; resuming brings all of them in order", async () => {
  const { network } = testNetwork();
  const payload = "x".repeat(60_000);
  const total = 600;
  let peer: { readonly bufferedAmount: number } | undefined;
  await withPeer((connection) => {
    peer = connection;
    for (let n = 0; n < total; n++) connection.send(`${n} ${payload}`);
  }, async (port) => {
    const listener = new RecordingListener();
    const socket = await opened(network, dialing(`ws://peer.example:${port}`, listener));
    socket.pause();
    let before = -1;
    await eventually("nothing more is read", async () => {
      const settled = before === listener.messages.length;
      before = listener.messages.length;
      await new Promise((resolve) => setTimeout(resolve, 50));
      return settled;
    });
    assert.ok(listener.messages.length < total / 2, `${listener.messages.length} were read`);
    assert.ok(peer!.bufferedAmount > 0);
    socket.resume();
    await eventually("all messages", () => listener.messages.length === total);
    assert.ok(listener.messages.every((text, n) => text.startsWith(`${n} `)));
    socket.close();
    await eventually("the end", () => listener.ends.length === 1);
  });
});

Deno.test("queuedBytes shows what a peer that does not read leaves unsent", async () => {
  const { network } = testNetwork();
  await withPeer((peer) => peer.pause(), async (port) => {
    const listener = new RecordingListener();
    const stop = new AbortController();
    const socket = await opened(network, {
      ...dialing(`ws://peer.example:${port}`, listener),
      signal: stop.signal,
    });
    for (let n = 0; n < 400; n++) socket.send("x".repeat(60_000));
    await eventually("the queue", () => socket.queuedBytes > 1_000_000);
    stop.abort();
    await eventually("the end", () => listener.ends.length === 1);
  });
});

Deno.test("a peer that never answers a close is cut off within seconds, also when paused", async () => {
  const { network } = testNetwork();
  await withPeer((peer) => peer.pause(), async (port) => {
    const listener = new RecordingListener();
    const socket = await opened(network, dialing(`ws://peer.example:${port}`, listener));
    socket.pause();
    socket.close();
    await eventually("the end", () => listener.ends.length === 1);
  });
});

Deno.test("after our close nothing is delivered but the end", async () => {
  const { network } = testNetwork();
  await withPeer((peer) => {
    for (let n = 0; n < 200; n++) peer.send("x".repeat(60_000));
  }, async (port) => {
    const listener = new RecordingListener();
    const socket = await opened(network, dialing(`ws://peer.example:${port}`, listener));
    await eventually("the first message", () => listener.messages.length > 0);
    socket.close();
    const before = listener.messages.length;
    await eventually("the end", () => listener.ends.length === 1);
    assert.equal(listener.messages.length, before);
  });
});

/** The permission set of the test task reaches 127.0.0.1 only. */
const reachesSecondLoopback =
  Deno.permissions.querySync({ name: "net", host: "127.0.0.2" }).state === "granted";

Deno.test({
  name: "an address that does not answer gives way to the next one",
  ignore: !reachesSecondLoopback,
}, async () => {
  const { network } = testNetwork({ resolve: () => Promise.resolve(["127.0.0.2", "127.0.0.1"]) });
  await withPeer(() => {}, async (port) => {
    const socket = await opened(network, dialing(`ws://peer.example:${port}`));
    socket.close();
  });
});

Deno.test("S-14 P-79 a peer that accepts and says nothing is given up at the deadline, with and without TLS", async () => {
  const { network } = testNetwork();
  await withTcp(() => {}, async (port) => {
    for (const scheme of ["ws", "wss"]) {
      const dialled = await network.dial({ ...dialing(`${scheme}://peer.example:${port}`), timeoutMs: 150 });
      assert.deepEqual([dialled.ok, !dialled.ok && dialled.fault], [false, "timeout"]);
    }
  });
});

Deno.test("S-14 the deadline covers a name that is never resolved", async () => {
  const { network } = testNetwork({ resolve: () => new Promise(() => {}) });
  const dialled = await network.dial({ ...dialing("ws://peer.example:8080"), timeoutMs: 50 });
  assert.equal(!dialled.ok && dialled.fault, "timeout");
});

Deno.test("giving up ends a dial at once and closes what was opened", async () => {
  const { network } = testNetwork();
  let ended = 0;
  await withTcp((socket) => socket.resume().on("close", () => ended++), async (port) => {
    const stop = new AbortController();
    const dialling = network.dial({ ...dialing(`ws://peer.example:${port}`), signal: stop.signal });
    setTimeout(() => stop.abort(), 50);
    const dialled = await dialling;
    assert.equal(!dialled.ok && dialled.fault, "aborted");
    const late = await network.dial({ ...dialing(`ws://peer.example:${port}`), signal: stop.signal });
    assert.equal(!late.ok && late.fault, "aborted");
    await eventually("the connection is gone", () => ended === 1);
  });
});

Deno.test("over TLS the named host is asked for and its certificate checked, whatever the address", async () => {
  const { network } = testNetwork();
  await withTlsPeer("good", async (port) => {
    const listener = new RecordingListener();
    const socket = await opened(network, dialing(`wss://peer.example:${port}`, listener));
    await eventually("the greeting", () => listener.messages.length === 1);
    assert.deepEqual(listener.messages, [`peer.example:${port} ngit-grasp-test`]);
    socket.close();
    await eventually("the end", () => listener.ends.length === 1);
  });
});
