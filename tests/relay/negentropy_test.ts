import assert from "node:assert/strict";
import type { NostrEvent } from "../../lib/nostr/mod.ts";
import { initiate, type ItemSet, reconcile } from "../../lib/negentropy/mod.ts";
import { RelayClient, type RelayMessage } from "../support/relay_client.ts";
import { VirtualClock } from "../support/virtual_clock.ts";
import { finish, setOf, wellFormed } from "../negentropy/support.ts";
import { type TestRelay, type TestRelayOptions, unsigned, withRelay } from "./support.ts";

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

const EMPTY = setOf([]);
const FIRST = initiate(EMPTY).toHex();
const itemsOf = (events: readonly NostrEvent[]) =>
  setOf(events.map(({ id, created_at }) => ({ id, createdAt: created_at })));
const idsOf = (events: readonly NostrEvent[]) => events.map(({ id }) => id).sort();

/** Sends one message and returns the answer to it. */
function exchange(client: RelayClient, message: RelayMessage): Promise<RelayMessage> {
  const from = client.messages.length;
  client.send(message);
  return client.waitFor(([type, id]) => String(type).startsWith("NEG-") && id === message[1], from);
}

/** Reconciles `set` with what the relay has; the session stays open. */
async function reconcileWith(client: RelayClient, id: string, set: ItemSet, filter: Record<string, unknown>) {
  const have: string[] = [];
  const need: string[] = [];
  const frames: number[] = [];
  let answer = await exchange(client, ["NEG-OPEN", id, filter, initiate(set).toHex()]);
  for (;;) {
    assert.equal(answer[0], "NEG-MSG", String(answer[2]));
    const message = Uint8Array.fromHex(String(answer[2]));
    frames.push(message.length);
    const findings = wellFormed(finish(reconcile(set, message)));
    have.push(...findings.have);
    need.push(...findings.need);
    if (!findings.next) return { have: have.sort(), need: need.sort(), frames };
    answer = await exchange(client, ["NEG-MSG", id, findings.next.toHex()]);
  }
}

function acceptMany(test: TestRelay, count: number): NostrEvent[] {
  const events = Array.from({ length: count }, () => unsigned());
  for (const event of events) test.accept(event);
  return events;
}

Deno.test("R-19 a client with an empty set learns both ids of two 10317 events by two authors", async () => {
  await withClient({}, async (client, test) => {
    const lists = ["a", "b"].map((digit) => unsigned({ kind: 10317, pubkey: digit.repeat(64) }));
    for (const event of [...lists, unsigned()]) test.accept(event);
    const { have, need } = await reconcileWith(client, "n", EMPTY, { kinds: [10317] });
    assert.deepEqual([have, need], [[], idsOf(lists)]);
    assert.deepEqual(test.metrics.receivedTypes, ["NEG-OPEN"]);
    assert.deepEqual(test.metrics.sentTypes, ["NEG-MSG"]);
  });
});

Deno.test("R-19 a set that differs on both sides is reconciled both ways", async () => {
  await withClient({}, async (client, test) => {
    const shared = acceptMany(test, 300);
    const theirs = acceptMany(test, 5);
    const ours = Array.from({ length: 7 }, () => unsigned());
    const { have, need } = await reconcileWith(client, "n", itemsOf([...shared, ...ours]), {});
    assert.deepEqual([have, need], [idsOf(ours), idsOf(theirs)]);
  });
});

Deno.test("R-20 a filter that matches nothing completes without error and without ids", async () => {
  await withClient({}, async (client, test) => {
    acceptMany(test, 3);
    const { have, need } = await reconcileWith(client, "n", EMPTY, { kinds: [9999] });
    assert.deepEqual([have, need], [[], []]);
  });
});

Deno.test("R-21 2,000 matches with limit 10 yield 2,000 ids over several frames of at most 60,000 bytes", async () => {
  await withClient({}, async (client, test) => {
    const events = acceptMany(test, 2_000);
    const { need, frames } = await reconcileWith(client, "n", EMPTY, { kinds: [1], limit: 10 });
    assert.deepEqual(need, idsOf(events));
    assert.ok(frames.length > 1, "one frame only");
    assert.ok(frames.every((bytes) => bytes <= 60_000), `frames of ${frames} bytes`);
  });
});

