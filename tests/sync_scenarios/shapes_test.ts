import { ok, strictEqual } from "node:assert/strict";
import type { NostrEvent } from "../../lib/nostr/mod.ts";
import { Author, comment, issue } from "../support/sync_events.ts";
import type { Quirks } from "../support/quirks.ts";
import { scenario, type Story } from "./support.ts";

const stranger = new Author();
let serial = 0;

/** One event for each way to point at a repository or a root event. */
function allShapes(address: string, root: NostrEvent, created_at: number): NostrEvent[] {
  const targets = [["a", address], ["A", address], ["q", address], ["e", root.id], ["E", root.id], [
    "q",
    root.id,
  ]];
  return targets.map((tag) =>
    stranger.sign({ kind: 1111, tags: [tag], content: `shape ${++serial}`, created_at })
  );
}

async function shapes(story: Story, quirks: Quirks, when: "live" | "before"): Promise<void> {
  const source = story.peer("source");
  source.peer.quirks = quirks;
  const repo = await story.repo("alpha", { relays: [source.url] });
  const root = issue(stranger, repo.address);
  source.peer.hold(repo.announcement, root);
  const events = allShapes(repo.address, root, when === "live" ? story.seconds + 20 : 1_799_900_100);
  if (when === "before") source.peer.hold(...events);
  story.start();
  await story.connected(source);
  await story.until("layer 3 is live", () => source.log.live().some(({ filter }) => "#E" in filter));
  await story.connected(source);
  if (when === "live") {
    await story.clock.advance(10_000);
    const mark = source.log.mark;
    source.peer.publish(...events);
    await story.arrive(events, 3_000);
    strictEqual(source.log.historic(mark).length, 0);
  } else await story.arrive(events, 60_000);
}

scenario("scenario S57: every shape of reference arrives live", (story) => shapes(story, {}, "live"));
scenario(
  "scenario S57: every shape of reference arrives by negentropy",
  (story) => shapes(story, {}, "before"),
);
scenario(
  "scenario S57: every shape of reference arrives by REQ",
  (story) => shapes(story, { negentropy: "notice" }, "before"),
);

scenario(
  "S-89 scenario S58: 50 peers deliver one event at once: one policy run, one copy, nobody is blamed",
  async (story) => {
    const peers = Array.from({ length: 50 }, (_, index) => story.peer(`p${index}`));
    const first = await story.repo("alpha", { relays: peers.slice(0, 17).map(({ url }) => url) });
    const owner = first.owner;
    await story.repo("beta", { relays: peers.slice(17, 34).map(({ url }) => url), owner });
    await story.repo("gamma", { relays: peers.slice(34).map(({ url }) => url), owner });
    story.start();
    for (const peer of peers) await story.connected(peer, 300_000);
    await story.clock.advance(10_000);
    const event = stranger.sign({
      kind: 1621,
      tags: ["alpha", "beta", "gamma"].map((name) => ["a", `30617:${owner.pubkey}:${name}`]),
      created_at: story.seconds,
    });
    const mark = story.world.counts.of("synced");
    for (const { peer } of peers) peer.publish(event);
    await story.arrive([event], 5_000);
    await story.clock.advance(1_000);
    strictEqual(story.world.counts.of("synced") - mark, 1);
    strictEqual(story.world.notified.filter(({ id }) => id === event.id).length, 1);
    for (const peer of peers) strictEqual(story.status(peer), "Connected");
  },
);

scenario(
  "scenario S68: a comment older than its issue's Layer 3 subscription arrives by history",
  async (story) => {
    const source = story.peer("source");
    const repo = await story.repo("alpha", { relays: [source.url] });
    source.peer.hold(repo.announcement);
    story.start();
    await story.connected(source);
    const root = issue(stranger, repo.address, story.seconds);
    const reply = comment(stranger, root, story.seconds);
    source.peer.publish(root, reply);
    await story.arrive([root], 2_000);
    ok(!await story.has(reply));
    await story.arrive([reply], 20_000);
  },
);
