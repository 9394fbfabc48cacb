import assert from "node:assert/strict";
import { addressKey } from "../../lib/observe/mod.ts";
import { ConnectionCounter } from "../../lib/relay/connections.ts";
import { RelayClient } from "../support/relay_client.ts";
import { eventually } from "../support/temp.ts";
import { VirtualClock } from "../support/virtual_clock.ts";
import { HANDSHAKE, rawUpgrade, readCloseFrame, readFrame, withRelay } from "./support.ts";

async function statusOf(
  port: number,
  headers: Record<string, string>,
  path = "/",
): Promise<[number, string]> {
  const { connection, status, head } = await rawUpgrade(port, headers, path);
  connection.close();
  return [status, head];
}

Deno.test("R-1 H-15 upgrades succeed with token lists, mixed case and at any path", async () => {
  await withRelay({}, async ({ port }) => {
    for (const connection of ["Upgrade", "keep-alive, Upgrade", "UPGRADE", "Keep-Alive,uPgrade"]) {
      for (const path of ["/", "/?x=1", "/anything", "/x/y"]) {
        const [status] = await statusOf(port, { Connection: connection, Upgrade: "WebSocket" }, path);
        assert.equal(status, 101, `${connection} at ${path}`);
      }
    }
  });
});

Deno.test("R-1 the 101 response carries the computed key and the CORS headers added to it", async () => {
  await withRelay({}, async ({ port }) => {
    const [status, head] = await statusOf(port, {});
    assert.equal(status, 101);
    assert.match(head, /sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk\+xoo=\r\n/);
    assert.equal(head.match(/access-control-allow-origin: \*/g)?.length, 1);
  });
});

Deno.test("IO-5 upgrades with any Origin succeed", async () => {
  await withRelay({}, async ({ port }) => {
    for (const origin of ["https://gitworkshop.dev", "null", "http://evil.example"]) {
      assert.equal((await statusOf(port, { Origin: origin }))[0], 101);
    }
  });
});

Deno.test("R-2 H-16 a missing or malformed key receives 400 and the server keeps serving", async () => {
  await withRelay({}, async ({ port, url, metrics }) => {
    for (const key of ["", "short", "x".repeat(24), "dGhlIHNhbXBsZSBub25jZQ"]) {
      assert.equal((await statusOf(port, { "Sec-WebSocket-Key": key }))[0], 400, key);
    }
    assert.deepEqual(metrics.rejections, Array(4).fill("bad_request"));
    const client = await RelayClient.connect(url);
    await client.subscribe({ kinds: [1] });
    await client.close();
  });
});

Deno.test("a WebSocket version other than 13 receives 426 naming 13", async () => {
  await withRelay({}, async ({ port }) => {
    for (const version of ["", "8", "14"]) {
      const [status, head] = await statusOf(port, { "Sec-WebSocket-Version": version });
      assert.equal(status, 426);
      assert.match(head, /sec-websocket-version: 13\r\n/);
    }
    assert.equal((await statusOf(port, { Upgrade: "h2c" }))[0], 400);
  });
});

Deno.test("R-17 H-17 connection number MAX+1 gets 503 with Retry-After; after a disconnect the next succeeds", async () => {
  await withRelay({ limits: { maxConnections: 2 } }, async ({ port, url, relay, metrics }) => {
    const first = await RelayClient.connect(url);
    const second = await RelayClient.connect(url);
    const [status, head] = await statusOf(port, {});
    assert.equal(status, 503);
    assert.match(head, /retry-after: 10\r\n/);
    assert.deepEqual(metrics.rejections, ["max_connections"]);
    await first.subscribe({ kinds: [1] });
    await second.subscribe({ kinds: [1] });
    await first.close();
    await eventually("the slot is free", () => relay.connectionCount() === 1);
    const third = await RelayClient.connect(url);
    await third.subscribe({ kinds: [1] });
    await second.close();
    await third.close();
    await eventually("all are closed", () => relay.connectionCount() === 0);
    assert.deepEqual([metrics.opened, metrics.closed, metrics.open], [3, 3, 0]);
  });
});

Deno.test("connections of one address beyond the limit get 429", async () => {
  await withRelay({ limits: { maxConnectionsPerIp: 1 } }, async ({ port, url, metrics }) => {
    const client = await RelayClient.connect(url);
    assert.equal((await statusOf(port, {}))[0], 429);
    assert.deepEqual(metrics.rejections, ["per_ip"]);
    await client.close();
  });
});