Deno.test("R-22 a session is a snapshot of the store: what comes later, or waits, is not in it", async () => {
  await withClient({}, async (client, test) => {
    const events = acceptMany(test, 2_000);
    const first = await exchange(client, ["NEG-OPEN", "n", {}, FIRST]);
    acceptMany(test, 10);
    const seen = new Set<string>();
    let message = Uint8Array.fromHex(String(first[2]));
    for (;;) {
      const findings = wellFormed(finish(reconcile(EMPTY, message)));
      for (const id of findings.need) seen.add(id);
      if (!findings.next) break;
      const answer = await exchange(client, ["NEG-MSG", "n", findings.next.toHex()]);
      message = Uint8Array.fromHex(String(answer[2]));
    }
    assert.deepEqual([...seen].sort(), idsOf(events));
  });
});

Deno.test("R-23 NEG-MSG for an unknown session yields NEG-ERR, not NOTICE", async () => {
  await withClient({}, async (client) => {
    assert.deepEqual(await exchange(client, ["NEG-MSG", "no", FIRST]), [
      "NEG-ERR",
      "no",
      "closed: unknown session",
    ]);
    assert.ok(!client.messages.some(([type]) => type === "NOTICE"));
  });
});

Deno.test("NEG-CLOSE frees a session silently, and a malformed message ends it", async () => {
  await withClient({}, async (client) => {
    await exchange(client, ["NEG-OPEN", "n", {}, FIRST]);
    client.send(["NEG-CLOSE", "n"]);
    client.send(["NEG-CLOSE", "never opened"]);
    assert.equal((await exchange(client, ["NEG-MSG", "n", FIRST]))[2], "closed: unknown session");
    await exchange(client, ["NEG-OPEN", "n", {}, FIRST]);
    assert.equal((await exchange(client, ["NEG-MSG", "n", "6"]))[2], "invalid: malformed message");
    assert.equal((await exchange(client, ["NEG-MSG", "n", FIRST]))[2], "closed: unknown session");
    assert.equal(client.messages.length, 5);
  });
});

Deno.test("malformed NEG-OPEN messages yield NEG-ERR, and a NOTICE only without an id", async () => {
  await withClient({}, async (client) => {
    for (const hex of ["", "zz", "61f", "6100", "6100000105", "00", "deadbeef", 5, undefined, `${FIRST}ff`]) {
      const answer = await exchange(client, ["NEG-OPEN", "n", {}, hex]);
      assert.deepEqual(answer, ["NEG-ERR", "n", "invalid: malformed message"], String(hex));
    }
    assert.match(String((await exchange(client, ["NEG-OPEN", "n", { kinds: "x" }, FIRST]))[2]), /^invalid: /);
    assert.match(String((await exchange(client, ["NEG-OPEN", "n"]))[2]), /^invalid: filter is not an object/);
    assert.match(String((await exchange(client, ["NEG-OPEN", "n".repeat(251), {}, FIRST]))[2]), /^invalid: /);
    client.send(["NEG-OPEN", 7, {}, FIRST]);
    client.send(["NEG-MSG"]);
    const notice = await client.waitFor(([type]) => type === "NOTICE");
    assert.equal(notice[1], "invalid: could not parse message");
  });
});

Deno.test("an unsupported protocol version is answered by the single byte 61", async () => {
  await withClient({}, async (client) => {
    assert.deepEqual(await exchange(client, ["NEG-OPEN", "n", {}, "62000002"]), ["NEG-MSG", "n", "61"]);
    assert.equal((await exchange(client, ["NEG-OPEN", "n", {}, FIRST]))[0], "NEG-MSG");
    assert.deepEqual(await exchange(client, ["NEG-MSG", "n", "6f"]), ["NEG-MSG", "n", "61"]);
  });
});

