import assert from "node:assert/strict";
import { drain, patience } from "../../lib/git/request_body.ts";
import { VirtualClock } from "../support/virtual_clock.ts";

/** A body that is fed by hand. */
function body() {
  let feed!: ReadableStreamDefaultController<Uint8Array>;
  const stream = new ReadableStream<Uint8Array>({ start: (controller) => void (feed = controller) });
  return { reader: stream.getReader(), feed };
}

/** The result as far as there is one. */
function watched(result: Promise<boolean>): { value: boolean | undefined } {
  const state: { value: boolean | undefined } = { value: undefined };
  void result.then((value) => state.value = value);
  return state;
}

const request = (headers: Record<string, string>) => new Request("http://x", { headers });
const BEHIND_PROXY = patience(request({ "x-forwarded-for": "192.0.2.1" }));
const DIRECT = patience(request({}));

Deno.test("the rest of an unwanted body is read to its end, however slowly a direct client sends it", async () => {
  const clock = new VirtualClock();
  const { reader, feed } = body();
  const drained = drain(reader, clock, DIRECT);
  const state = watched(drained);
  await clock.advance(119_000);
  assert.equal(state.value, undefined);
  feed.enqueue(new Uint8Array(10));
  feed.close();
  assert.equal(await drained, true);
});

Deno.test("a proxy that passes on no more of an unwanted body is not waited for", async () => {
  for (const name of ["x-forwarded-for", "forwarded", "via"]) {
    assert.equal(patience(request({ [name]: "x" })), BEHIND_PROXY);
  }
  const clock = new VirtualClock();
  const { reader, feed } = body();
  const state = watched(drain(reader, clock, BEHIND_PROXY));
  for (let chunk = 0; chunk < 20; chunk++) {
    feed.enqueue(new Uint8Array(10));
    await clock.advance(1_500);
    assert.equal(state.value, undefined, "it goes on while something comes");
  }
  await clock.advance(4_000);
  assert.equal(state.value, false);
});

Deno.test("an unwanted body without end is cut off after 120 s, and one that fails at once", async () => {
  const clock = new VirtualClock();
  const endless = body();
  const state = watched(drain(endless.reader, clock, BEHIND_PROXY));
  for (let seconds = 0; seconds < 119; seconds++) {
    endless.feed.enqueue(new Uint8Array(10));
    await clock.advance(1_000);
  }
  assert.equal(state.value, undefined);
  for (let seconds = 0; seconds < 4; seconds++) {
    if (state.value === undefined) endless.feed.enqueue(new Uint8Array(10));
    await clock.advance(1_000);
  }
  assert.equal(state.value, false);
  const failing = body();
  const failed = drain(failing.reader, clock);
  failing.feed.error(new Error("gone"));
  assert.equal(await failed, false);
});
