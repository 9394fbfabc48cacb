import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { announcement, Author, comment, issue, manyIssues } from "../support/sync_events.ts";
import { hangUp, idsReq } from "../support/scripted_rules.ts";
import type { Asked } from "../support/wire_log.ts";
import { atOnce, type Elsewhere, type Hosted, scenario, type Story, wallSeconds } from "./support.ts";

/** A peer that holds one hosted repository with an issue, all synced. */
async function following(
  story: Story,
): Promise<{ source: Elsewhere; repo: Hosted; root: ReturnType<typeof issue> }> {
  const source = story.peer("source");
  const repo = await story.repo("alpha", { relays: [source.url] });
  const root = issue(new Author(), repo.address);
  source.peer.hold(repo.announcement, root);
  story.start();
  await story.connected(source);
  ok(await story.has(root));
  await story.until("layer 3 is live", () => source.log.live().some(({ filter }) => "#E" in filter));
  await story.clock.advance(20_000);
  return { source, repo, root };
}

/** When the last frame that the peer sent on a connection arrived, in wall seconds. */
function lastFrame({ log, road }: Elsewhere, connection: number): number {
  const frame = log.frames.findLast((frame) => frame.connection === connection && frame.from === "peer")!;
  return wallSeconds(frame.at + road.latencyMs);
}

scenario(
  "S-29 S-32 S-45 scenario S01: what was published in a cut of 30 s arrives, asked for since the last frame minus 900",
  async (story) => {
    const { source, repo, root } = await following(story);
    const expected = lastFrame(source, 1) - 900;
    story.cut(source);
    await story.clock.advance(15_000);
    const other = announcement(new Author(), "beta", { relays: [source.url], created_at: story.seconds });
    const second = issue(new Author(), repo.address, story.seconds);
    const reply = comment(new Author(), root, story.seconds);
    source.peer.publish(other, second, reply);
    await story.clock.advance(15_000);
    story.restore(source);
    await story.arrive([second, reply]);
    await story.held(other);
    await story.connected(source);
    const catchUp = atOnce(source.log, 2);
    ok(catchUp.length >= 5, `${catchUp.length} catch-up requests`);
    for (const { filter } of catchUp) {
      ok(filter.since === expected || filter.since === expected - 1, `${filter.since} is not ${expected}`);
    }
    for (const { filter } of source.log.live()) {
      strictEqual(filter.limit, 0);
      strictEqual(filter.since, undefined);
    }
  },
);

/** Reconnects exactly `gapMs` after the loss; returns the requests of the second connection. */
async function afterGap(story: Story): Promise<readonly Asked[]> {
  const source = story.peer("source");
  source.road.latencyMs = 0;
  const repo = await story.repo("alpha", { relays: [source.url] });
  source.peer.hold(repo.announcement);
  story.start();
  await story.connected(source);
  story.network.cut(source.url);
  const missed = issue(new Author(), repo.address, story.seconds);
  source.peer.publish(missed);
  await story.arrive([missed], 1_000_000);
  await story.connected(source);
  return atOnce(source.log, 2);
}

/** The only retry comes exactly this long after the loss. */
function retryAfter(ms: number) {
  return { settings: { baseBackoffMs: 10_000_000, maxBackoffMs: ms } };
}

scenario("S-28 scenario S02: a gap of exactly 900 s is a quick reconnect", async (story) => {
  const asked = await afterGap(story);
  ok(asked.length > 0 && asked.every(({ filter }) => filter.since !== undefined), JSON.stringify(asked));
}, retryAfter(900_000));

scenario("S-27 S-28 scenario S03: a gap of 901 s is a fresh start without since", async (story) => {
  const asked = await afterGap(story);
  ok(asked.length > 0 && asked.every(({ filter }) => filter.since === undefined), JSON.stringify(asked));
}, retryAfter(901_000));

scenario(
  "S-29 S-30 scenario S04: after two hours a cut of 10 s is a quick reconnect since the end of the connection",
  async (story) => {
    const { source, repo } = await following(story);
    await story.clock.advance(7_200_000);
    strictEqual(source.log.connections, 1);
    story.cut(source);
    const expected = lastFrame(source, 1) - 900;
    ok(expected > wallSeconds(7_200_000) - 1_000);
    const missed = issue(new Author(), repo.address, story.seconds);
    source.peer.publish(missed);
    await story.clock.advance(4_000);
    story.restore(source);
    await story.arrive([missed]);
    await story.connected(source);
    for (const { filter } of atOnce(source.log, 2)) {
      ok(filter.since === expected || filter.since === expected - 1, `${filter.since} is not ${expected}`);
    }
  },
);

scenario(
  "S-31 S-33 scenario S05: after a cut during Layer 1 history, Layer 1 is asked for without since",
  async (story) => {
    const source = story.peer("source");
    const owners = Array.from({ length: 200 }, () => new Author());
    const all = owners.map((owner, index) => announcement(owner, `r${index}`, { relays: [source.url] }));
    source.peer.hold(...all);
    source.peer.rules.push(hangUp(idsReq, 1));
    await story.repo("alpha", { relays: [source.url] });
    story.start();
    await story.connected(source);
    strictEqual(source.log.connections, 2);
    const layer1 = source.log.historic().filter(({ connection }) => connection === 2).filter(({ filter }) =>
      JSON.stringify(filter.kinds) === "[30617,10317]"
    );
    ok(layer1.length > 0);
    deepStrictEqual(layer1.map(({ filter }) => filter.since), layer1.map(() => undefined));
    for (const event of all) ok(await story.world.store.waitingKind(event.id), "held");
  },
);

for (
  const [where, cuts] of [
    ["in the middle of a negotiation", ([type]: readonly unknown[]) => type === "NEG-MSG"],
    ["between negotiation and fetch", idsReq],
  ] as const
) {
  scenario(
    `S-33 scenario S06: a cut ${where} leaves no batch, and the next connection completes`,
    async (story) => {
      const source = story.peer("source");
      const repo = await story.repo("alpha", { relays: [source.url] });
      const shared = manyIssues(new Author(), repo.address, 400, 1_799_800_000);
      const missing = manyIssues(new Author(), repo.address, 300);
      await story.world.store.commit({ insertEvents: shared.map((event) => ({ event })) });
      source.peer.hold(repo.announcement, ...shared, ...missing);
      source.peer.rules.push(hangUp(cuts, 1));
      story.start();
      await story.until("it was cut", () => source.log.connections >= 1 && source.log.open.size === 0);
      await story.arrive(missing);
      await story.connected(source);
      strictEqual(source.log.connections, 2);
      const requested = new Set(source.log.requestedIds());
      ok(shared.every(({ id }) => !requested.has(id)), "nothing that is stored is asked for");
    },
  );
}

for (const hours of [1, -1]) {
  scenario(
    `S-29 scenario S60: the wall clock jumps by ${hours} h in a cut, and the strategy does not care`,
    async (story) => {
      const { source, repo } = await following(story);
      story.cut(source);
      story.clock.jump(hours * 3_600_000);
      await story.clock.advance(10_000);
      const missed = issue(new Author(), repo.address, story.seconds);
      source.peer.publish(missed);
      story.restore(source);
      await story.until("reconnected", () => source.log.connections === 2);
      const before = story.seconds;
      await story.connected(source);
      const asked = atOnce(source.log, 2);
      ok(asked.length >= 5);
      for (const { filter } of asked) {
        ok(typeof filter.since === "number", "a quick reconnect");
        ok(filter.since <= before, "not in the future");
      }
      await story.arrive([missed]);
    },
  );
}