Deno.test("ids of sessions and of subscriptions are independent, but share one bound", async () => {
  await withClient({ limits: { maxSubscriptions: 3 } }, async (client, { metrics }) => {
    const sub = await client.subscribe({ kinds: [1] });
    await exchange(client, ["NEG-OPEN", sub, {}, FIRST]);
    await exchange(client, ["NEG-OPEN", "second", {}, FIRST]);
    const refused = await exchange(client, ["NEG-OPEN", "third", {}, FIRST]);
    assert.deepEqual(refused, ["NEG-ERR", "third", "blocked: too many sessions"]);
    assert.equal((await exchange(client, ["NEG-OPEN", "second", {}, FIRST]))[0], "NEG-MSG");
    client.send(["REQ", "one more", {}]);
    const closed = await client.waitFor(([type]) => type === "CLOSED");
    assert.equal(closed[2], "rate-limited: too many subscriptions");
    client.send(["CLOSE", sub]);
    assert.equal((await exchange(client, ["NEG-OPEN", "third", {}, FIRST]))[0], "NEG-MSG");
    assert.deepEqual(metrics.limited, ["req", "req"]);
  });
});

Deno.test("a set above the configured ceiling is refused", async () => {
  await withClient({ limits: { maxNegentropyItems: 5 } }, async (client, test) => {
    acceptMany(test, 5);
    assert.equal((await exchange(client, ["NEG-OPEN", "n", {}, FIRST]))[0], "NEG-MSG");
    acceptMany(test, 1);
    const refused = await exchange(client, ["NEG-OPEN", "n", {}, FIRST]);
    assert.deepEqual(refused, ["NEG-ERR", "n", "blocked: this query is too big"]);
    assert.equal((await exchange(client, ["NEG-MSG", "n", FIRST]))[2], "closed: unknown session");
  });
});

Deno.test("the sets of all connections share a bound that ended sessions give back", async () => {
  await withRelay({ bounds: { negentropyItems: 10 } }, async (test) => {
    acceptMany(test, 6);
    const [one, two] = [await RelayClient.connect(test.url), await RelayClient.connect(test.url)];
    try {
      assert.equal((await exchange(one, ["NEG-OPEN", "n", {}, FIRST]))[0], "NEG-MSG");
      assert.equal((await exchange(one, ["NEG-OPEN", "n", {}, FIRST]))[0], "NEG-MSG");
      const refused = await exchange(two, ["NEG-OPEN", "n", {}, FIRST]);
      assert.equal(refused[2], "blocked: too many sessions");
      await one.close();
      const deadline = Date.now() + 10_000;
      while ((await exchange(two, ["NEG-OPEN", "n", {}, FIRST]))[0] !== "NEG-MSG") {
        assert.ok(Date.now() < deadline, "the room was not given back");
      }
    } finally {
      await Promise.all([one.close(), two.close()]);
    }
  });
});

Deno.test("a session idle for two minutes is dropped, a used one is not", async () => {
  const clock = new VirtualClock();
  await withClient({ clock }, async (client) => {
    await exchange(client, ["NEG-OPEN", "idle", {}, FIRST]);
    await exchange(client, ["NEG-OPEN", "used", {}, FIRST]);
    await clock.advance(119_000);
    assert.equal((await exchange(client, ["NEG-MSG", "used", FIRST]))[0], "NEG-MSG");
    await clock.advance(2_000);
    const error = await client.waitFor(([type]) => type === "NEG-ERR");
    assert.deepEqual(error, ["NEG-ERR", "idle", "closed: idle"]);
    assert.equal((await exchange(client, ["NEG-MSG", "idle", FIRST]))[2], "closed: unknown session");
    assert.equal((await exchange(client, ["NEG-MSG", "used", FIRST]))[0], "NEG-MSG");
  });
});

Deno.test("a store that fails ends the session, not the connection", async () => {
  await withClient({}, async (client, { store, log }) => {
    store.afterRead = () => {
      store.afterRead = () => {};
      throw new Error("disk gone");
    };
    const answer = await exchange(client, ["NEG-OPEN", "n", {}, FIRST]);
    assert.equal(answer[2], "error: could not read stored events");
    assert.deepEqual(log.lines, ["error reading the set of a reconciliation failed"]);
    assert.equal((await exchange(client, ["NEG-OPEN", "n", {}, FIRST]))[0], "NEG-MSG");
  });
});

Deno.test("limits that refuse are counted by kind", async () => {
  await withClient({ limits: { maxEventsPerMinute: 1, maxMessageBytes: 2_000 } }, async (client, test) => {
    await client.publish(unsigned());
    assert.equal((await client.publish(unsigned())).message, "rate-limited: slow down");
    client.send(" ".repeat(3_000));
    await client.waitForClose();
    assert.deepEqual(test.metrics.limited, ["event", "message_size"]);
  });
});
