import assert from "node:assert/strict";
import { initiate, reconcile } from "../../lib/negentropy/mod.ts";
import { event, key, NOW, NOW_MS, put, withMemory } from "../store/fixtures.ts";
import { RelayClient } from "../support/relay_client.ts";
import { finish, setOf, wellFormed } from "../negentropy/support.ts";
import { withRelay } from "./support.ts";

Deno.test("R-19 R-22 reconciling with a real store yields what it serves, and nothing of purgatory", async () => {
  await withMemory(async ({ store }) => {
    // Many share a second, so that the order of ids has to agree between store and protocol.
    const served = Array.from(
      { length: 700 },
      (_, n) =>
        event({ created_at: NOW - n % 5, content: `event ${n}`, tags: n % 2 === 0 ? [["e", key(9)]] : [] }),
    );
    const expired = event({ tags: [["expiration", String(NOW - 1)]], content: "expired" });
    await put(store, ...served, expired);
    const [owner, identifier] = [key(2), "repo"];
    const waiting = { owner, identifier, phase: "active", source: "direct" } as const;
    const times = { firstEnteredAt: NOW_MS, enteredAt: NOW_MS, deadlineAt: NOW_MS + 1_800_000 };
    const announcement = event({ kind: 30617, pubkey: owner, tags: [["d", identifier]] });
    await store.commit({ putAnnouncements: [{ ...waiting, ...times, event: announcement }] });

    await withRelay({ store }, async ({ url }) => {
      const client = await RelayClient.connect(url);
      try {
        for (
          const [filter, expected] of [
            [{}, served],
            [{ kinds: [30617] }, []],
            [{ "#e": [key(9)] }, served.filter(({ tags }) => tags.length > 0)],
          ] as const
        ) {
          const { need, last } = await learn(client, filter);
          assert.deepEqual(need, expected.map(({ id }) => id).sort());
          assert.equal(last, "NEG-MSG");
        }
      } finally {
        await client.close();
      }
    });
  });
});

/** What a client with an empty set learns. */
async function learn(client: RelayClient, filter: Record<string, unknown>) {
  const set = setOf([]);
  const need: string[] = [];
  let out: readonly unknown[] = ["NEG-OPEN", "n", filter, initiate(set).toHex()];
  for (;;) {
    const from = client.messages.length;
    client.send(out);
    const answer = await client.waitFor(([type]) => String(type).startsWith("NEG-"), from);
    const findings = wellFormed(finish(reconcile(set, Uint8Array.fromHex(String(answer[2])))));
    need.push(...findings.need);
    if (!findings.next) return { need: need.sort(), last: answer[0] };
    out = ["NEG-MSG", "n", findings.next.toHex()];
  }
}
