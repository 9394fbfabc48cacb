import { strictEqual } from "node:assert/strict";
import { Author, comment, issue, manyIssues } from "../support/sync_events.ts";
import type { Quirks } from "../support/quirks.ts";
import { closed, historicReq, idsReq, liveReq, notice } from "../support/scripted_rules.ts";
import { seededRandom } from "../support/sync_world.ts";
import { type Elsewhere, scenario, type Story } from "./support.ts";

const SEEDS = 25;
const FAULTS = 40;
const ISSUE = 1621;
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
  const first = await story.repo("first", { relays: peers.map(({ url }) => url) });
  /** A repository, the peers that have to know its events, and these. */
  const places = [{ address: first.address, peers, events: manyIssues(stranger, first.address, 90) }];
  for (const { peer } of peers) peer.hold(first.announcement);
  peers[draw(3)]!.peer.hold(...places[0]!.events);
  story.start();
  for (let fault = 0; fault < FAULTS; fault++) {
    TROUBLES[draw(TROUBLES.length)]!(story, peers[draw(3)]!, draw);
    if (draw(8) === 0) {
      const only = peers[draw(3)]!;
      const { address } = await story.repo(`r${fault}`, { relays: [only.url] });
      places.push({ address, peers: [only], events: [] });
    }
    const place = places[draw(places.length)]!;
    const roots = place.events.filter(({ kind }) => kind === ISSUE);
    const root = draw(2) === 0 ? roots[draw(roots.length || 1)] : undefined;
    const event = root
      ? comment(stranger, root, story.seconds)
      : issue(stranger, place.address, story.seconds);
    place.events.push(event);
    place.peers[draw(place.peers.length)]!.peer.publish(event);
    await story.clock.advance(draw(90) * 1_000 + draw(1_000));
    checkGauges(story);
  }
  peers.forEach(heal);
  await story.arrive(places.flatMap(({ events }) => events), 3 * DAY_MS);
  for (const peer of peers) await story.connected(peer, 2 * DAY_MS);
}

for (let seed = 1; seed <= SEEDS; seed++) {
  scenario(
    `S-105 faults drawn from seed ${seed} are outlived: every event arrives, every gauge is right`,
    (story) => survive(story, seed),
    {
      seed,
      mayVanish: () => true,
    },
  );
}
