import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { getPublicKey } from "nostr-tools/pure";
import type { NostrEvent } from "../../lib/nostr/mod.ts";
import { Author, issue, manyIssues } from "../support/sync_events.ts";
import { closed, endless, historicReq, inserting, notice } from "../support/scripted_rules.ts";
import type { WireFilter } from "../support/wire_log.ts";
import { RELAY_KEY } from "../support/sync_world.ts";
import { type Elsewhere, type Hosted, scenario, type Story } from "./support.ts";

const PLAIN = { negentropy: "notice" } as const;
const stranger = new Author();

/** A peer without negentropy that holds one hosted repository and some issues. */
async function plainPeer(
  story: Story,
  count = 10,
): Promise<{ source: Elsewhere; repo: Hosted; issues: readonly NostrEvent[] }> {
  const source = story.peer("source");
  source.peer.quirks = PLAIN;
  const repo = await story.repo("alpha", { relays: [source.url] });
  const issues = manyIssues(stranger, repo.address, count);
  source.peer.hold(repo.announcement, ...issues);
  return { source, repo, issues };
}

const asksFor = (name: string) => (filter: WireFilter) => name in filter;

scenario(
  "S-51 S-86 S-87 scenarios S18 and S63: without EOSE one resend, then degraded with a working live feed; a repair heals it",
  async (story) => {
    const { source, repo } = await plainPeer(story);
    source.peer.quirks = { ...PLAIN, eose: "never" };
    story.start();
    await story.degraded(source);
    const asked = source.log.historic().filter(({ filter }) =>
      JSON.stringify(filter.kinds) === "[30617,10317]"
    );
    strictEqual(asked.filter(({ via }) => via === "REQ").length, 2, "one resend");
    const live = issue(stranger, repo.address, story.seconds);
    source.peer.publish(live);
    await story.arrive([live], 2_000);
    strictEqual(story.engine.relayGauges()[0]!.connection, 4);
    source.peer.quirks = PLAIN;
    await story.connected(source, 1_500_000);
    strictEqual(story.engine.relayGauges()[0]!.connection, 3);
  },
);

scenario(
  "scenario S19: a stream without end is cut into pages, and other relays progress",
  async (story) => {
    const { source, repo } = await plainPeer(story);
    const other = story.peer("other");
    const beta = await story.repo("beta", { relays: [other.url] });
    const few = manyIssues(stranger, beta.address, 30);
    other.peer.hold(beta.announcement, ...few);
    source.peer.rules.push(
      endless(historicReq(asksFor("#a")), (serial) => issue(stranger, repo.address, 1_799_000_000 - serial), {
        perTick: 200,
        tickMs: 50,
      }),
    );
    story.start();
    await story.connected(other, 20_000);
    ok(await story.has(...few));
    const closes = () =>
      source.log.of("us", "CLOSE").filter(({ message: [, id] }) =>
        source.log.of("peer", "EVENT").filter(({ message }) => message[1] === id).length >= 4_000
      );
    await story.until("the page is closed", () => closes().length > 0, 120_000);
    const page = closes()[0]!.message[1];
    const sent = source.log.of("peer", "EVENT").filter(({ message }) => message[1] === page).length;
    ok(sent >= 5_000 && sent <= 7_000, `${sent} events in one page`);
    source.peer.rules.length = 0;
    source.peer.conversations.forEach((talk) => talk.subscriptions.clear());
    story.cut(source);
    story.restore(source);
    await story.connected(source, 900_000);
  },
  { mayVanish: () => true },
);

scenario(
  "S-74 scenario S20: an event of 5 MiB is dropped and counted, the connection stays",
  async (story) => {
    const { source, repo, issues } = await plainPeer(story);
    const huge = stranger.sign({ kind: 1621, tags: [["a", repo.address]], content: "x".repeat(5 << 20) });
    source.peer.rules.push(inserting(historicReq(asksFor("#a")), (id) => [["EVENT", id, huge]], 1));
    story.start();
    await story.connected(source, 200_000);
    ok(await story.has(...issues));
    ok(!await story.has(huge));
    strictEqual(source.log.connections, 1);
    strictEqual(story.world.counts.of("dropped size"), 1);
  },
);

scenario(
  "S-74 scenario S21: 100 wrong signatures and ids end the connection; none is stored",
  async (story) => {
    const { source, repo } = await plainPeer(story);
    const bad = manyIssues(stranger, repo.address, 120, 1_799_700_000).map((event, index): NostrEvent =>
      index % 2 === 0 ? { ...event, sig: "1".repeat(128) } : { ...event, content: "forged" }
    );
    source.peer.rules.push(
      inserting(historicReq(asksFor("#a")), (id) => bad.map((event) => ["EVENT", id, event]), 1),
    );
    story.start();
    await story.until(
      "the connection is ended",
      () => source.log.connections >= 1 && source.log.open.size === 0,
    );
    deepStrictEqual(
      story.engine.naughtyRelays().map(({ category }) => category),
      ["protocol_error"],
    );
    for (const event of bad) ok(!await story.has(event));
    await story.connected(source, 200_000);
  },
  { mayVanish: () => true },
);

