import assert from "node:assert/strict";
import { RelayClient } from "../support/relay_client.ts";
import { eventually } from "../support/temp.ts";
import { VirtualClock } from "../support/virtual_clock.ts";
import {
  rawUpgrade,
  readCloseFrame,
  readFrame,
  sendText,
  type TestRelay,
  unsigned,
  withRelay,
} from "./support.ts";

/** Far more than the kernel takes for a connection nobody reads from: 100 events of 256 KiB. */
const EVENTS = 100;
const CONTENT = "x".repeat(256 << 10);

function fill({ store }: TestRelay): void {
  for (let i = 0; i < EVENTS; i++) store.events.push(unsigned({ content: CONTENT, created_at: i + 1 }));
}

Deno.test("a reader that stops reading live events is closed with 1008 while others receive all", async () => {
  await withRelay({ bounds: { closeAboveBytes: 4 << 20 } }, async ({ port, url, accept, metrics }) => {
    const slow = await rawUpgrade(port);
    await sendText(slow, '["REQ","slow",{"kinds":[1]}]');
    const fast = await RelayClient.connect(url);
    const sub = await fast.subscribe({ kinds: [1] });
    await eventually("both subscribed", () => metrics.open === 2);
    for (let i = 1; i <= EVENTS; i++) {
      accept(unsigned({ content: CONTENT }));
      await fast.waitFor(() => fast.received(sub).length === i);
    }
    assert.equal(metrics.open, 1);
    assert.equal(fast.received(sub).length, EVENTS);
    const { before, code } = await readCloseFrame(slow);
    assert.equal(code, 1008);
    assert.ok(before < EVENTS);
    slow.connection.close();
    await fast.close();
  });
});

Deno.test("stored results wait for a slow reader, up to the deadline", async () => {
  const clock = new VirtualClock();
  await withRelay({ clock }, async (test) => {
    fill(test);
    const slow = await rawUpgrade(test.port);
    await sendText(slow, '["REQ","slow",{"kinds":[1]}]');
    await eventually("sending has begun", () => test.metrics.sentTypes.length > 3);
    await clock.advance(29_000);
    assert.equal(test.metrics.open, 1);
    const sentWhileStalled = test.metrics.sentTypes.length;
    assert.ok(sentWhileStalled < EVENTS, `${sentWhileStalled} events sent`);
    await eventually("the slow reader was given up", async () => {
      await clock.advance(10_000);
      return test.metrics.open === 0;
    });
    assert.equal((await readCloseFrame(slow)).code, 1008);
    slow.connection.close();
  });
});

Deno.test("a slow reader that reads on in time receives everything up to EOSE", async () => {
  await withRelay({ bounds: { drainPollMs: 1 } }, async (test) => {
    fill(test);
    const slow = await rawUpgrade(test.port);
    await sendText(slow, '["REQ","slow",{"kinds":[1]}]');
    await eventually("sending has begun", () => test.metrics.sentTypes.length > 3);
    for (let i = 0; i < EVENTS; i++) assert.ok((await readFrame(slow)).payload.length > CONTENT.length);
    const { payload } = await readFrame(slow);
    assert.equal(new TextDecoder().decode(payload), '["EOSE","slow"]');
    slow.connection.close();
    await eventually("its subscription is gone", () => test.metrics.open === 0);
  });
});

Deno.test("an event larger than the queue bound reaches a reader who keeps up", async () => {
  await withRelay({ bounds: { closeAboveBytes: 1_000 } }, async ({ url, accept }) => {
    const client = await RelayClient.connect(url);
    const sub = await client.subscribe({ kinds: [1] });
    accept(unsigned({ content: CONTENT }));
    await client.waitFor(([type]) => type === "EVENT");
    assert.equal(client.received(sub)[0]?.content.length, CONTENT.length);
    await client.close();
  });
});
