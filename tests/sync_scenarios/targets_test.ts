import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { announcement, Author, DOMAIN, issue } from "../support/sync_events.ts";
import { scenario } from "./support.ts";

scenario(
  "S-7 S-18 S-107 scenario S50: a relay that a replacement no longer lists is dropped after two checks, and comes back when listed",
  async (story) => {
    const [kept, dropped] = [story.peer("kept"), story.peer("dropped")];
    const repo = await story.repo("alpha", { relays: [kept.url, dropped.url] });
    story.start();
    await story.connected(kept);
    await story.connected(dropped);
    const { owner } = repo;
    const replace = async (relays: string[], created_at: number) => {
      const event = announcement(owner, "alpha", { relays, created_at });
      await story.world.store.commit({
        insertEvents: [{ event, hosted: true }],
      });
    };
    const at = story.clock.monotonic();
    await replace([kept.url], 1_799_000_001);
    await story.until("dropped", () => story.status(dropped) === "None", 200_000);
    const waited = story.clock.monotonic() - at;
    ok(waited >= 60_000 && waited <= 130_000, `${waited} ms`);
    strictEqual(dropped.log.open.size, 0);
    ok(!story.engine.relayGauges().some(({ relay }) => relay === dropped.url), "its series are gone");
    await replace([kept.url, dropped.url], 1_799_000_002);
    await story.connected(dropped);
    strictEqual(kept.log.connections, 1);
  },
);

scenario(
  "S-6 scenario S51: a deleted announcement takes its entry, root events and relay along",
  async (story) => {
    const [one, two] = [story.peer("one"), story.peer("two")];
    const alpha = await story.repo("alpha", { relays: [one.url, two.url] });
    const beta = await story.repo("beta", { relays: [two.url] });
    const root = issue(new Author(), alpha.address);
    one.peer.hold(alpha.announcement, root);
    two.peer.hold(beta.announcement);
    story.start();
    await story.connected(one);
    await story.connected(two);
    ok(story.engine.snapshot().repos.has(alpha.address));
    await story.submit(alpha.owner.sign({
      kind: 5,
      tags: [["a", alpha.address], ["e", alpha.announcement.id], ["k", "30617"]],
      created_at: story.seconds,
    }));
    await story.until("the entry is gone", () => !story.engine.snapshot().repos.has(alpha.address), 10_000);
    ok(story.engine.snapshot().repos.has(beta.address));
    await story.until("the relay is gone", () => story.status(one) === "None", 200_000);
    strictEqual(story.status(two), "Connected");
  },
  { mayVanish: () => true },
);

scenario(
  "S-23 scenario S52: our own URL is never dialled in any spelling, a sibling domain is",
  async (story) => {
    const sibling = story.peer(`x.${DOMAIN}.evil`);
    const own = [
      `wss://${DOMAIN}`,
      `WSS://${DOMAIN.toUpperCase()}/`,
      `wss://${DOMAIN}:443/`,
      `https://${DOMAIN}`,
      `${DOMAIN}.`,
      "wss://alias.example",
      "ws://127.0.0.1:7334",
      `ws://${DOMAIN}`,
    ];
    await story.repo("alpha", { relays: [...own, sibling.url] });
    const waiting = announcement(new Author(), "beta", { relays: own });
    await story.submit(waiting);
    story.start();
    await story.connected(sibling);
    await story.clock.advance(30_000);
    deepStrictEqual(story.network.unknownDials, []);
    deepStrictEqual([...story.engine.snapshot().relays.keys()], [sibling.url]);
  },
  { aliases: ["alias.example"] },
);

scenario("S-22 scenario S53: one relay in five spellings is one connection and one series", async (story) => {
  const source = story.peer("source");
  await story.repo("alpha", {
    relays: [
      "wss://source.example",
      "WSS://Source.Example/",
      "source.example",
      "https://source.example:443//",
      "wss://source.example.#here",
    ],
  });
  story.start();
  await story.connected(source);
  strictEqual(source.log.connections, 1);
  strictEqual(story.network.dials(source.url).length, 1);
  deepStrictEqual(story.engine.relayGauges().map(({ relay }) => relay), [source.url]);
  deepStrictEqual(story.network.unknownDials, []);
});

const PRIVATE = [
  "ws://127.0.0.1:8080",
  "ws://localhost",
  "ws://10.1.2.3",
  "ws://192.168.0.9",
  "ws://169.254.169.254",
  "ws://[::1]",
  "ws://[fe80::1]",
  "ws://[::ffff:10.0.0.1]",
];

scenario("S-24 scenario S54: private, link-local and loopback addresses are never dialled", async (story) => {
  const open = story.peer("open");
  await story.repo("alpha", { relays: [...PRIVATE, open.url] });
  story.start();
  await story.connected(open);
  await story.clock.advance(60_000);
  deepStrictEqual(story.network.unknownDials, []);
  deepStrictEqual([...story.engine.snapshot().relays.keys()], [open.url]);
});

scenario("S-24 scenario S54: they are dialled where the operator allows it", async (story) => {
  await story.repo("alpha", { relays: PRIVATE });
  story.start();
  await story.until("all are dialled", () => new Set(story.network.unknownDials).size === PRIVATE.length);
}, { allowPrivate: true, endsUnsettled: true });

scenario(
  "scenario S55: of 500 relays in one announcement 20 count, and in all no more than allowed, the bootstrap relay first",
  async (story) => {
    const bootstrap = story.peer("bootstrap");
    const popular = story.peer("popular");
    const many = Array.from({ length: 500 }, (_, index) => `wss://r${index}.example`);
    await story.repo("greedy", { relays: many });
    for (let index = 0; index < 300; index++) {
      await story.repo(`d${index}`, {
        relays: [`wss://d${index}.example`, ...(index < 5 ? [popular.url] : [])],
      });
    }
    story.start();
    await story.connected(bootstrap);
    await story.connected(popular);
    const tracked = [...story.engine.snapshot().relays.keys()];
    ok(tracked.length <= 50, `${tracked.length} tracked`);
    ok(tracked.filter((url) => url.startsWith("wss://r")).length <= 20);
    ok(tracked.includes(bootstrap.url) && tracked.includes(popular.url));
  },
  { settings: { bootstrapRelays: ["wss://bootstrap.example"], maxRelays: 50 }, endsUnsettled: true },
);
