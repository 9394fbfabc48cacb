import assert from "node:assert/strict";
import type { NostrEvent } from "../../lib/nostr/mod.ts";
import { serialiseEvent } from "../../lib/nostr/mod.ts";
import { RelayClient } from "../support/relay_client.ts";
import { VirtualClock } from "../support/virtual_clock.ts";
import {
  rawUpgrade,
  readCloseFrame,
  sendText,
  type TestRelay,
  type TestRelayOptions,
  unsigned,
  withRelay,
} from "./support.ts";

/** Words in a NOTICE that make peers pause or give up negentropy (relay chapter, REQ and NOTICE). */
const LOADED_WORDS = /rate|limit|too many|slow down|throttl|envelope|NEG-|negentropy/i;

/** Runs `work` with one client connected. */
function withClient(
  options: TestRelayOptions,
  work: (client: RelayClient, test: TestRelay) => Promise<void>,
): Promise<void> {
  return withRelay(options, async (test) => {
    const client = await RelayClient.connect(test.url);
    try {
      await work(client, test);
    } finally {
      await client.close();
    }
  });
}

/** Waits until everything sent so far has been handled: messages are answered in order. */
async function settled(client: RelayClient): Promise<void> {
  await client.subscribe({ limit: 0 });
}

const ids = (events: readonly NostrEvent[]) => events.map(({ id }) => id);

Deno.test("R-7 stored matches, then EOSE, then later events live exactly once", async () => {
  await withClient({}, async (client, { accept }) => {
    const [older, newer, other] = [unsigned(), unsigned(), unsigned({ kind: 7 })];
    for (const event of [older, newer, other]) accept(event);
    const sub = await client.subscribe({ kinds: [1] }, { ids: [newer.id] });
    assert.deepEqual(ids(client.received(sub)), [newer.id, older.id]);
    const live = unsigned();
    assert.deepEqual(await client.publish(live), { accepted: true, message: "" });
    accept(unsigned({ kind: 7 }));
    await settled(client);
    assert.deepEqual(ids(client.received(sub)), [newer.id, older.id, live.id]);
    assert.deepEqual(client.received(sub)[2], live);
  });
});

Deno.test("R-7 an event stored while the query runs arrives once, as stored or as live", async () => {
  await withClient({}, async (client, { store, accept, relay }) => {
    const [before, during, seenAndPublished] = [unsigned(), unsigned(), unsigned()];
    store.events.push(before, seenAndPublished);
    store.afterRead = () => {
      store.afterRead = () => {};
      relay.publish(seenAndPublished, serialiseEvent(seenAndPublished));
      accept(during);
    };
    const sub = await client.subscribe({ kinds: [1] });
    await settled(client);
    assert.deepEqual(ids(client.received(sub)), [seenAndPublished.id, before.id, during.id]);
    const types = client.messages.filter(([, id]) => id === sub).map(([type]) => type);
    assert.deepEqual(types, ["EVENT", "EVENT", "EOSE", "EVENT"]);
  });
});

Deno.test("R-7 more live events than may be held back before EOSE end that subscription only", async () => {
  await withClient({ bounds: { heldEvents: 3 } }, async (client, { store, accept, metrics }) => {
    store.afterRead = () => {
      store.afterRead = () => {};
      for (let i = 0; i < 5; i++) accept(unsigned());
    };
    client.send(["REQ", "flooded", { kinds: [1] }]);
    const closed = await client.waitFor(([type]) => type === "CLOSED");
    assert.deepEqual(closed, ["CLOSED", "flooded", "error: more new events than could be held back"]);
    await settled(client);
    assert.ok(!client.messages.some(([type, id]) => type === "EOSE" && id === "flooded"));
    assert.equal(metrics.open, 1);
  });
});

Deno.test("R-8 limit 0 sends EOSE at once and then live events", async () => {
  await withClient({}, async (client, { accept }) => {
    accept(unsigned());
    const sub = await client.subscribe({ kinds: [1], limit: 0 });
    assert.deepEqual(client.received(sub), []);
    const live = unsigned();
    accept(live);
    await settled(client);
    assert.deepEqual(ids(client.received(sub)), [live.id]);
  });
});

