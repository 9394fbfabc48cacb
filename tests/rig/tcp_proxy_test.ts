import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert/strict";
import { TcpProxy } from "../support/tcp_proxy.ts";
import { eventually } from "../support/temp.ts";

/** A backend that sends everything back. */
class Echo {
  readonly listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly connections = new Set<Deno.Conn>();
  received = 0;

  constructor(readonly mark = "") {
    void this.#run();
  }

  get port(): number {
    return (this.listener.addr as Deno.NetAddr).port;
  }

  close(): void {
    this.listener.close();
    for (const connection of this.connections) connection.close();
  }

  async #run(): Promise<void> {
    for await (const connection of this.listener) void this.#serve(connection);
  }

  async #serve(connection: Deno.Conn): Promise<void> {
    this.connections.add(connection);
    try {
      if (this.mark) await connection.write(new TextEncoder().encode(this.mark));
      for await (const piece of connection.readable) {
        this.received += piece.length;
        await connection.write(piece);
      }
    } catch {
      // cut by the proxy
    } finally {
      this.connections.delete(connection);
    }
  }
}

async function stage(play: (proxy: TcpProxy, echo: Echo) => Promise<void>): Promise<void> {
  const echo = new Echo();
  const proxy = await TcpProxy.start(echo.port);
  try {
    await play(proxy, echo);
  } finally {
    await proxy.close();
    echo.close();
  }
}

function dial(proxy: TcpProxy): Promise<Deno.TcpConn> {
  return Deno.connect({ hostname: "127.0.0.1", port: proxy.port });
}

async function say(connection: Deno.Conn, text: string): Promise<void> {
  await connection.write(new TextEncoder().encode(text));
}

async function hear(connection: Deno.Conn, length: number): Promise<string> {
  const bytes = new Uint8Array(length);
  let at = 0;
  while (at < length) {
    const read = await connection.read(bytes.subarray(at));
    if (read === null) break;
    at += read;
  }
  return new TextDecoder().decode(bytes.subarray(0, at));
}

Deno.test("the TCP proxy passes bytes, and new connections go to another backend when it changes", () =>
  stage(async (proxy) => {
    using first = await dial(proxy);
    await say(first, "hello");
    strictEqual(await hear(first, 5), "hello");
    const other = new Echo("moved ");
    const { port } = proxy;
    proxy.backendPort = other.port;
    using second = await dial(proxy);
    strictEqual(await hear(second, 6), "moved ");
    strictEqual(proxy.port, port);
    strictEqual(proxy.openConnections, 2);
    other.close();
  }));

Deno.test("the TCP proxy refuses, hangs, and ends connections by FIN or RST", () =>
  stage(async (proxy) => {
    proxy.accepting = "refuse";
    await rejects(async () => {
      using refused = await dial(proxy);
      await hear(refused, 1);
    }, Deno.errors.ConnectionReset);
    proxy.accepting = "hang";
    {
      using hanging = await dial(proxy);
      await say(hanging, "anybody?");
      strictEqual(proxy.accepted, 2);
      strictEqual(proxy.openConnections, 0);
    }
    proxy.accepting = "pass";
    for (const ending of ["fin", "rst"] as const) {
      using connection = await dial(proxy);
      await say(connection, "x");
      await hear(connection, 1);
      proxy.cut(ending);
      if (ending === "fin") strictEqual(await connection.read(new Uint8Array(1)), null);
      else await rejects(connection.read(new Uint8Array(1)), Deno.errors.ConnectionReset);
    }
    await eventually("all connections are gone", () => proxy.openConnections === 0);
  }));

Deno.test("the TCP proxy black-holes one direction or both without telling anybody", () =>
  stage(async (proxy, echo) => {
    using connection = await dial(proxy);
    await say(connection, "a");
    await hear(connection, 1);
    proxy.toClient.blackHole = true;
    await say(connection, "b");
    await eventually("the backend has it", () => echo.received === 2);
    proxy.toClient.blackHole = false;
    proxy.toBackend.blackHole = true;
    await say(connection, "c");
    await eventually("the proxy took it", () => proxy.toBackend.lost === 1);
    strictEqual(echo.received, 2);
    proxy.blackHole(false);
    using fresh = await dial(proxy);
    await say(fresh, "d");
    strictEqual(await hear(fresh, 1), "d");
    ok(proxy.openConnections >= 2);
  }));

Deno.test("the TCP proxy delays, jitters, paces and splits without losing the order of bytes", () =>
  stage(async (proxy) => {
    const text = Array.from({ length: 400 }, (_, index) => String(index % 10)).join("");
    const disturbances = [
      { delayMs: 30 },
      { jitterMs: 20, splitBytes: 37 },
      { bytesPerSecond: 4_000 },
      { splitBytes: 1 },
    ];
    for (const disturbance of disturbances) {
      Object.assign(proxy.toClient, {
        delayMs: 0,
        jitterMs: 0,
        bytesPerSecond: 0,
        splitBytes: 0,
        ...disturbance,
      });
      using connection = await dial(proxy);
      const before = performance.now();
      await say(connection, text);
      strictEqual(await hear(connection, text.length), text);
      if ("delayMs" in disturbance) ok(performance.now() - before >= 25);
      if ("bytesPerSecond" in disturbance) ok(performance.now() - before >= 60);
    }
  }));

Deno.test("the TCP proxy cuts after a number of bytes and inverts one byte", () =>
  stage(async (proxy) => {
    {
      using connection = await dial(proxy);
      proxy.toClient.flipAt = 2;
      await say(connection, "abcde");
      const bytes = new Uint8Array(5);
      let at = 0;
      while (at < 5) at += await connection.read(bytes.subarray(at)) ?? 5;
      deepStrictEqual([...bytes], [97, 98, 99 ^ 0xff, 100, 101]);
    }
    using connection = await dial(proxy);
    proxy.toClient.cutAfterBytes = 3;
    await say(connection, "abcdef");
    let received = "";
    await rejects(async () => {
      for (;;) received += await hear(connection, 1) || "?";
    });
    ok("abc".startsWith(received), received);
  }));
