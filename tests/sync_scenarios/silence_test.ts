import { ok, strictEqual } from "node:assert/strict";
import { Author, issue, manyIssues } from "../support/sync_events.ts";
import { atOnce, scenario, type Story } from "./support.ts";

scenario(
  "S-25 scenario S07: a black hole of 10 min is noticed within 80 s, and catch-up covers the silent time",
  async (story) => {
    const source = story.peer("source");
    const repo = await story.repo("alpha", { relays: [source.url] });
    source.peer.hold(repo.announcement);
    story.start();
    await story.connected(source);
    await story.clock.advance(100_000);
    Object.assign(source.road, { losesOurs: true, losesTheirs: true, hangs: true });
    const missed = issue(new Author(), repo.address, story.seconds);
    source.peer.publish(missed);
    await story.until("the loss is noticed", () => story.status(source) === "Disconnected", 81_000);
    await story.clock.advance(520_000);
    Object.assign(source.road, { losesOurs: false, losesTheirs: false, hangs: false });
    await story.arrive([missed], 1_000_000);
    await story.connected(source);
    const again = atOnce(source.log, 2);
    ok(again.every(({ filter }) => typeof filter.since === "number" && filter.since <= missed.created_at));
  },
);

scenario(
  "S-25 scenario S08: half open, live events come but requests vanish: the stalled request exposes it",
  async (story) => {
    const source = story.peer("source");
    const repo = await story.repo("alpha", { relays: [source.url] });
    source.peer.hold(repo.announcement);
    story.start();
    await story.connected(source);
    source.road.losesOurs = true;
    const beta = await story.repo("beta", { relays: [source.url] });
    const old = issue(new Author(), beta.address, 1_799_000_100);
    source.peer.hold(beta.announcement, old);
    const heard: ReturnType<typeof issue>[] = [];
    await story.until("the connection is given up", () => {
      const due = Math.floor(story.clock.monotonic() / 5_000);
      if (heard.length < due && story.status(source) !== "Disconnected") {
        heard.push(issue(new Author(), repo.address, story.seconds));
        source.peer.publish(heard.at(-1)!);
      }
      return story.status(source) === "Disconnected";
    }, 200_000);
    ok(heard.length > 2);
    source.road.losesOurs = false;
    await story.arrive([old, ...heard]);
    await story.connected(source);
    ok(story.world.counts.of("stalled") >= 1);
  },
);

scenario(
  "scenario S09: 2,000 events of 2 KiB over 20 KiB/s complete without a false stall, and nobody else waits",
  async (story) => {
    const slow = story.peer("slow");
    const quick = story.peer("quick");
    const repo = await story.repo("alpha", { relays: [slow.url, quick.url] });
    const author = new Author();
    const big = Array.from({ length: 2_000 }, (_, index) =>
      author.sign({
        kind: 1111,
        tags: [["a", repo.address]],
        content: `${index} ${"x".repeat(1_700)}`,
        created_at: 1_799_000_000 + index,
      }));
    const few = manyIssues(author, repo.address, 50);
    slow.peer.hold(repo.announcement, ...big);
    quick.peer.hold(repo.announcement, ...few);
    slow.road.bytesPerSecond = 20 * 1024;
    story.start();
    await story.connected(quick, 30_000);
    ok(await story.has(...few));
    await story.connected(slow, 600_000);
    ok(await story.has(...big));
    strictEqual(slow.log.connections, 1);
    strictEqual(story.world.counts.of("stalled"), 0);
  },
);

/** Virtual milliseconds until a healthy relay is Connected, with or without sick ones beside it. */
async function healthyBesides(story: Story, sick: readonly ("dial" | "negotiation")[]): Promise<number> {
  const healthy = story.peer("healthy");
  const others = sick.map((illness, index) => {
    const other = story.peer(`sick${index}`);
    if (illness === "dial") other.road.hangs = true;
    else other.peer.quirks = { negentropy: "silent" };
    return other;
  });
  const repo = await story.repo("alpha", { relays: [...others, healthy].map(({ url }) => url) });
  healthy.peer.hold(repo.announcement, ...manyIssues(new Author(), repo.address, 100));
  story.start();
  await story.connected(healthy);
  const took = story.clock.monotonic();
  for (const other of others) Object.assign(other.road, { hangs: false });
  for (const other of others) await story.connected(other, 600_000);
  return took;
}

let alone = 0;
scenario("scenario S66: one relay alone, for comparison", async (story) => {
  alone = await healthyBesides(story, []);
});

scenario(
  "S-26 scenario S66: relays that hang in the dial or in a negotiation do not delay a healthy one",
  async (story) => {
    const together = await healthyBesides(story, [...Array<"dial">(10).fill("dial"), "negotiation"]);
    ok(together - alone <= 100, `${together} ms against ${alone} ms alone`);
  },
);