scenario(
  "S-74 scenario S22: events outside the filter or newer than until are dropped and do not count for the page",
  async (story) => {
    const { source, repo, issues } = await plainPeer(story, 200);
    source.peer.quirks = { ...PLAIN, cap: 100 };
    const foreign = manyIssues(stranger, "30617:" + "f".repeat(64) + ":other", 60, 1_799_600_000);
    const newer = manyIssues(stranger, repo.address, 20, 1_799_950_000);
    source.peer.rules.push(inserting(historicReq(asksFor("#a")), (id, message) => {
      const { until } = message[2] as { until?: number };
      const wrong = until === undefined ? foreign.slice(0, 20) : newer;
      return wrong.map((event) => ["EVENT", id, event]);
    }));
    story.start();
    await story.connected(source, 200_000);
    ok(await story.has(...issues));
    for (const event of [...foreign, ...newer]) ok(!await story.has(event));
    ok(story.world.counts.of("dropped filter") >= 40);
    strictEqual(source.log.connections, 1);
  },
  { mayVanish: () => true },
);

scenario("S-67 scenario S23: CLOSED error before EOSE is resent once and succeeds", async (story) => {
  const { source, issues } = await plainPeer(story);
  source.peer.rules.push(closed(historicReq(asksFor("#a")), "error: shutting down a worker", { times: 1 }));
  story.start();
  await story.connected(source);
  ok(await story.has(...issues));
  strictEqual(source.log.connections, 1);
});

scenario(
  "S-67 scenario S24: CLOSED restricted fails that part; the rest is confirmed",
  async (story) => {
    const { source, issues } = await plainPeer(story);
    source.peer.rules.push(closed(historicReq(asksFor("#A")), "restricted: not for you"));
    story.start();
    await story.degraded(source);
    ok(await story.has(...issues));
    strictEqual(source.log.connections, 1);
    strictEqual(source.log.historic().filter(({ via, filter }) => via === "REQ" && "#A" in filter).length, 1);
  },
);

scenario(
  "S-67 S-70 scenario S25: CLOSED rate-limited means 65 s without requests, then on",
  async (story) => {
    const { source, repo, issues } = await plainPeer(story);
    source.peer.rules.push(closed(historicReq(asksFor("#a")), "rate-limited: too fast", { times: 1 }));
    story.start();
    await story.until("it is rate limited", () => source.log.of("peer", "CLOSED").length > 0);
    const from = source.log.frames.findLast(({ message }) => message[0] === "CLOSED")!.at;
    const live = issue(stranger, repo.address, story.seconds);
    source.peer.publish(live);
    await story.arrive([live], 2_000);
    await story.connected(source, 200_000);
    ok(await story.has(...issues));
    const quiet = source.log.asked().filter(({ at, id }) =>
      at > from + 20 && at < from + 65_000 && !id.startsWith("ka-")
    );
    deepStrictEqual(quiet, []);
  },
);

scenario(
  "S-70 scenario S26: slow down between two pages holds this relay 66 to 70 s; another one syncs meanwhile",
  async (story) => {
    const { source, issues } = await plainPeer(story, 250);
    source.peer.quirks = { ...PLAIN, cap: 100 };
    const isSecondPage = historicReq((filter) => "#a" in filter && "until" in filter);
    source.peer.rules.push(
      notice(historicReq((filter) => "#a" in filter && !("until" in filter)), "slow down", { times: 1 }),
    );
    const other = story.peer("other");
    const beta = await story.repo("beta", { relays: [other.url] });
    const few = manyIssues(stranger, beta.address, 30);
    other.peer.hold(beta.announcement, ...few);
    story.start();
    await story.connected(other, 30_000);
    ok(await story.has(...few));
    await story.connected(source, 300_000);
    ok(await story.has(...issues));
    const noticed = source.log.of("peer", "NOTICE").find(({ message }) => message[1] === "slow down")!.at;
    const resumed =
      source.log.frames.find(({ at, from, message }) =>
        from === "us" && at > noticed && isSecondPage(message)
      )!.at;
    ok(resumed - noticed >= 65_900 && resumed - noticed <= 70_100, `${resumed - noticed} ms`);
  },
);

scenario("S-72 scenario S27: AUTH is answered, and what was refused is asked for again", async (story) => {
  const { source, issues } = await plainPeer(story);
  source.peer.quirks = { auth: "accept" };
  story.start();
  await story.connected(source);
  ok(await story.has(...issues));
  strictEqual(source.peer.authentications.length, 1);
  const [answer] = source.peer.authentications;
  strictEqual(answer!.kind, 22_242);
  strictEqual(answer!.pubkey, getPublicKey(RELAY_KEY));
  ok(answer!.tags.some(([name, value]) => name === "relay" && value === source.url));
});

scenario("scenario S28: AUTH refused is tried at most 3 times, without a dial loop", async (story) => {
  const { source } = await plainPeer(story);
  source.peer.quirks = { auth: "refuse" };
  story.start();
  await story.degraded(source, 400_000);
  ok(source.peer.authentications.length <= 3, `${source.peer.authentications.length} attempts`);
  strictEqual(source.log.connections, 1);
  ok(story.world.log.lines.some((line) => line.startsWith("warn")));
});

scenario(
  "S-83 S-89 scenario S10: every message twice: stored once, counted once",
  async (story) => {
    const { source, issues } = await plainPeer(story, 120);
    source.peer.quirks = {};
    source.road.distort = (text) => [text, text];
    story.start();
    await story.connected(source, 300_000);
    ok(await story.has(...issues));
    strictEqual(story.world.counts.of("synced"), issues.length);
    strictEqual(new Set(story.world.notified.map(({ id }) => id)).size, story.world.notified.length);
    strictEqual(source.log.connections, 1);
  },
);
