import { ok } from "node:assert/strict";
import type { NostrEvent } from "../../lib/nostr/mod.ts";
import { Author, issue } from "../support/sync_events.ts";
import { scenario } from "./support.ts";

const stranger = new Author();

scenario(
  "S-38 scenario S39: 120 repositories in 10 min: never above the budget, one consolidation a minute, no live event lost",
  async (story) => {
    const source = story.peer("source");
    const first = await story.repo("first", { relays: [source.url] });
    source.peer.hold(first.announcement);
    story.start();
    await story.connected(source);
    const live: NostrEvent[] = [];
    for (let index = 0; index < 120; index++) {
      const repo = await story.repo(`r${index}`, { relays: [source.url] });
      source.peer.hold(repo.announcement);
      for (let step = 0; step < 5; step++) {
        await story.clock.advance(1_000);
        live.push(issue(stranger, first.address, story.seconds));
        source.peer.publish(live.at(-1)!);
      }
    }
    await story.arrive(live);
    const consolidations = story.world.counts.total("consolidation ");
    ok(consolidations >= 1 && consolidations <= 11, `${consolidations} consolidations`);
  },
);

scenario(
  "scenario S40: a set of over 130 filters is packed into live REQs without a consolidation loop",
  async (story) => {
    const source = story.peer("source");
    const repos = [];
    for (let index = 0; index < 340; index++) {
      const repo = await story.repo(`r${index}`, { relays: [source.url] });
      source.peer.hold(repo.announcement);
      repos.push(repo);
    }
    story.start();
    await story.connected(source, 600_000);
    await story.clock.advance(120_000);
    const consolidations = story.world.counts.total("consolidation ");
    await story.clock.advance(300_000);
    ok(story.world.counts.total("consolidation ") === consolidations, "no loop");
    const live = repos.map(({ address }) => issue(stranger, address, story.seconds));
    source.peer.publish(...live);
    await story.arrive(live, 10_000);
    ok(source.log.of("us", "REQ").some(({ message }) => message.length > 4), "several filters in one REQ");
  },
  { settings: { valuesPerFilter: 10 } },
);