Deno.test("R-9 after CLOSE nothing arrives; CLOSE of an unknown id has no effect", async () => {
  await withClient({}, async (client, { accept, metrics }) => {
    const kept = await client.subscribe({ kinds: [1] });
    const ended = await client.subscribe({ kinds: [1] });
    client.send(["CLOSE", ended]);
    client.send(["CLOSE", "unknown"]);
    await settled(client);
    accept(unsigned());
    await settled(client);
    assert.equal(client.received(ended).length, 0);
    assert.equal(client.received(kept).length, 1);
    assert.equal(metrics.open, 3);
    assert.ok(client.messages.every(([type]) => type !== "NOTICE" && type !== "CLOSED"));
  });
});

Deno.test("a REQ on an open id replaces that subscription", async () => {
  await withClient({}, async (client, { accept, metrics }) => {
    client.send(["REQ", "a", { kinds: [1] }]);
    client.send(["REQ", "a", { kinds: [7] }]);
    await settled(client);
    accept(unsigned({ kind: 1 }));
    accept(unsigned({ kind: 7 }));
    await settled(client);
    assert.deepEqual(client.received("a").map(({ kind }) => kind), [7]);
    assert.equal(metrics.open, 3);
  });
});

Deno.test("R-10 H-13 the 501st subscription is CLOSED rate-limited; the other 500 keep working", async () => {
  await withClient({}, async (client, { accept, metrics }) => {
    for (let i = 1; i <= 501; i++) client.send(["REQ", `s${i}`, { kinds: [1], limit: 0 }]);
    client.send(["REQ", "s1", { kinds: [1], limit: 0 }]);
    const closed = await client.waitFor(([type]) => type === "CLOSED");
    assert.deepEqual(closed, ["CLOSED", "s501", "rate-limited: too many subscriptions"]);
    await client.waitFor(() => client.messages.filter(([type]) => type === "EOSE").length === 501);
    accept(unsigned());
    client.send(["COUNT", "end", {}]);
    await client.waitFor(([type]) => type === "COUNT");
    assert.equal(client.messages.filter(([type]) => type === "EVENT").length, 500);
    assert.equal(metrics.open, 500);
  });
});

Deno.test("subscriptions whose filters are too large together are CLOSED, small ones go on", async () => {
  await withClient({ bounds: { subscriptionBytes: 50_000 } }, async (client, { metrics }) => {
    const large = { "#t": Array.from({ length: 120 }, (_, i) => `${i}`.padStart(50, "x")) };
    client.send(["REQ", "first", large]);
    client.send(["REQ", "second", large]);
    const closed = await client.waitFor(([type]) => type === "CLOSED");
    assert.equal(closed[1], "second");
    assert.match(String(closed[2]), /^rate-limited: /);
    client.send(["CLOSE", "first"]);
    client.send(["REQ", "third", large]);
    await client.waitFor(([type, id]) => type === "EOSE" && id === "third");
    assert.equal(metrics.open, 1);
  });
});

Deno.test("short values count by what they take in memory, not by their length in the message", async () => {
  await withClient({ bounds: { subscriptionBytes: 1 << 20 } }, async (client) => {
    const kinds = Array.from({ length: 5_000 }, (_, i) => i);
    client.send(["REQ", "many", { kinds, limit: 0 }]);
    const [type, id, reason] = await client.waitFor(([type]) => type === "CLOSED" || type === "EOSE");
    assert.deepEqual([type, id], ["CLOSED", "many"]);
    assert.match(String(reason), /^rate-limited: /);
    client.send(["REQ", "few", { kinds: kinds.slice(0, 300), limit: 0 }]);
    await client.waitFor(([type, id]) => type === "EOSE" && id === "few");
  });
});

Deno.test("R-11 IO-44 the 61st EVENT within a minute is rate-limited, others and later ones are not", async () => {
  const clock = new VirtualClock();
  await withRelay({ clock }, async ({ url }) => {
    const [busy, calm] = [await RelayClient.connect(url), await RelayClient.connect(url)];
    const events = Array.from({ length: 100 }, () => unsigned());
    for (const event of events) busy.send(["EVENT", event]);
    await busy.waitFor(() => busy.messages.length === 100);
    assert.deepEqual(busy.messages.map(([, id]) => id), ids(events));
    const refused = busy.messages.filter(([, , accepted]) => accepted === false);
    assert.equal(refused.length, 40);
    assert.ok(refused.every(([type, , , text]) => type === "OK" && text === "rate-limited: slow down"));
    assert.equal((await calm.publish(unsigned())).accepted, true);
    await clock.advance(1_000);
    assert.equal((await busy.publish(unsigned())).accepted, true);
    assert.equal((await busy.publish(unsigned())).accepted, false);
    assert.deepEqual(await busy.query({ ids: [events[0]!.id] }), [events[0]]);
    await busy.close();
    await calm.close();
  });
});

