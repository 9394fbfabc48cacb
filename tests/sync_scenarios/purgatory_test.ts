import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { announcement, Author, issue, state } from "../support/sync_events.ts";
import { push, workOf } from "./git_data.ts";
import { scenario, type Story } from "./support.ts";

const BOOTSTRAP = { settings: { bootstrapRelays: ["wss://source.example"] } };
const REFS = { "refs/heads/main": "1".repeat(40) };

scenario(
  "S-4 S-34 scenario S46: an announcement in purgatory opens only a state filter; promotion opens the others within K1 + 1 s",
  async (story) => {
    const source = story.peer("source");
    const owner = new Author();
    const announced = announcement(owner, "alpha", { relays: [source.url] });
    const work = await workOf(story, owner, "alpha");
    const root = issue(new Author(), `30617:${owner.pubkey}:alpha`);
    source.peer.hold(announced, work.state, root);
    story.start();
    await story.held(announced);
    await story.held(work.state);
    await story.connected(source);
    const tagged = () =>
      source.log.asked().filter(({ filter }) => "#a" in filter || "#A" in filter || "#q" in filter);
    deepStrictEqual(tagged(), []);
    await push(story, work, owner, "alpha");
    ok(await story.has(announced, work.state));
    const names = () => new Set(source.log.live().flatMap(({ filter }) => Object.keys(filter)));
    await story.until(
      "promotion is seen",
      () => ["#a", "#A", "#q"].every((name) => names().has(name)),
      6_000,
    );
    await story.arrive([root], 10_000);
  },
  BOOTSTRAP,
);

scenario(
  "S-90 scenario S47: an orphan refused before promotion is accepted when it is offered again on the same connection",
  async (story) => {
    const source = story.peer("source");
    const owner = new Author();
    const announced = announcement(owner, "alpha", { relays: [source.url] });
    const work = await workOf(story, owner, "alpha");
    const root = issue(new Author(), `30617:${owner.pubkey}:alpha`);
    source.peer.hold(announced, work.state, root);
    story.start();
    await story.held(work.state);
    strictEqual((await story.world.intake.admit(root, "sync", source.url)).accepted, false);
    await push(story, work, owner, "alpha");
    await story.arrive([root], 10_000);
    strictEqual(source.log.connections, 1);
  },
  BOOTSTRAP,
);

/** Lets `ms` pass with the sweep of purgatory running as the server runs it. */
async function pass(story: Story, ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 60_000) {
    await story.clock.advance(Math.min(left, 60_000));
    await story.finish(story.world.sweep.expire());
  }
}

scenario(
  "S-96 scenario S48: a state that expired is refused from sync and taken from a user",
  async (story) => {
    const source = story.peer("source");
    source.peer.quirks = { negentropy: "notice" };
    const repo = await story.repo("alpha", { relays: [source.url] });
    const declared = state(repo.owner, "alpha", REFS);
    source.peer.hold(repo.announcement, declared);
    story.start();
    await story.held(declared);
    await story.connected(source);
    await pass(story, 31 * 60_000);
    strictEqual(await story.world.store.waitingKind(declared.id), undefined);
    story.cut(source);
    await pass(story, 1_000_000);
    story.restore(source);
    await story.until("reconnected", () => source.log.connections === 2, 3_600_000);
    await story.connected(source);
    ok(source.log.deliveredIds().filter((id) => id === declared.id).length >= 2, "it was offered again");
    strictEqual(await story.world.store.waitingKind(declared.id), undefined);
    const answer = await story.submit(declared);
    ok(answer.startsWith("purgatory:"), answer);
  },
);

scenario(
  "S-55 S-96 scenario S49: a soft-expired announcement is not downloaded again; a synced state revives it",
  async (story) => {
    const source = story.peer("source");
    const owner = new Author();
    const announced = announcement(owner, "alpha", { relays: [source.url] });
    source.peer.hold(announced);
    story.start();
    await story.held(announced);
    await story.connected(source);
    await pass(story, 32 * 60_000);
    const phase = async () =>
      (await story.world.store.readIdentifier("alpha")).waitingAnnouncements[0]?.phase;
    strictEqual(await phase(), "soft");
    const mark = source.log.mark;
    story.cut(source);
    await pass(story, 1_000_000);
    story.restore(source);
    await story.until("reconnected", () => source.log.connections === 2, 3_600_000);
    await story.connected(source);
    deepStrictEqual(source.log.deliveredIds(mark), []);
    strictEqual(await phase(), "soft");
    const declared = state(owner, "alpha", REFS, story.seconds);
    source.peer.publish(declared);
    await story.held(declared, 10_000);
    strictEqual(await phase(), "active");
  },
  BOOTSTRAP,
);

scenario(
  "scenario S67: a replay of a waiting announcement, or an older copy of it, changes nothing",
  async (story) => {
    const [source, replay] = [story.peer("source"), story.peer("replay")];
    const owner = new Author();
    const relays = [source.url, replay.url];
    const older = announcement(owner, "alpha", { relays, created_at: 1_798_000_000 });
    const newer = announcement(owner, "alpha", { relays, created_at: 1_798_000_001 });
    source.peer.hold(newer);
    replay.peer.hold(older);
    story.start();
    await story.held(newer);
    await story.connected(source);
    await story.connected(replay);
    await story.world.intake.admit(newer, "sync", replay.url);
    await story.world.intake.admit(older, "sync", replay.url);
    const { waitingAnnouncements, announcements } = await story.world.store.readIdentifier("alpha");
    deepStrictEqual(waitingAnnouncements.map(({ event }) => event.id), [newer.id]);
    deepStrictEqual(announcements, []);
  },
  BOOTSTRAP,
);
