import { ok, strictEqual } from "node:assert/strict";
import { Author, issue } from "../support/sync_events.ts";
import { scenario } from "./support.ts";

scenario(
  "S-40 S-41 scenario S56: a back-dated event is missed by catch-up and found by the daily run, which drops nobody",
  async (story) => {
    const [source, other] = [story.peer("source"), story.peer("other")];
    const repo = await story.repo("alpha", { relays: [source.url, other.url] });
    for (const { peer } of [source, other]) peer.hold(repo.announcement);
    story.start();
    await story.connected(source);
    await story.connected(other);
    await story.clock.advance(30_000);
    story.cut(source);
    const late = issue(new Author(), repo.address, story.seconds - 86_400);
    source.peer.publish(late);
    story.restore(source);
    await story.until("reconnected", () => source.log.connections === 2);
    await story.connected(source);
    await story.clock.advance(60_000);
    // The limit of catch-up: it asks by created_at.
    ok(!await story.has(late));
    const before = story.inspect(source)!.completedAt!;
    const statuses = new Set<string>();
    await story.until("the daily run", async () => {
      statuses.add(story.status(source));
      return await story.has(late);
    }, 26 * 3_600_000);
    ok(story.clock.monotonic() >= 23 * 3_600_000);
    ok(statuses.has("Syncing"));
    await story.connected(source);
    await story.connected(other, 3_600_000);
    ok(story.inspect(source)!.completedAt! > before);
    strictEqual(source.log.connections, 2);
    strictEqual(other.log.connections, 1);
  },
);
