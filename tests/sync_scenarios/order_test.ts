import { deepStrictEqual, ok } from "node:assert/strict";
import type { NostrEvent } from "../../lib/nostr/mod.ts";
import { newWorkTree, refsOf } from "../support/git_client.ts";
import { addressOf, announcement, Author, state } from "../support/sync_events.ts";
import { seededRandom } from "../support/sync_world.ts";
import { push } from "./git_data.ts";
import { scenario, type Story } from "./support.ts";

const ORDERS = 20;
const [owner, maintainer, user] = [new Author(), new Author(), new Author()];
const SOURCES = ["one", "two", "three"];
const relays = SOURCES.map((name) => `wss://${name}.example`);
/** The served ids of every order so far. */
const outcomes = new Map<string, number>();

/** One story of every kind of event about one repository; the ids are the same each time. */
function plot(tip: string): readonly NostrEvent[] {
  const address = addressOf(owner, "alpha");
  const refs = { "refs/heads/main": tip };
  const root = user.sign({
    kind: 1621,
    tags: [["a", address]],
    content: "an issue",
    created_at: 1_799_000_100,
  });
  const pr = user.sign({
    kind: 1618,
    tags: [["a", address], ["c", tip], ["clone", "https://elsewhere.example/pr.git"]],
    created_at: 1_799_000_200,
  });
  return [
    announcement(owner, "alpha", { relays, maintainers: [maintainer.pubkey] }),
    announcement(maintainer, "alpha", { relays, maintainers: [owner.pubkey] }),
    state(owner, "alpha", refs, 1_799_000_010),
    state(maintainer, "alpha", refs, 1_799_000_020),
    root,
    user.sign({ kind: 1111, tags: [["E", root.id]], content: "a comment", created_at: 1_799_000_300 }),
    pr,
    user.sign({ kind: 1619, tags: [["a", address], ["E", pr.id], ["c", tip]], created_at: 1_799_000_400 }),
  ];
}

function shuffled<T>(items: readonly T[], draw: (below: number) => number): T[] {
  const left = [...items];
  return Array.from({ length: left.length }, () => left.splice(draw(left.length), 1)[0]!);
}

async function tell(story: Story, seed: number): Promise<void> {
  const random = seededRandom(seed);
  const draw = (below: number) => random.bytes(1)[0]! % below;
  const peers = SOURCES.map((name) => story.peer(name));
  const path = await newWorkTree(`${story.directory}/work`);
  const events = plot((await refsOf(path))["refs/heads/main"]!);
  const order = shuffled(events, draw);
  const early = draw(events.length);
  const deliver = (event: NostrEvent) => peers[draw(peers.length)]!.peer.publish(event);
  order.slice(0, early).forEach(deliver);
  story.start();
  for (const event of order.slice(early)) {
    await story.clock.advance(500 * draw(20));
    deliver(event);
  }
  await story.held(events[0]!);
  await story.held(events[3]!);
  await push(story, { path, tip: "", state: events[3]! }, owner, "alpha");
  for (const peer of peers) await story.connected(peer, 300_000);
  await story.clock.advance(60_000);
  const served = [];
  for (const event of events) if (await story.has(event)) served.push(event.kind);
  const outcome = JSON.stringify(served.sort());
  outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  deepStrictEqual([...outcomes.keys()], [outcome], `seed ${seed}`);
  ok(served.length >= 6, outcome);
}

for (let seed = 1; seed <= ORDERS; seed++) {
  scenario(
    `S-98 scenario S41: order ${seed} over three relays ends in the same database`,
    (story) => tell(story, seed),
    {
      settings: { bootstrapRelays: relays },
      seed,
    },
  );
}
