import { systemClock } from "../../lib/world/mod.ts";
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { bind } from "../../lib/http/mod.ts";
import { setNoDelay } from "../../lib/http/no_delay.ts";

const MODULE = new URL("../../lib/http/no_delay.ts", import.meta.url).href;
const CONFIG = new URL("../../deno.json", import.meta.url).pathname;
const hasGlibc = Deno.build.os === "linux" && isLoadable("libc.so.6");

function isLoadable(library: string): boolean {
  try {
    Deno.dlopen(library, {}).close();
    return true;
  } catch {
    return false;
  }
}

/** TCP_NODELAY of every socket of this process with `local` as its port and `peer` as the other end's. */
function noDelayOf(local: number, peer: number): number[] {
  const name = { parameters: ["i32", "buffer", "buffer"], result: "i32" } as const;
  const libc = Deno.dlopen("libc.so.6", {
    getsockname: name,
    getpeername: name,
    getsockopt: { parameters: ["i32", "i32", "i32", "buffer", "buffer"], result: "i32" },
  });
  const portOf = (read: "getsockname" | "getpeername", fd: number) => {
    const address = new DataView(new ArrayBuffer(128));
    const isSocket = libc.symbols[read](fd, address.buffer, new Uint32Array([128])) === 0;
    return isSocket && address.getUint16(0, true) === 2 ? address.getUint16(2) : undefined;
  };
  const values: number[] = [];
  for (let fd = 3; fd < 1024; fd++) {
    if (portOf("getsockname", fd) !== local || portOf("getpeername", fd) !== peer) continue;
    const value = new Int32Array(1);
    assert.equal(libc.symbols.getsockopt(fd, 6, 1, value, new Uint32Array([4])), 0);
    values.push(value[0]!);
  }
  libc.close();
  return values;
}

/** Runs a program with these permissions only; returns what it printed. */
async function run(program: string, ...permissions: string[]): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-prompt",
      "--quiet",
      "--config",
      CONFIG,
      ...permissions,
      `data:text/javascript,${program}`,
    ],
    stdin: "null",
  }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout).trim();
}

Deno.test({
  name: "accepted connections send small writes at once",
  ignore: !hasGlibc,
  async fn() {
    const listener = bind({ hostname: "127.0.0.1", port: 0 }, systemClock);
    assert.equal(listener.noDelay, true);
    listener.serve(() => Promise.resolve(new Response("hello")));
    const client = await Deno.connect({ hostname: "127.0.0.1", port: listener.port });
    try {
      await client.write(new TextEncoder().encode("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
      assert.ok((await client.read(new Uint8Array(1024)))! > 0);
      const peer = (client.localAddr as Deno.NetAddr).port;
      assert.deepEqual(noDelayOf(listener.port, peer), [1]);
    } finally {
      client.close();
      await listener.close(1_000);
    }
  },
});

Deno.test({
  name: "only sockets bound to the port are changed",
  ignore: !hasGlibc,
  async fn() {
    const datagrams = createSocket("udp4");
    datagrams.bind(0, "127.0.0.1");
    await once(datagrams, "listening");
    const { port } = datagrams.address();
    try {
      assert.equal(setNoDelay(port), false);
      const listener = Deno.listen({ hostname: "127.0.0.1", port });
      assert.equal(setNoDelay(port), true);
      listener.close();
    } finally {
      await new Promise<void>((resolve) => datagrams.close(resolve));
    }
  },
});

Deno.test("without the permission for the C library the server listens as before", async () => {
  const program = `import { setNoDelay } from "${MODULE}";
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    console.log(setNoDelay(listener.addr.port));`;
  const url = encodeURIComponent(program);
  assert.equal(await run(url, "--allow-net=127.0.0.1"), "false");
  assert.equal(await run(url, "--allow-net=127.0.0.1", "--allow-ffi=/nowhere/libc.so.6"), "false");
  if (hasGlibc) assert.equal(await run(url, "--allow-net=127.0.0.1", "--allow-ffi"), "true");
});