Deno.test("R-12 a subscription id of 251 characters is refused, one of 250 is served", async () => {
  await withClient({}, async (client) => {
    for (const id of ["", "x".repeat(251), "é".repeat(251), "\u{1f980}".repeat(251)]) {
      client.send(["REQ", id, { kinds: [1] }]);
      const [, , reason] = await client.waitFor(([type, sub]) => type === "CLOSED" && sub === id);
      assert.match(String(reason), /^invalid: subscription id is /);
    }
    for (const id of ["x".repeat(250), "\u{1f980}".repeat(250), 'quote " and \\ and \n']) {
      client.send(["REQ", id, { kinds: [1] }]);
      await client.waitFor(([type, sub]) => type === "EOSE" && sub === id);
    }
  });
});

Deno.test("malformed filters are CLOSED with the reason, for REQ and COUNT", async () => {
  await withClient({}, async (client, { metrics }) => {
    const cases: [unknown[], RegExp][] = [
      [[], /^invalid: no filter given$/],
      [["text"], /^invalid: filter is not an object$/],
      [[{ kinds: "1" }], /^invalid: filter field kinds is not a list$/],
      [[{ authors: ["xyz"] }], /^invalid: filter field authors has a malformed value$/],
      [[{ limit: -1 }], /^invalid: filter field limit /],
      [Array(65).fill({}), /^invalid: more than 64 filters$/],
    ];
    for (const type of ["REQ", "COUNT"]) {
      for (const [filters, reason] of cases) {
        const from = client.messages.length;
        client.send([type, "bad", ...filters]);
        const answer = await client.waitFor(() => true, from);
        assert.equal(answer[0], "CLOSED");
        assert.match(String(answer[2]), reason);
      }
    }
    assert.equal(metrics.open, 0);
  });
});

Deno.test("R-16 what cannot be read yields one NOTICE without loaded words, and the connection stays", async () => {
  await withClient({}, async (client) => {
    const messages: [string, string][] = [
      ["{", "invalid: could not parse message"],
      ["", "invalid: could not parse message"],
      ['{"a":1}', "invalid: could not parse message"],
      ["[]", "invalid: could not parse message"],
      ['["REQ"]', "invalid: could not parse message"],
      ['["REQ", 5, {}]', "invalid: could not parse message"],
      ['["EVENT"]', "invalid: could not parse message"],
      ['["EVENT", {"id": "too many requests, slow down"}]', "invalid: could not parse message"],
      ['["HELLO", "negentropy envelope"]', "invalid: unsupported message type"],
    ];
    for (const [text, notice] of messages) {
      const from = client.messages.length;
      client.send(text);
      await settled(client);
      const answers = client.messages.slice(from).filter(([type]) => type !== "EOSE");
      assert.deepEqual(answers, [["NOTICE", notice]], text);
      assert.doesNotMatch(notice, LOADED_WORDS);
    }
  });
});

Deno.test("binary frames are answered with a NOTICE and dropped", async () => {
  await withRelay({}, async ({ url }) => {
    const socket = new WebSocket(url);
    await new Promise((resolve) => socket.onopen = resolve);
    const answer = new Promise<MessageEvent>((resolve) => socket.onmessage = resolve);
    socket.send(new TextEncoder().encode('["REQ","a",{}]'));
    assert.deepEqual(JSON.parse((await answer).data), [
      "NOTICE",
      "invalid: binary frames are not supported",
    ]);
    const closed = new Promise((resolve) => socket.onclose = resolve);
    socket.close();
    await closed;
  });
});

Deno.test("IO-1 every EVENT is answered by one OK carrying the id as sent", async () => {
  await withClient({}, async (client) => {
    const good = unsigned();
    const sent: [Record<string, unknown>, string][] = [
      [{ ...good, content: "changed" }, "invalid: event id does not match"],
      [{ ...good, sig: "short" }, "invalid: malformed event"],
      [{ id: good.id }, "invalid: malformed event"],
      [{ ...good, id: good.id.toUpperCase() }, "invalid: malformed event"],
    ];
    for (const [value, text] of sent) {
      const from = client.messages.length;
      client.send(["EVENT", value]);
      await settled(client);
      const answers = client.messages.slice(from).filter(([type]) => type !== "EOSE");
      assert.deepEqual(answers, [["OK", value.id, false, text]]);
    }
  });
});

