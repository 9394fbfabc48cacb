import assert from "node:assert/strict";
import { setImmediate } from "node:timers";
import type { Filter } from "../../lib/nostr/mod.ts";
import { createItemSet, initiate, reconcile, respond, runSliced } from "../../lib/negentropy/mod.ts";
import { RangeWriter } from "../../lib/negentropy/message.ts";
import type { Item } from "../../lib/store/types.ts";
import { RelayClient } from "../support/relay_client.ts";
import { ArrayStore, withRelay } from "../relay/support.ts";
import { setOf, stepped } from "./support.ts";

const ITEMS: readonly Item[] = Array.from({ length: 200_000 }, (_, n) => ({
  id: n.toString(16).padStart(64, "0"),
  createdAt: 1_600_000_000 + (n >> 2),
}));

Deno.test("a message of 40,000 equal ranges is answered with a pause after each 1,000 of them", () => {
  const set = stepped(createItemSet(ITEMS)).value;
  const writer = new RangeWriter();
  for (let n = 1; n <= 40_000; n++) {
    const bound = { timestamp: BigInt(1_600_000_000 + n), prefix: new Uint8Array(0) };
    writer.write({ mode: "fingerprint", bound, fingerprint: set.fingerprint(4 * (n - 1), 4 * n) });
  }
  const { value, pauses } = stepped(respond(set, writer.view()));
  assert.deepEqual([value, pauses], [Uint8Array.of(0x61), 40]);
});

Deno.test("an initiator compares 50,000 ids with a pause after each 1,000 of them", () => {
  const set = stepped(createItemSet(ITEMS)).value;
  const writer = new RangeWriter();
  const bound = { timestamp: 2n ** 64n - 1n, prefix: new Uint8Array(0) };
  writer.write({ mode: "ids", bound, ids: set.ids(150_000, 200_000) });
  const { value, pauses } = stepped(reconcile(set, writer.view()));
  assert.ok(!("malformed" in value));
  assert.deepEqual([value.have.length, value.need.length, value.next], [150_000, 0, undefined]);
  assert.equal(pauses, 250);
});

Deno.test("work goes on only after its pause, and ends when nobody wants it any more", async () => {
  const wanted = new AbortController();
  let pauses = 0;
  const pause = () => {
    if (++pauses === 3) wanted.abort();
    return Promise.resolve();
  };
  assert.equal(await runSliced(createItemSet(ITEMS), pause, wanted.signal), undefined);
  assert.equal(pauses, 3);
});

Deno.test("while a session over 200,000 items is answered, everything else has a turn after each slice", async () => {
  class LargeStore extends ArrayStore {
    override items(_filter: Filter, _max: number): Promise<readonly Item[]> {
      return Promise.resolve(ITEMS);
    }
  }
  await withRelay({ store: new LargeStore() }, async ({ url }) => {
    const client = await RelayClient.connect(url);
    const answered = new AbortController();
    let turns = 0;
    const count = () => {
      turns++;
      if (!answered.signal.aborted) setImmediate(count);
    };
    try {
      client.send(["NEG-OPEN", "n", {}, initiate(setOf([])).toHex()]);
      setImmediate(count);
      await client.waitFor(([type]) => type === "NEG-MSG");
      assert.ok(turns >= ITEMS.length / 4_096 - 1, `${turns} turns`);
    } finally {
      answered.abort();
      await client.close();
    }
  });
});