Deno.test("one client is an IPv4 address or an IPv6 /64, and is forgotten with its last connection", () => {
  assert.equal(addressKey("::ffff:192.0.2.1"), addressKey("192.0.2.1"));
  assert.equal(addressKey("2001:db8:1:2::1"), addressKey("2001:db8:1:2:ffff::9"));
  assert.notEqual(addressKey("2001:db8:1:2::1"), addressKey("2001:db8:1:3::1"));
  assert.equal(addressKey("unknown"), "unknown");
  const counter = new ConnectionCounter();
  const [releaseFirst, releaseSecond] = [counter.add("192.0.2.1"), counter.add("192.0.2.1")];
  releaseFirst();
  releaseFirst();
  assert.deepEqual([counter.total, counter.of("192.0.2.1")], [1, 1]);
  releaseSecond();
  assert.deepEqual([counter.total, counter.of("192.0.2.1")], [0, 0]);
});

Deno.test("a client that leaves during the handshake gives its slot back after the deadline", async () => {
  const clock = new VirtualClock();
  await withRelay({ clock, bounds: { handshakeDeadlineMs: 10_000 } }, async ({ relay, metrics }) => {
    const clientLeft = Promise.withResolvers<void>();
    const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async (request) => {
      const response = relay.upgrade(request, "192.0.2.1");
      await clientLeft.promise;
      return response;
    });
    const connection = await Deno.connect({ hostname: "127.0.0.1", port: server.addr.port });
    const lines = Object.entries(HANDSHAKE).map(([name, value]) => `${name}: ${value}\r\n`).join("");
    await connection.write(new TextEncoder().encode(`GET / HTTP/1.1\r\n${lines}\r\n`));
    await eventually("the handshake was seen", () => relay.connectionCount() === 1);
    connection.close();
    clientLeft.resolve();
    await eventually("the slot is free", async () => {
      await clock.advance(10_000);
      return relay.connectionCount() === 0;
    });
    await eventually("what was opened is closed", () => metrics.opened === metrics.closed);
    await server.shutdown();
  });
});

Deno.test("an accepted handshake whose response is lost gives its slot back after the deadline", async () => {
  const clock = new VirtualClock();
  await withRelay({ clock, bounds: { handshakeDeadlineMs: 10_000 } }, async ({ relay, metrics }) => {
    const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, (request) => {
      relay.upgrade(request, "192.0.2.1");
      return new Response("not the 101", { status: 500 });
    });
    await statusOf(server.addr.port, {});
    await clock.advance(9_999);
    assert.equal(relay.connectionCount(), 1);
    await clock.advance(1);
    assert.equal(relay.connectionCount(), 0);
    assert.deepEqual([metrics.opened, metrics.closed], [0, 0]);
    await server.shutdown();
  });
});

Deno.test("stopping answers what was received, then sends a harmless NOTICE and closes with 1001", async () => {
  const gate = Promise.withResolvers<void>();
  const sink = {
    admit: async () => {
      await gate.promise;
      return { id: "b".repeat(64), accepted: true, message: "" };
    },
  };
  await withRelay({ sink, bounds: { stopDeadlineMs: 10_000 } }, async ({ url, port, relay, metrics }) => {
    const client = await RelayClient.connect(url);
    client.send(["EVENT", { id: "b".repeat(64) }]);
    await eventually("the event arrived", () => metrics.receivedTypes.length === 1);
    const stopped = relay.stop();
    assert.equal((await statusOf(port, {}))[0], 503);
    assert.deepEqual(metrics.rejections, ["shutdown"]);
    gate.resolve();
    await stopped;
    const { code } = await client.waitForClose();
    assert.equal(code, 1001);
    assert.deepEqual(client.messages.map(([type]) => type), ["OK", "NOTICE"]);
    assert.doesNotMatch(
      String(client.messages[1]![1]),
      /rate|limit|too many|slow down|throttl|envelope|NEG-|negentropy/i,
    );
    assert.equal(relay.connectionCount(), 0);
  });
});

Deno.test("a silent connection is pinged at half of the idle timeout and closed with 1001 at its end", async () => {
  await withRelay({ bounds: { idleTimeoutSecs: 1 } }, async ({ port, relay }) => {
    const silent = await rawUpgrade(port);
    assert.equal((await readFrame(silent)).opcode, 9);
    assert.deepEqual(await readCloseFrame(silent), { before: 0, code: 1001 });
    silent.connection.close();
    await eventually("the slot is free", () => relay.connectionCount() === 0);
  });
});