Deno.test("IO-2 ten REQs at once each end with EOSE, also where nothing can match", async () => {
  await withClient({}, async (client, { accept }) => {
    accept(unsigned());
    for (let i = 0; i < 10; i++) client.send(["REQ", `r${i}`, i % 2 ? { kinds: [10002] } : { kinds: [] }]);
    await client.waitFor(() => client.messages.filter(([type]) => type === "EOSE").length === 10);
    assert.equal(client.messages.length, 10);
  });
});

Deno.test("IO-4 a refused event leaves the connection open without a NOTICE", async () => {
  await withClient({}, async (client) => {
    const refused = await client.publish(unsigned({ kind: 0 }));
    assert.deepEqual(refused, { accepted: false, message: "blocked: not related to a repository" });
    assert.equal((await client.publish(unsigned())).accepted, true);
    assert.equal(client.messages.length, 2);
  });
});

Deno.test("H-13 a message of the largest size is handled, one byte more closes with 1009", async () => {
  await withRelay({ limits: { maxMessageBytes: 1_000 } }, async ({ url }) => {
    // "é" is two bytes: the limit counts bytes, not characters.
    const message = (bytes: number) => {
      const empty = '["CLOSE",""]'.length;
      return `["CLOSE","${"é".repeat(Math.floor((bytes - empty) / 2))}${(bytes - empty) % 2 ? "x" : ""}"]`;
    };
    const client = await RelayClient.connect(url);
    client.send(message(1_000));
    await settled(client);
    client.send(message(1_001));
    assert.equal((await client.waitForClose()).code, 1009);
  });
});

Deno.test("a client whose messages pile up beyond the bound is counted and closed with 1013 and no NOTICE", async () => {
  const never = Promise.withResolvers<never>();
  const sink = { admit: () => never.promise };
  await withRelay(
    { sink, bounds: { queuedMessages: 20, eventsUnderWay: 1 } },
    async ({ port, url, metrics }) => {
      const flooding = await rawUpgrade(port);
      const calm = await RelayClient.connect(url);
      for (let i = 0; i < 22; i++) await sendText(flooding, '["EVENT",{}]');
      assert.deepEqual(await readCloseFrame(flooding), { before: 0, code: 1013 });
      flooding.connection.close();
      assert.deepEqual(metrics.limited, ["event"]);
      await settled(calm);
      await calm.close();
    },
  );
});

Deno.test("COUNT answers the number of matching events over the store", async () => {
  await withClient({}, async (client, { accept }) => {
    for (let i = 0; i < 3; i++) accept(unsigned());
    accept(unsigned({ kind: 7 }));
    client.send(["COUNT", "c", { kinds: [1], limit: 1 }, { kinds: [7] }]);
    assert.deepEqual(await client.waitFor(() => true), ["COUNT", "c", { count: 4 }]);
  });
});

Deno.test("AUTH nobody asked for is refused with the id as sent", async () => {
  await withClient({}, async (client) => {
    const event = unsigned({ kind: 22242 });
    client.send(["AUTH", event]);
    const answer = ["OK", event.id, false, "invalid: no challenge was issued"];
    assert.deepEqual(await client.waitFor(() => true), answer);
  });
});

Deno.test("failures of store and intake are answered, logged, and end nothing else", async () => {
  const fail = () => Promise.reject(new Error("disk on fire"));
  const options: TestRelayOptions = {
    sink: { admit: fail },
    store: { query: fail, count: fail, items: fail },
  };
  await withClient(options, async (client, { log, metrics }) => {
    client.send(["REQ", "r", {}]);
    client.send(["COUNT", "c", {}]);
    assert.deepEqual(await client.publish(unsigned()), {
      accepted: false,
      message: "error: could not process event",
    });
    assert.deepEqual(client.messages.slice(0, 2), [
      ["CLOSED", "r", "error: could not read stored events"],
      ["CLOSED", "c", "error: could not count events"],
    ]);
    assert.equal(log.lines.length, 3);
    assert.equal(metrics.open, 0);
    assert.ok(!JSON.stringify(client.messages).includes("fire"));
  });
});
