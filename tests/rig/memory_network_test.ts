import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import type { DialRequest, PeerSocket } from "../../lib/world/mod.ts";
import { MemoryNetwork } from "../support/memory_network.ts";
import { ScriptedPeer } from "../support/scripted_peer.ts";
import { SteppingClock } from "../support/stepping_clock.ts";

const URL = "wss://peer.example";

class Caller {
  readonly clock = new SteppingClock();
  readonly network = new MemoryNetwork(this.clock);
  readonly peer = new ScriptedPeer(this.clock);
  readonly heard: string[] = [];
  closed: string | undefined;

  constructor() {
    this.network.add(URL, this.peer);
  }

  async dial(change: Partial<DialRequest> = {}): Promise<PeerSocket | string> {
    const answer = this.network.dial({
      url: URL,
      trusted: false,
      timeoutMs: 5_000,
      maxMessageBytes: 1_000,
      signal: new AbortController().signal,
      listener: { message: (text) => this.heard.push(text), closed: (reason) => this.closed = reason },
      ...change,
    });
    let result: Awaited<typeof answer> | undefined;
    void answer.then((value) => result = value);
    ok(await this.clock.until(() => result !== undefined, 60_000));
    return result!.ok ? result!.socket : result!.fault;
  }
}

Deno.test("the virtual clock wakes sleepers in order and lets work between two of them finish", async () => {
  const clock = new SteppingClock();
  const order: string[] = [];
  const abort = new AbortController();
  void clock.sleep(20).then(async () => {
    for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setTimeout(resolve, 0));
    order.push("work");
  });
  let busy = 1;
  clock.isBusy = () => busy > 0 && order.length < 1;
  void clock.sleep(30).then(() => order.push("second"));
  void clock.sleep(25, abort.signal).then(() => order.push("aborted"));
  busy = 0;
  await clock.advance(10);
  abort.abort();
  busy = 1;
  strictEqual(clock.sleeping, 2);
  clock.isBusy = () => clock.monotonic() === 20 && !order.includes("work");
  await clock.advance(50);
  deepStrictEqual(order, ["aborted", "work", "second"]);
  strictEqual(clock.monotonic(), 60);
  const now = clock.now();
  clock.jump(3_600_000);
  strictEqual(clock.now() - now, 3_600_000);
  strictEqual(clock.monotonic(), 60);
  strictEqual(await clock.until(() => false, 1_000), false);
  strictEqual(clock.monotonic(), 1_060);
});

Deno.test("the memory network carries messages in order and takes the road's time", async () => {
  const caller = new Caller();
  const socket = await caller.dial() as PeerSocket;
  socket.send('["REQ","a",{"limit":0}]');
  socket.send('["REQ","b",{"limit":0}]');
  const before = caller.clock.monotonic();
  ok(await caller.clock.until(() => caller.heard.length === 2, 1_000));
  strictEqual(caller.clock.monotonic() - before, 10);
  deepStrictEqual(caller.heard, ['["EOSE","a"]', '["EOSE","b"]']);
  caller.network.road(URL).bytesPerSecond = 10;
  socket.send('["REQ","c",{"limit":0}]');
  ok(await caller.clock.until(() => caller.heard.length === 3, 60_000));
  ok(caller.clock.monotonic() - before > 3_000);
  strictEqual(caller.network.openSockets(URL), 1);
  socket.close();
  await caller.clock.advance(1);
  strictEqual(caller.closed, "closed");
  strictEqual(caller.network.openSockets(), 0);
  strictEqual(caller.clock.sleeping, 0);
});

Deno.test("the memory network pauses, distorts, loses and cuts", async () => {
  const caller = new Caller();
  const road = caller.network.road(URL);
  const socket = await caller.dial() as PeerSocket;
  socket.pause();
  socket.send('["REQ","a",{"limit":0}]');
  await caller.clock.advance(1_000);
  strictEqual(caller.heard.length, 0);
  socket.resume();
  await caller.clock.advance(1_000);
  strictEqual(caller.heard.length, 1);
  road.distort = (text) => [text, text];
  socket.send('["REQ","b",{"limit":0}]');
  await caller.clock.advance(1_000);
  strictEqual(caller.heard.length, 3);
  road.losesOurs = true;
  socket.send('["REQ","c",{"limit":0}]');
  await caller.clock.advance(1_000);
  strictEqual(caller.heard.length, 3);
  strictEqual(caller.network.log(URL).asked().length, 3);
  road.losesOurs = false;
  caller.network.cut(URL);
  await caller.clock.advance(1);
  ok(caller.closed);
  strictEqual(caller.peer.conversations.size, 0);
});

Deno.test("the memory network fails dials by fault, hangs until the timeout, and knows no strangers", async () => {
  const caller = new Caller();
  const road = caller.network.road(URL);
  road.failure = { fault: "tls", text: "certificate has expired" };
  strictEqual(await caller.dial(), "tls");
  road.failure = undefined;
  road.hangs = true;
  const before = caller.clock.monotonic();
  strictEqual(await caller.dial(), "timeout");
  strictEqual(caller.clock.monotonic() - before, 5_000);
  strictEqual(await caller.dial({ url: "wss://nobody.example" }), "dns");
  road.hangs = false;
  caller.peer.quirks = { noUpgrade: true };
  strictEqual(await caller.dial(), "protocol");
  strictEqual(caller.network.dials(URL).length, 3);
});
