import assert from "node:assert/strict";
import { finalizeEvent, generateSecretKey, verifyEvent } from "nostr-tools/pure";
import { initNostrWasm } from "nostr-wasm";
import type { NostrEvent } from "../../lib/nostr/mod.ts";
import { createVerifier, type Verifier, type VerifierInput } from "../../lib/nostr/verify.ts";
import { newSigner } from "../support/keys.ts";
import { eventually } from "../support/temp.ts";
import { VirtualClock } from "../support/virtual_clock.ts";
import { MemoryLog } from "./support.ts";

async function withVerifier(
  changes: Partial<VerifierInput>,
  work: (verifier: Verifier, log: MemoryLog) => Promise<void>,
): Promise<void> {
  const log = new MemoryLog();
  const verifier = createVerifier({ workers: 2, log, ...changes });
  try {
    await work(verifier, log);
  } finally {
    verifier.close();
  }
}

const alice = newSigner();
const other = "f".repeat(128);

Deno.test("IO-1 a true signature verifies; a changed field, key or signature does not", async () => {
  await withVerifier({}, async (verifier) => {
    const event = alice.sign({ kind: 30617, tags: [["d", "r ✓"], ["x"]], content: 'a "b" \n \ud800' });
    assert.equal(await verifier.verify(event), true);
    const tampered: NostrEvent[] = [
      { ...event, content: "other" },
      { ...event, created_at: event.created_at + 1 },
      { ...event, tags: [] },
      { ...event, pubkey: newSigner().pubkey },
      { ...event, pubkey: "f".repeat(64) },
      { ...event, sig: other },
      { ...event, sig: newSigner().sign({ kind: 1 }).sig },
      { ...event, id: "0".repeat(64) },
    ];
    for (const copy of tampered) assert.equal(await verifier.verify(copy), false);
  });
});

Deno.test("a mark left by a library on a verified event is not trusted on its tampered copy", async () => {
  await withVerifier({}, async (verifier) => {
    const event = finalizeEvent({ kind: 1, content: "true", tags: [], created_at: 1 }, generateSecretKey());
    assert.equal(verifyEvent(event), true);
    const tampered = { ...event, content: "false" };
    assert.equal(verifyEvent(tampered), true, "the library is fooled by its own mark");
    assert.equal(await verifier.verify(tampered), false);
    const large = { ...event, content: "x".repeat(100_000) };
    assert.equal(verifyEvent(large), true);
    assert.equal(await verifier.verify(large), false);
  });
});

Deno.test("an event larger than the WebAssembly memory is verified", async () => {
  await withVerifier({}, async (verifier) => {
    const event = alice.sign({ kind: 30618, tags: [["d", "r"]], content: "\u0000é".repeat(1_000_000) });
    assert.equal(await verifier.verify(event), true);
    assert.equal(await verifier.verify({ ...event, content: event.content + "!" }), false);
  });
});

Deno.test("2,000 events through workers are judged one by one", async () => {
  const wasm = await initNostrWasm();
  const key = generateSecretKey();
  const events = Array.from({ length: 2_000 }, (_, i) => {
    const event = { kind: 1, created_at: 1, tags: [], content: `${i}`, pubkey: "", id: "", sig: "" };
    wasm.finalizeEvent(event, key);
    return i % 7 === 0 ? { ...event, sig: other } : event;
  });
  await withVerifier({}, async (verifier, log) => {
    const results = await Promise.all(events.map((event) => verifier.verify(event)));
    assert.deepEqual(results, events.map(({ sig }) => sig !== other));
    assert.deepEqual(log.lines, []);
  });
});

Deno.test("a worker that fails is logged and its events are verified without it", async () => {
  const workerUrl = new URL("data:application/javascript,onmessage=()=>{throw new Error('lost')}");
  await withVerifier({ workerUrl, workers: 1 }, async (verifier, log) => {
    const events = Array.from({ length: 20 }, (_, i) => alice.sign({ kind: 1, content: `${i}` }));
    const results = await Promise.all(events.map((event) => verifier.verify(event)));
    assert.ok(results.every(Boolean));
    assert.deepEqual(log.lines, ["warn a signature worker failed"]);
  });
});

Deno.test("a worker that never answers is given up after its deadline", async () => {
  const clock = new VirtualClock();
  const workerUrl = new URL("data:application/javascript,onmessage=()=>{}");
  await withVerifier({ workerUrl, clock, workers: 1 }, async (verifier, log) => {
    const events = Array.from({ length: 20 }, (_, i) => alice.sign({ kind: 1, content: `${i}` }));
    const results = Promise.all(events.map((event) => verifier.verify(event)));
    await eventually("the worker was given up", async () => {
      await clock.advance(30_000);
      return log.lines.length > 0;
    });
    assert.ok((await results).every(Boolean));
    assert.deepEqual(log.lines, ["warn a signature worker failed"]);
  });
});

Deno.test("without workers, or with its queue full, a backlog is verified on the calling thread", async () => {
  const events = Array.from({ length: 30 }, (_, i) => alice.sign({ kind: 1, content: `${i}` }));
  for (const changes of [{ workers: 0 }, { maxWaiting: 2 }]) {
    await withVerifier(changes, async (verifier) => {
      const results = await Promise.all(events.map((event) => verifier.verify(event)));
      assert.ok(results.every(Boolean));
    });
  }
});

Deno.test("a closed verifier rejects what it had under way and what comes later", async () => {
  const event = alice.sign({ kind: 1 });
  await withVerifier({}, async (verifier) => {
    const waiting = Array.from({ length: 100 }, () => verifier.verify(event));
    verifier.close();
    const results = await Promise.allSettled([...waiting, verifier.verify(event)]);
    assert.ok(results.every(({ status }) => status === "rejected"));
  });
});
