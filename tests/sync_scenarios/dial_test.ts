import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import type { NetworkFault } from "../../lib/world/mod.ts";
import { announcement, Author, issue } from "../support/sync_events.ts";
import { scenario, type Status, type Story } from "./support.ts";

/** Lengths between neighbours. */
function gaps(times: readonly number[]): number[] {
  return times.slice(1).map((time, index) => time - times[index]!);
}

scenario(
  "S-99 S-100 scenario S15: a peer that drops after 2 s is redialled ever more slowly, until it was stable for 300 s",
  async (story) => {
    const flapping = story.peer("flapping");
    await story.repo("alpha", { relays: [flapping.url] });
    flapping.peer.quirks = { closesAfterMs: 2_000 };
    story.start();
    await story.until("eight dials", () => story.network.dials(flapping.url).length === 8, 3_600_000);
    for (const [index, gap] of gaps(story.network.dials(flapping.url)).entries()) {
      const delay = gap - 2_000;
      const expected = 5_000 * 2 ** index;
      ok(delay >= expected * 0.79 && delay <= expected * 1.21 + 500, `gap ${index}: ${delay}`);
    }
    flapping.peer.quirks = {};
    await story.connected(flapping, 1_000_000);
    const failures = () => story.engine.relayGauges().find(({ relay }) => relay === flapping.url)!.failures;
    ok(failures() >= 7);
    await story.clock.advance(310_000);
    strictEqual(failures(), 0);
  },
);

const FAILURE = { fault: "network", text: "Connection refused (os error 111)" } as const;

/** A relay that comes up after 10 min; returns the statuses it went through. */
async function lateRelay(story: Story, name: string): Promise<Set<Status>> {
  const late = story.peer(name);
  const repo = await story.repo("alpha", { relays: name === "bootstrap" ? [] : [late.url] });
  late.road.failure = FAILURE;
  const seen = new Set<Status>();
  const author = new Author();
  const other = announcement(author, "beta", { relays: [late.url] });
  const root = issue(author, repo.address);
  late.peer.hold(other, root);
  story.start();
  await story.until("10 minutes passed", () => {
    seen.add(story.status(late));
    return story.clock.monotonic() >= 600_000;
  }, 700_000);
  ok(story.network.dials(late.url).length >= 6);
  late.road.failure = undefined;
  await story.connected(late, 1_000_000);
  for (const { filter } of late.log.historic()) strictEqual(filter.since, undefined);
  await story.held(other);
  if (name !== "bootstrap") ok(await story.has(root));
  return seen;
}

scenario(
  "S-16 S-17 S-27 scenario S16: a bootstrap relay that is unreachable at first is retried, then freshly started",
  async (story) => {
    const seen = await lateRelay(story, "bootstrap");
    ok(!seen.has("None") && !seen.has("Disconnecting"), [...seen].join());
  },
  { settings: { bootstrapRelays: ["wss://bootstrap.example"] } },
);

scenario(
  "S-16 S-27 scenario S17: a discovered relay that is unreachable at first is retried and never stuck",
  async (story) => {
    const seen = await lateRelay(story, "discovered");
    ok(!seen.has("Disconnecting"), [...seen].join());
  },
);

const FAULTS: readonly (readonly [string, NetworkFault, string, string | undefined])[] = [
  ["dns", "dns", "getaddrinfo ENOTFOUND nowhere.example", "dns_lookup_failed"],
  ["expired", "tls", "certificate has expired", "tls_certificate_invalid"],
  ["selfsigned", "tls", "self-signed certificate", "tls_certificate_invalid"],
  ["wronghost", "tls", "Hostname/IP does not match certificate's altnames", "tls_certificate_invalid"],
  ["page", "protocol", "Unexpected server response: 200 instead of a websocket", "protocol_error"],
  ["refused", "network", "connect ECONNREFUSED 192.0.2.1:443", undefined],
];

scenario(
  "S-103 scenario S61: lasting faults are listed by category, held from the third on, and tried again after 12 h",
  async (story) => {
    const peers = FAULTS.map(([name, fault, text]) => {
      const peer = story.peer(name);
      peer.road.failure = { fault, text };
      return peer;
    });
    await story.repo("alpha", { relays: peers.map(({ url }) => url) });
    story.start();
    await story.clock.advance(6 * 3_600_000);
    const listed = story.engine.naughtyRelays();
    for (const [index, [name, , , category]] of FAULTS.entries()) {
      const { url } = peers[index]!;
      const dials = story.network.dials(url).length;
      const entry = listed.find(({ host }) => host.includes(name));
      strictEqual(entry?.category, category, name);
      if (category) strictEqual(dials, 3, `${name} is held`);
      else ok(dials > 10, `${name} is retried by backoff alone`);
    }
    for (const { road } of peers) road.failure = undefined;
    await story.clock.advance(6 * 3_600_000 + 60_000);
    for (const peer of peers) await story.connected(peer, 4_000_000);
    deepStrictEqual(story.engine.naughtyRelays(), []);
  },
);
