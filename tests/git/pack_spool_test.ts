import assert from "node:assert/strict";
import { PackSpool } from "../../lib/git/pack_spool.ts";
import { withTempDirectory } from "../support/temp.ts";
import { VirtualClock } from "../support/virtual_clock.ts";

const PATIENCE_MS = 1_000;

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

interface Scene {
  readonly spool: PackSpool;
  readonly clock: VirtualClock;
  /** Everything a new reader gets, and how it ends; reads from the call on. */
  follow(): Promise<string>;
  /** How often the last reader left. */
  unread(): number;
}

async function scene(room: number, work: (scene: Scene) => Promise<void>): Promise<void> {
  await withTempDirectory(async (directory) => {
    const clock = new VirtualClock();
    let unread = 0;
    let left = room;
    const spool = new PackSpool({
      path: `${directory}/1.part`,
      clock,
      reserve: (count) => left >= count && (left -= count, true),
      patienceMs: PATIENCE_MS,
      onUnread: () => unread++,
    });
    const follow = async () => {
      const reader = spool.open()!;
      let text = "";
      for (;;) {
        const found = await reader.read();
        if (typeof found === "string") {
          reader.cut();
          return `${text} ${found}`;
        }
        text += new TextDecoder().decode(found);
      }
    };
    await work({ spool, clock, follow, unread: () => unread });
  });
}

Deno.test("readers that come early, late and after the end get the same, however it ends", async () => {
  for (const how of ["whole", "cut"] as const) {
    await scene(100, async ({ spool, follow, unread }) => {
      const early = follow();
      await spool.append(bytes("one "));
      const late = follow();
      await spool.append(bytes("two"));
      spool.end(how);
      assert.deepEqual(await Promise.all([early, late, follow()]), Array(3).fill(`one two ${how}`));
      assert.deepEqual([spool.isKept, spool.readers, unread()], [true, 0, 1]);
    });
  }
});

Deno.test("a reader that keeps up for a while and then falls behind gets everything once", () =>
  scene(100, async ({ spool }) => {
    const reader = spool.open()!;
    let text = "";
    const read = async () => text += new TextDecoder().decode(await reader.read() as Uint8Array);
    await spool.append(bytes("one "));
    await read();
    for (const word of ["two ", "three ", "four "]) await spool.append(bytes(word));
    await read();
    assert.equal(text, "one two three four ");
    spool.end("whole");
    reader.cut();
  }));

Deno.test("beyond its room an answer passes from hand to hand, and nobody can join it", () =>
  scene(4, async ({ spool, follow }) => {
    const both = [follow(), follow()];
    await spool.append(bytes("one "));
    await spool.append(bytes("two "));
    assert.deepEqual([spool.isKept, spool.open()], [false, undefined]);
    await spool.append(bytes("three"));
    spool.end("whole");
    assert.deepEqual(await Promise.all(both), Array(2).fill("one two three whole"));
  }));

Deno.test("a reader that holds up the others too long is cut off, and they go on", () =>
  scene(4, async ({ spool, clock, follow, unread }) => {
    const stuck = spool.open()!;
    const following = follow();
    await spool.append(bytes("one "));
    const handing = spool.append(bytes("two"));
    await new Promise((resolve) => setTimeout(resolve, 0)); // until it waits
    await clock.advance(PATIENCE_MS - 1);
    assert.equal(spool.readers, 2);
    await clock.advance(1);
    await handing;
    assert.equal(spool.readers, 1);
    assert.equal(await stuck.read(), "cut");
    spool.end("whole");
    assert.equal(await following, "one two whole");
    assert.equal(unread(), 1);
  }));

Deno.test("a client that reads slowly gets every byte: memory is given back only once the runtime has it", () =>
  withTempDirectory(async (directory) => {
    const spool = new PackSpool({
      path: `${directory}/1.part`,
      clock: new VirtualClock(),
      reserve: () => true,
      patienceMs: PATIENCE_MS,
      onUnread: () => {},
    });
    const written = new Uint32Array(6 << 20).map((_, index) => Math.imul(index, 2_654_435_761));
    await spool.append(new Uint8Array(written.buffer));
    spool.end("whole");
    const reader = spool.open()!;
    const body = new ReadableStream<Uint8Array>({
      async pull(controller) {
        const found = await reader.read();
        if (typeof found === "string") controller.close();
        else controller.enqueue(found);
      },
    }, { highWaterMark: 0 });
    const server = Deno.serve(
      { port: 0, hostname: "127.0.0.1", onListen: () => {} },
      () => new Response(body),
    );
    const response = await fetch(`http://127.0.0.1:${server.addr.port}/`);
    const read = new Uint8Array(written.byteLength);
    let length = 0;
    for await (const chunk of response.body!) {
      read.set(chunk, length);
      length += chunk.length;
      if (length % 64 === 0) await new Promise((resolve) => setTimeout(resolve, 2)); // slower than the file is read
    }
    reader.cut();
    await server.shutdown();
    assert.equal(length, written.byteLength);
    assert.ok(new Uint32Array(read.buffer).every((value, index) => value === written[index]));
  }));
