import { ok, strictEqual } from "node:assert/strict";
import type { NostrEvent } from "../../lib/nostr/mod.ts";
import { Author, comment, issue, manyIssues } from "../support/sync_events.ts";
import { closed, historicReq, inserting, liveReq } from "../support/scripted_rules.ts";
import type { Quirks } from "../support/quirks.ts";
import { type Elsewhere, type Hosted, scenario, type Story } from "./support.ts";

const stranger = new Author();

async function odd(
  story: Story,
  quirks: Quirks,
  count = 60,
): Promise<{ source: Elsewhere; repo: Hosted; issues: readonly NostrEvent[] }> {
  const source = story.peer("source");
  source.peer.quirks = quirks;
  const repo = await story.repo("alpha", { relays: [source.url] });
  const issues = manyIssues(stranger, repo.address, count);
  source.peer.hold(repo.announcement, ...issues);
  return { source, repo, issues };
}

/** A live event of the peer arrives within two seconds. */
async function livesOn(story: Story, { peer }: Elsewhere, { address }: Hosted): Promise<void> {
  const event = issue(stranger, address, story.seconds);
  peer.publish(event);
  await story.arrive([event], 2_000);
}

for (const quirk of ["storedForLimitZero", "refusesLimitZero"] as const) {
  scenario(
    `a peer that ${quirk}: live subscriptions ask since now instead, also after a reconnect`,
    async (story) => {
      const { source, repo, issues } = await odd(story, { [quirk]: true });
      story.start();
      await story.connected(source);
      ok(await story.has(...issues));
      await livesOn(story, source, repo);
      story.network.cut(source.url);
      await story.until("reconnected", () => source.log.connections === 2);
      await story.connected(source);
      await livesOn(story, source, repo);
      const again = source.log.live().filter(({ connection }) => connection === 2);
      ok(
        again.length > 0 && again.every(({ filter }) => typeof filter.since === "number"),
        JSON.stringify(again[0]),
      );
    },
  );
}

scenario(
  "a peer that accepts only 8 subscriptions without saying so is followed within that budget",
  async (story) => {
    const { source, repo, issues } = await odd(story, { maxSubscriptions: 8 });
    for (let index = 0; index < 10; index++) await story.repo(`r${index}`, { relays: [source.url] });
    story.start();
    await story.connected(source, 900_000);
    ok(await story.has(...issues));
    await story.clock.advance(30_000);
    await livesOn(story, source, repo);
    await story.clock.advance(120_000);
    const refusals = source.log.of("peer", "CLOSED").length;
    await story.clock.advance(600_000);
    strictEqual(source.log.of("peer", "CLOSED").length, refusals, "no endless attempts");
    await livesOn(story, source, repo);
    await story.clock.advance(60_000);
    const reply = comment(stranger, issues[0]!, story.seconds);
    source.peer.publish(reply);
    await story.arrive([reply], 2_000);
  },
);

scenario(
  "S-74 malformed JSON, unknown types and future dates are dropped and counted; the rest arrives",
  async (story) => {
    const { source, repo, issues } = await odd(story, { negentropy: "notice" });
    const future = issue(stranger, repo.address, story.seconds + 86_400);
    source.peer.rules.push(inserting(
      historicReq((filter) => "#a" in filter),
      (
        id,
      ) => ["{not json", "[]", "null", ["WHAT", id], ["EVENT", id], ["EVENT", "stranger", issues[0]], [
        "EVENT",
        id,
        future,
      ]],
      1,
    ));
    story.start();
    await story.connected(source);
    ok(await story.has(...issues));
    ok(!await story.has(future));
    strictEqual(story.world.counts.of("dropped future"), 1);
    ok(story.world.counts.of("dropped malformed") >= 3);
    ok(story.world.counts.of("dropped subscription") >= 1);
    strictEqual(source.log.connections, 1);
  },
);

scenario(
  "S-68 a live subscription closed with an error is opened again; nothing in between is lost for good",
  async (story) => {
    const { source, repo } = await odd(story, {});
    source.peer.rules.push(closed(liveReq((filter) => "#a" in filter), "error: restarting", { times: 3 }));
    story.start();
    await story.connected(source);
    await story.clock.advance(60_000);
    strictEqual(source.log.connections, 1);
    strictEqual(source.log.live().filter(({ filter }) => "#a" in filter).length, 4);
    await livesOn(story, source, repo);
  },
);

scenario(
  "a live subscription refused for good is not opened again on this connection",
  async (story) => {
    const { source, issues } = await odd(story, {});
    source.peer.rules.push(closed(liveReq((filter) => "#A" in filter), "restricted: members only"));
    story.start();
    await story.connected(source);
    ok(await story.has(...issues));
    await story.clock.advance(1_000_000);
    strictEqual(source.log.live().filter(({ filter }) => "#A" in filter).length, 1);
    ok(story.inspect(source)!.partlyLive);
  },
);

scenario(
  "S-33 a peer that drops every connection after 12 messages is not believed to be complete",
  async (story) => {
    const { source, issues } = await odd(story, { dropAfter: 12 });
    story.start();
    await story.until("three connections", () => source.log.connections >= 3, 600_000);
    ok(story.status(source) !== "Connected");
    source.peer.quirks = {};
    await story.connected(source, 3_600_000);
    ok(await story.has(...issues));
  },
);
