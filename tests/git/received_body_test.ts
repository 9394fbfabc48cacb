import assert from "node:assert/strict";
import { Deadlines } from "../../lib/git/deadlines.ts";
import { readFetchRequest, RequestRoom } from "../../lib/git/fetch_request.ts";
import { readLsRefs } from "../../lib/git/ls_refs.ts";
import { encodePkt, joinBytes } from "../../lib/git/pkt_line.ts";
import { BodyError, ReceivedBody } from "../../lib/git/received_body.ts";
import { VirtualClock } from "../support/virtual_clock.ts";
import { eventually } from "../support/temp.ts";

const MIB = 1 << 20;

/** A body fed by hand, as a listener makes it: it fills the memory of its reader. */
function body(declared: number, maxBytes = Infinity) {
  let feed!: ReadableByteStreamController;
  const stream = new ReadableStream({ type: "bytes", start: (controller) => void (feed = controller) });
  const clock = new VirtualClock();
  let taken = 0;
  const onBytes = (count: number) => void (taken += count);
  const deadlines = new Deadlines(clock, 60_000, new AbortController().signal);
  const limits = { maxBytes, idleMs: 60_000, clock, deadlines, onBytes };
  const received = new ReceivedBody(stream, declared, limits);
  return { received, feed, clock, taken: () => taken };
}

function endsWith(problem: string) {
  return (error: unknown) => error instanceof BodyError && error.problem === problem;
}

Deno.test("G-18 chunks whose memory goes round arrive as they were sent", async () => {
  const { received, feed } = body(0);
  const sent = crypto.getRandomValues(new Uint8Array(64 * 1024));
  let at = 0;
  let spare: Uint8Array | undefined;
  const total = 4 * MIB + 5;
  for (let fed = 0; fed < total; fed += 10_007) {
    feed.enqueue(
      Uint8Array.from({ length: Math.min(10_007, total - fed) }, (_, n) => sent[(fed + n) % 65_536]!),
    );
  }
  feed.close();
  for (let chunk = await received.read(); !chunk.done; chunk = await received.read(spare)) {
    for (const byte of chunk.value) {
      if (byte !== sent[at++ % 65_536]) assert.fail(`another byte at ${at - 1}`);
    }
    spare = chunk.value;
  }
  assert.equal(at, total);
});

Deno.test("G-18 a body is read ahead by half a MiB, and its last MiB at once", async () => {
  for (const [declared, least, most] of [[0, MIB / 2, MIB / 2 + 65_536], [MIB, MIB, MIB]] as const) {
    const { received, feed, taken } = body(declared);
    for (let n = 0; n < 64; n++) {
      if (n * 65_536 < (declared || Infinity)) feed.enqueue(new Uint8Array(65_536));
    }
    await eventually("it is read ahead", () => Promise.resolve(taken() >= least));
    assert.ok(taken() <= most, `${taken()} bytes`);
    await received.cancel();
    assert.equal((await received.read()).done, true);
  }
});

Deno.test("a silent client is given up after its time, but not while it is us who do not read", async () => {
  const { received, feed, clock, taken } = body(0);
  for (let n = 0; n < 10; n++) feed.enqueue(new Uint8Array(65_536));
  await eventually("it is read ahead", () => Promise.resolve(taken() >= MIB / 2));
  await clock.advance(600_000);
  for (let n = 0; n < 10; n++) assert.equal((await received.read()).done, false, "held back, not silent");
  await clock.advance(59_000);
  feed.enqueue(new Uint8Array(1));
  assert.equal((await received.read()).value?.length, 1);
  const next = received.read();
  next.catch(() => {});
  await clock.advance(59_000);
  await clock.advance(2_000);
  await assert.rejects(next, endsWith("idle"));
});

Deno.test("a body ends where its length says, at the limit, or with the client", async () => {
  const whole = body(3);
  whole.feed.enqueue(new Uint8Array(3));
  assert.equal((await whole.received.read()).value?.length, 3);
  assert.equal((await whole.received.read()).done, true, "without waiting for the end of the stream");
  const large = body(0, 3);
  large.feed.enqueue(new Uint8Array(4));
  await assert.rejects(large.received.read(), endsWith("too-large"));
  const gone = body(0);
  gone.feed.error(new Error("reset"));
  await assert.rejects(gone.received.read(), endsWith("gone"));
});

/** A body that fills `count` bytes of the memory of each read. */
function dribbled(content: Uint8Array, count = 1): ReceivedBody {
  let at = 0;
  const body = new ReadableStream({
    type: "bytes",
    pull(controller) {
      const { byobRequest } = controller;
      const part = content.subarray(at, at += count);
      if (part.length === 0) controller.close();
      else new Uint8Array(byobRequest!.view!.buffer).set(part);
      byobRequest?.respond(part.length);
    },
  });
  const clock = new VirtualClock();
  const deadlines = new Deadlines(clock, 60_000, new AbortController().signal);
  const limits = { maxBytes: Infinity, idleMs: 60_000, clock, deadlines };
  return new ReceivedBody(body, 0, limits);
}

Deno.test("a body that comes in tiny pieces takes little memory while it waits to be read", async () => {
  const content = new Uint8Array(150_000).map((_, index) => index * 7);
  const body = dribbled(content, 10);
  await new Promise((resolve) => setTimeout(resolve, 100));
  const held: Uint8Array[] = [];
  for (let chunk = await body.read(); !chunk.done; chunk = await body.read()) held.push(chunk.value.slice());
  assert.ok(held.length < 10, `${held.length} pieces`);
  assert.deepEqual(joinBytes(held), content);
});

Deno.test("a request that comes in tiny pieces is held in little more memory than its bytes", async () => {
  const request = encodePkt(`want ${"x".repeat(20_000)}`);
  const first = request.slice(0, 1);
  const forRefs = await readLsRefs(first, dribbled(request.subarray(1)));
  const forPack = await readFetchRequest(2, first, dribbled(request.subarray(1)), new RequestRoom(1 << 20));
  for (const { bytes } of [forRefs, forPack]) {
    assert.deepEqual(bytes, request);
    assert.ok(bytes.buffer.byteLength < 200_000, `${bytes.buffer.byteLength} bytes of memory`);
  }
});
