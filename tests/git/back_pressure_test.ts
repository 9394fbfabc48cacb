import assert from "node:assert/strict";

/** Sends chunks as fast as the connection takes them until it has been stuck for `stuckMs`; returns the bytes taken. */
async function sendUntilStuck(connection: Deno.Conn, limit: number, stuckMs: number): Promise<number> {
  const chunk = new Uint8Array(16 * 1024 + 8);
  chunk.set(new TextEncoder().encode("4000\r\n"));
  chunk.set(new TextEncoder().encode("\r\n"), chunk.length - 2);
  let sent = 0;
  while (sent < limit) {
    let timer = 0;
    const stuck = new Promise<undefined>((resolve) => timer = setTimeout(() => resolve(undefined), stuckMs));
    const written = await Promise.race([connection.write(chunk.subarray(0)).catch(() => 0), stuck]);
    clearTimeout(timer);
    if (written === undefined) break;
    // A partial write may cut a chunk; only the amount taken matters here.
    sent += written;
  }
  return sent;
}

Deno.test("a chunked body that the handler does not read is not buffered without bound", async () => {
  let letGo!: () => void;
  const held = new Promise<void>((resolve) => letGo = resolve);
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, async (request) => {
    const reader = request.body!.getReader();
    await reader.read();
    await held;
    await reader.cancel().catch(() => {});
    return new Response("done");
  });
  const connection = await Deno.connect({ port: server.addr.port });
  await connection.write(
    new TextEncoder().encode("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"),
  );
  const limit = 128 << 20;
  const sent = await sendUntilStuck(connection, limit, 300);
  connection.close();
  letGo();
  await server.shutdown();
  assert.ok(sent < 32 << 20, `${sent} bytes were taken although nobody reads`);
});
