import assert from "node:assert/strict";
import { setImmediate } from "node:timers";
import type { NostrEvent } from "../../lib/nostr/mod.ts";
import type { AdmitAnswer, EventSink } from "../../lib/relay/mod.ts";
import { RelayClient } from "../support/relay_client.ts";
import { eventually } from "../support/temp.ts";
import { unsigned, withRelay } from "./support.ts";

/** A sink that lets the test answer; `judged` are the events that wait for it. */
function patientSink() {
  const judged = new Map<string, (answer: AdmitAnswer) => void>();
  const sink: EventSink = {
    admit: (value) => {
      const { id } = value as NostrEvent;
      return new Promise((resolve) => judged.set(id, resolve));
    },
  };
  const answer = (id: string) => judged.get(id)!({ id, accepted: true, message: "" });
  return { sink, judged, answer };
}

Deno.test("events that follow each other are judged together and answered in order, and what follows waits", async () => {
  const { sink, judged, answer } = patientSink();
  await withRelay({ sink, bounds: { eventsUnderWay: 3 } }, async ({ url }) => {
    const client = await RelayClient.connect(url);
    const events = [unsigned(), unsigned(), unsigned(), unsigned()];
    for (const event of events) client.send(["EVENT", event]);
    client.send(["COUNT", "c", { kinds: [1] }]);
    const [first, second, third, fourth] = events.map(({ id }) => id) as [string, string, string, string];
    await eventually("three are judged", () => judged.size === 3);
    answer(third);
    answer(second);
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(client.messages, []);
    answer(first);
    await eventually("the fourth is judged", () => judged.has(fourth));
    await client.waitFor((message) => message[1] === third);
    assert.deepEqual(client.messages.map((message) => message[1]), [first, second, third]);
    answer(fourth);
    await client.waitFor(([type]) => type === "COUNT");
    assert.deepEqual(client.messages.map((message) => message[1]), [first, second, third, fourth, "c"]);
    await client.close();
  });
});

Deno.test("a large event is judged alone; a client that leaves holds nothing back", async () => {
  const { sink, judged, answer } = patientSink();
  await withRelay({ sink, bounds: { eventUnitsUnderWay: 1_000 } }, async ({ url, metrics }) => {
    const client = await RelayClient.connect(url);
    const [large, small] = [unsigned({ content: "x".repeat(1_000) }), unsigned()];
    for (const event of [large, small]) client.send(["EVENT", event]);
    client.send(["REQ", "r", {}]);
    await eventually("the large one is judged", () => judged.has(large.id));
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(judged.size, 1);
    answer(large.id);
    await eventually("the small one is judged", () => judged.has(small.id));
    await client.close();
    await eventually("the connection is gone", () => metrics.closed === 1);
    answer(small.id);
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(metrics.open, 0);
  });
});
