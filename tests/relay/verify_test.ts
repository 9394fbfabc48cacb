import assert from "node:assert/strict";
import { finalizeEvent, generateSecretKey, verifyEvent } from "nostr-tools/pure";
import { initNostrWasm } from "nostr-wasm";
import type { NostrEvent } from "../../lib/nostr/mod.ts";
import { createVerifier, type Verifier, type VerifierInput } from "../../lib/nostr/verify.ts";
import { newSigner } from "../support/keys.ts";
import { installedSecp256k1, withoutSecp256k1 } from "../support/secp256k1.ts";
import { eventually } from "../support/temp.ts";
import { VirtualClock } from "../support/virtual_clock.ts";
import { MemoryLog } from "./support.ts";

/** Both checks of signatures; only WebAssembly is on every machine. */
const CHECKS = [
  { library: "off", path: undefined, by: "WebAssembly", ignore: false },
  {
    library: "",
    path: installedSecp256k1,
    by: `the system's library${withoutSecp256k1}`,
    ignore: !installedSecp256k1,
  },
];

/** Runs `work` with a verifier; one that uses WebAssembly unless `changes` names a library. */
async function withVerifier(
  changes: Partial<VerifierInput>,
  work: (verifier: Verifier, log: MemoryLog) => Promise<void>,
): Promise<void> {
  const log = new MemoryLog();
  const verifier = createVerifier({ workers: 2, library: "off", log, ...changes });
  try {
    await work(verifier, log);
  } finally {
    verifier.close();
  }
}

const alice = newSigner();
const other = "f".repeat(128);

for (const { library, path, by, ignore } of CHECKS) {
  Deno.test({
    name: `IO-1 a true signature verifies; a changed field, key or signature does not, by ${by}`,
    ignore,
    fn: async () => {
      await withVerifier({ library }, async (verifier) => {
        assert.equal(verifier.library, path);
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
    },
  });
}

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

for (const { library, by, ignore } of CHECKS) {
  Deno.test({
    name: `an event larger than WebAssembly's memory is verified, by ${by}`,
    ignore,
    fn: async () => {
      await withVerifier({ library }, async (verifier) => {
        const event = alice.sign({ kind: 30618, tags: [["d", "r"]], content: "\u0000é".repeat(1_000_000) });
        assert.equal(await verifier.verify(event), true);
        assert.equal(await verifier.verify({ ...event, content: event.content + "!" }), false);
      });
    },
  });
}

for (const { library, by, ignore } of CHECKS) {
  Deno.test({
    name: `2,000 events through workers are judged one by one, by ${by}`,
    ignore,
    fn: async () => {
      const wasm = await initNostrWasm();
      const key = generateSecretKey();
      const events = Array.from({ length: 2_000 }, (_, i) => {
        const event = { kind: 1, created_at: 1, tags: [], content: `${i}`, pubkey: "", id: "", sig: "" };
        wasm.finalizeEvent(event, key);
        return i % 7 === 0 ? { ...event, sig: other } : event;
      });
      await withVerifier({ library }, async (verifier, log) => {
        const results = await Promise.all(events.map((event) => verifier.verify(event)));
        assert.deepEqual(results, events.map(({ sig }) => sig !== other));
        assert.deepEqual(log.lines, []);
      });
    },
  });
}

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

for (const { library, by, ignore } of CHECKS) {
  Deno.test({
    name: `a closed verifier rejects what it had under way and what comes later, by ${by}`,
    ignore,
    fn: async () => {
      const event = alice.sign({ kind: 1 });
      await withVerifier({ library }, async (verifier) => {
        const waiting = Array.from({ length: 100 }, () => verifier.verify(event));
        verifier.close();
        const results = await Promise.allSettled([...waiting, verifier.verify(event)]);
        assert.ok(results.every(({ status }) => status === "rejected"));
      });
    },
  });
}

Deno.test("a library that cannot be used is logged, and WebAssembly checks instead", async () => {
  await withVerifier({ library: "/nonexistent/libsecp256k1.so.1" }, async (verifier, log) => {
    assert.deepEqual(log.lines, ["warn signatures are checked by WebAssembly"]);
    assert.equal(verifier.library, undefined);
    assert.equal(await verifier.verify(alice.sign({ kind: 1 })), true);
  });
});

Deno.test({
  name: `a worker that fails is replaced by the library on this thread, too${withoutSecp256k1}`,
  ignore: !installedSecp256k1,
  fn: async () => {
    const workerUrl = new URL("data:application/javascript,onmessage=()=>{throw new Error('lost')}");
    await withVerifier({ library: "", workerUrl, workers: 1 }, async (verifier, log) => {
      const events = Array.from({ length: 20 }, (_, i) => alice.sign({ kind: 1, content: `${i}` }));
      assert.ok((await Promise.all(events.map((event) => verifier.verify(event)))).every(Boolean));
      assert.deepEqual(log.lines, ["warn a signature worker failed"]);
    });
  },
});
