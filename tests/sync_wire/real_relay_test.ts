import assert from "node:assert/strict";
import { createRelay, type Relay } from "../../lib/relay/mod.ts";
import { serialiseEvent } from "../../lib/nostr/mod.ts";
import type { Store } from "../../lib/store/mod.ts";
import type { DialRequest, Network } from "../../lib/world/mod.ts";
import { createOpenLink } from "../../lib/sync/link.ts";
import { newBatchProgress } from "../../lib/sync/fresh.ts";
import type { HistoryOutcome, PeerLink } from "../../lib/sync/ports.ts";
import { LIMITS } from "../relay/support.ts";
import { put, withMemory } from "../store/fixtures.ts";
import { silentLog } from "../support/silent_log.ts";
import {
  ANNOUNCEMENTS,
  comments,
  CountingSync,
  filter,
  newMemory,
  NOW,
  seededRandom,
  SETTINGS,
  TAGGED,
  unsigned,
  VirtualClock,
} from "./support.ts";

interface Pair {
  readonly link: PeerLink;
  readonly relay: Relay;
  readonly theirs: Store;
  readonly ours: Store;
  readonly clock: VirtualClock;
  readonly metrics: CountingSync;
  /** EVENT frames the relay sent. */
  transferred: number;
  history(filters: readonly ReturnType<typeof filter>[]): Promise<HistoryOutcome>;
}

/** A link to this project's own relay, both on real stores, without sockets. */
async function withPair(play: (pair: Pair) => Promise<void>, maxSubscriptions = 500): Promise<void> {
  await withMemory(({ store: theirs }) =>
    withMemory(async ({ store: ours }) => {
      const clock = new VirtualClock(NOW * 1000);
      const metrics = new CountingSync();
      const refuse = () => Promise.resolve({ id: undefined, accepted: false, message: "" });
      const relay = createRelay({
        limits: { ...LIMITS, maxSubscriptions },
        store: theirs,
        sink: { admit: refuse },
        clock,
        log: silentLog,
      });
      const openLink = createOpenLink({
        network: networkTo(relay, clock, () => pair.transferred++),
        admit: async (event) => {
          if (await ours.has(event.id)) return { result: "duplicate" };
          await put(ours, event);
          return { result: "saved" };
        },
        store: ours,
        secretKey: new Uint8Array(32).fill(1),
        settings: SETTINGS,
        clock,
        random: seededRandom(),
        log: silentLog,
        metrics,
      });
      const opened = await openLink({
        url: "wss://theirs.example",
        trusted: false,
        memory: newMemory(),
        signal: new AbortController().signal,
        listener: { ended() {}, rateLimited: () => assert.fail("no reason to slow down") },
      });
      assert.ok(opened.ok);
      const pair: Pair = {
        link: opened.link,
        relay,
        theirs,
        ours,
        clock,
        metrics,
        transferred: 0,
        async history(filters) {
          const progress = newBatchProgress();
          let outcome: HistoryOutcome | undefined;
          void opened.link.history({ progress, filters, allowNegentropy: true, fallback: () => filters })
            .then((ended) => outcome = ended);
          for (let ms = 0; !outcome && ms < 60_000; ms += 5) await pass(clock, 5);
          return outcome!;
        },
      };
      await play(pair);
      opened.link.close();
      await pass(clock, 10);
      await relay.stop();
    })
  );
}

/** Lets the store's own turns go by, then virtual time. */
async function pass(clock: VirtualClock, ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 1));
  await clock.advance(ms);
}

function networkTo(relay: Relay, clock: VirtualClock, transferred: () => void): Network {
  const dial: Network["dial"] = ({ listener }: DialRequest) => {
    const later = (action: () => void) => void clock.sleep(1).then(action);
    const ended = (reason: string) =>
      later(() => {
        if (theirs.readyState === 3) return;
        theirs.readyState = 3;
        connection.ended();
        listener.closed(reason);
      });
    const theirs = {
      readyState: 1,
      bufferedAmount: 0,
      send(text: string) {
        if (text.startsWith('["EVENT"')) transferred();
        later(() => listener.message(text));
      },
      close: () => ended("closed by the relay"),
    };
    const connection = relay.accept(theirs, "10.0.0.1");
    const socket = {
      queuedBytes: 0,
      send: (text: string) => later(() => connection.receive(text)),
      pause() {},
      resume() {},
      close: () => ended("closed by us"),
    };
    return Promise.resolve({ ok: true, socket });
  };
  const failure = { ok: false, fault: "network", text: "none" } as const;
  return { dial, get: () => Promise.resolve(failure), pin: () => Promise.resolve(failure) };
}

Deno.test("S-54 S-55 S13 against our own relay: only what is missing travels, and nothing at the second time", async () => {
  await withPair(async (pair) => {
    const shared = comments(300);
    const missing = comments(150, 7, 90_000);
    await put(pair.theirs, ...shared, ...missing);
    await put(pair.ours, ...shared, ...comments(20, 3, 500_000));
    assert.deepEqual(await pair.history([TAGGED]), { result: "complete", failedFilters: [] });
    assert.equal(pair.transferred, 150);
    assert.equal(pair.metrics.counts.synced, 150);
    assert.equal(await pair.ours.count([TAGGED]), 470);
    assert.deepEqual(await pair.history([TAGGED, ANNOUNCEMENTS]), { result: "complete", failedFilters: [] });
    assert.equal(pair.transferred, 150);
    assert.equal(pair.metrics.counts.redundant, undefined);
  });
});

Deno.test("S-55 S-56 S64 what was refused, expired, superseded or waits is not requested", async () => {
  await withPair(async (pair) => {
    const make = (n: number) => unsigned({ kind: 30618, tags: [["d", `${n}`]], created_at: NOW - n });
    const [refused, expired, gone, wanted] = [make(1), make(2), make(3), make(4)];
    const times = { at: NOW * 1000, until: NOW * 1000 + 604_800_000 };
    await put(pair.theirs, refused, expired, gone, wanted);
    const about = { kind: 30618, author: refused.pubkey };
    const rows = { type: "state", reason: "other", attempts: 0, whole: undefined, keys: [] } as const;
    await pair.ours.commit({
      putRefused: [{
        ...rows,
        ...about,
        ...times,
        identifier: "1",
        id: refused.id,
        createdAt: refused.created_at,
      }],
      putExpired: [{
        ...times,
        id: expired.id,
        about: { ...about, identifier: "2", createdAt: expired.created_at },
      }],
      putGone: [{ id: gone.id, until: times.until }],
    });
    const states = filter({ kinds: [30618], "#d": ["1", "2", "3", "4"] });
    assert.equal((await pair.history([states])).result, "complete");
    assert.equal(pair.transferred, 1);
    assert.ok(await pair.ours.has(wanted.id));
    assert.equal(pair.metrics.counts.redundant, undefined);
  });
});

Deno.test("S-45 S-66 live events of our own relay arrive, and its refusal of subscriptions is obeyed", async () => {
  await withPair(async (pair) => {
    pair.link.openLive([TAGGED, ...Array.from({ length: 12 }, (_, n) => filter({ "#e": [`${n}`] }))]);
    for (let n = 0; n < 20; n++) await pass(pair.clock, 1_000);
    const event = unsigned({ tags: [["e", "11"]], created_at: NOW });
    await put(pair.theirs, event);
    pair.relay.publish(event, serialiseEvent(event));
    await pass(pair.clock, 50);
    await pass(pair.clock, 50);
    assert.ok(await pair.ours.has(event.id));
    assert.equal(pair.link.partlyLive, false);
    assert.ok(pair.link.budget < 13);
  }, 8);
});
