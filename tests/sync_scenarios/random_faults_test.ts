import { strictEqual } from "node:assert/strict";
import type { NostrEvent } from "../../lib/nostr/mod.ts";
import { Author, comment, issue, manyIssues } from "../support/sync_events.ts";
import type { Quirks } from "../support/quirks.ts";
import { closed, historicReq, idsReq, liveReq, notice } from "../support/scripted_rules.ts";
import { seededRandom } from "../support/sync_world.ts";
import { type Elsewhere, type Hosted, scenario, type Story } from "./support.ts";

const SEEDS = 25;
const FAULTS = 40;
const DAY_MS = 86_400_000;
const stranger = new Author();
const REFUSED = { fault: "network", text: "Connection refused (os error 111)" } as const;

const QUIRKS: readonly Quirks[] = [
  { eose: "never" },
  { eose: "twice" },
  { eose: 12_000 },
  { cap: 7 },
  { idsCap: 3 },
  { unserved: "all" },
  { storedForLimitZero: true },
  { refusesLimitZero: true },
  { maxSubscriptions: 7 },
  { auth: "refuse" },
  { auth: "accept" },
  { dropAfter: 9 },
  { deaf: true },
  { closesAfterMs: 3_000 },
  { negentropy: "notice" },
  { negentropy: "silent" },
  { negentropy: "garbage" },
  { negentropy: "endless" },
  { negentropy: { error: "closed: busy" } },
  { maxNegotiated: 2 },
];

type Draw = (below: number) => number;

/** One thing that goes wrong with one peer. */
const TROUBLES: readonly ((story: Story, peer: Elsewhere, draw: Draw) => void)[] = [
  (story, peer) => story.network.cut(peer.url),
  (story, peer) => story.cut(peer),
  (_story, { road }) => void (road.failure = REFUSED),
  (_story, { road }) => void (road.hangs = true),
  (_story, { road }) => void (road.losesOurs = true),
  (_story, { road }) => void (road.losesTheirs = true),
  (_story, { road }, draw) => void (road.latencyMs = draw(4_000)),
  (_story, { road }, draw) => void (road.bytesPerSecond = 2_000 + 100 * draw(200)),
  (_story, { road }) => void (road.distort = (text) => [text, text]),
  (_story, { peer }, draw) => void (peer.quirks = QUIRKS[draw(QUIRKS.length)]!),
  (_story, { peer }, draw) => void (peer.quirks = { ...peer.quirks, ...QUIRKS[draw(QUIRKS.length)]! }),
  (_story, { peer }) => void peer.rules.push(closed(historicReq(), "error: no", { times: 2 })),
  (_story, { peer }) => void peer.rules.push(closed(liveReq(), "error: no", { times: 2 })),
  (_story, { peer }) => void peer.rules.push(closed(idsReq, "rate-limited: slowly", { times: 1 })),
  (_story, { peer }) => void peer.rules.push(notice(historicReq(), "too many requests", { times: 1 })),
  (story, _peer, draw) => story.clock.jump((draw(3) - 1) * 3_600_000),
  (_story, peer) => heal(peer),
  (_story, peer) => heal(peer),
];

function heal({ peer, road }: Elsewhere): void {
  peer.quirks = {};
  peer.rules.length = 0;
  const good = { failure: undefined, hangs: false, losesOurs: false, losesTheirs: false, latencyMs: 5 };
  Object.assign(road, { ...good, bytesPerSecond: 0, distort: (text: string) => [text] });
}

/** Sockets that the network holds open are those the gauges show. */
function checkGauges(story: Story): void {
  const live = story.engine.relayGauges().filter(({ connection }) => connection >= 2 && connection <= 4);
  strictEqual(live.length, story.network.openSockets(), "connected gauge against live sockets");
}

async function survive(story: Story, seed: number): Promise<void> {
  const random = seededRandom(seed * 7_919);
  const draw: Draw = (below) => {
    const [high, low] = random.bytes(2);
    return ((high! << 8) | low!) % below;
  };
  const peers = ["one", "two", "three"].map((name) => story.peer(name));
  const relays = peers.map(({ url }) => url);
  const repos: Hosted[] = [await story.repo("first", { relays })];
  const events: NostrEvent[] = manyIssues(stranger, repos[0]!.address, 90);
  for (const { peer } of peers) peer.hold(repos[0]!.announcement);
  peers[draw(3)]!.peer.hold(...events);
  story.start();
  for (let fault = 0; fault < FAULTS; fault++) {
    const peer = peers[draw(3)]!;
    TROUBLES[draw(TROUBLES.length)]!(story, peer, draw);
    const { address } = repos[draw(repos.length)]!;
    const isReply = draw(2) === 0;
    const event = isReply
      ? comment(stranger, events[draw(events.length)]!, story.seconds)
      : issue(stranger, address, story.seconds);
    events.push(event);
    peers[draw(3)]!.peer.publish(event);
    if (draw(8) === 0) {
      const repo = await story.repo(`r${fault}`, { relays: [relays[draw(3)]!] });
      repos.push(repo);
    }
    await story.clock.advance(draw(90) * 1_000 + draw(1_000));
    checkGauges(story);
  }
  peers.forEach(heal);
  await story.arrive(events, 3 * DAY_MS);
  for (const peer of peers) await story.connected(peer, 2 * DAY_MS);
}

for (let seed = 1; seed <= SEEDS; seed++) {
  scenario(
    `S-105 S-9 faults drawn from seed ${seed} are outlived: every event arrives, every gauge is right`,
    (story) => survive(story, seed),
    {
      seed,
      mayVanish: () => true,
    },
  );
}
