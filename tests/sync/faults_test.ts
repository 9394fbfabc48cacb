import { uniform } from "../../lib/world/mod.ts";
import assert from "node:assert/strict";
import type { HistoryRule } from "./scripted_link.ts";
import { announcement, ref, type Rig, rig, seededRandom } from "./support.ts";

const RELAYS = Array.from({ length: 6 }, (_, index) => `wss://r${index}.example`);
const LIVE = ["Syncing", "Connected", "ConnectedDegraded"];
const random = seededRandom(105);

function pick<T>(list: readonly T[]): T {
  return list[Math.floor(uniform(random, 0, list.length))]!;
}

/** Does one thing that goes wrong, or stops going wrong. */
async function fault({ world, store, clock, turn }: Rig, step: number): Promise<void> {
  const peer = world.peer(pick(RELAYS));
  const link = peer.links.at(-1);
  switch (Math.floor(uniform(random, 0, 9))) {
    case 0:
    case 1:
      link?.end(pick(["lost", "silent", "overload"]));
      break;
    case 2:
      peer.dial = pick(["ok", "ok", "hang", "network", "timeout", "dns"]);
      break;
    case 3:
      peer.rule = ((rule: HistoryRule) => () => rule)(pick(["wait", "complete", "failed"]));
      break;
    case 4:
      link?.open.forEach((history) => history.end(pick(["complete", "failed"])));
      break;
    case 5:
      link?.slowDown();
      break;
    case 6:
      if (link) link.closesPolitely = pick([true, false]);
      break;
    case 7:
      await store.commit({
        insertEvents: [{
          event: announcement(1 + step % 7, "foo", RELAYS.filter(() => pick([true, false])), {
            created_at: 1_700_000_000 + step,
          }),
        }],
      });
      break;
    case 8:
      await clock.advance(uniform(random, 0, 20_000));
  }
  await clock.advance(uniform(random, 0, 2_000));
  await turn();
}

/** What holds at every moment. */
function check({ sync, world }: Rig): void {
  const { relays, repos } = sync.snapshot();
  let connected = 0;
  for (const relay of relays.values()) {
    const isLive = LIVE.includes(relay.status);
    if (isLive) connected++;
    const open = world.peer(relay.url).links.filter((link) => !link.isClosed).length;
    if (isLive) assert.equal(open, 1, `${relay.url} ${relay.status}: one socket`);
    else assert.equal(relay.batches.length, 0, `${relay.url} ${relay.status}: nothing pending`);
    for (const { items } of relay.batches) {
      for (const [name, level] of items.repos) {
        assert.notEqual(relay.confirmed.repos.get(name), level, "S-9: pending and confirmed at one level");
      }
    }
    for (const name of relay.confirmed.repos.keys()) assert.ok(repos.has(name));
    for (const name of relay.incomplete.repos.keys()) assert.ok(relay.confirmed.repos.has(name));
  }
  const gauges = sync.relayGauges().filter(({ connection }) => connection >= 2 && connection <= 4);
  assert.equal(gauges.length, connected);
}

Deno.test("S-105 S-9 S-16 the indexes agree with the sockets through 1 000 random faults, and all heals", async () => {
  await rig(async (bench) => {
    for (let step = 0; step < 1_000; step++) {
      await fault(bench, step);
      check(bench);
    }
    const { world, clock, sync, serve, turn } = bench;
    for (const peer of world.peers.values()) {
      peer.dial = "ok";
      peer.rule = () => "complete";
      peer.prepare = (link) => link.closesPolitely = true;
      peer.links.at(-1)?.open.forEach((history) => history.end("complete"));
    }
    await serve(announcement(50, "last", RELAYS));
    await clock.advance(3 * 3_600_000);
    await turn();
    check(bench);
    for (const url of RELAYS) {
      assert.equal(sync.snapshot().relays.get(url)?.status, "Connected", url);
      assert.equal(sync.snapshot().relays.get(url)?.confirmed.repos.get(ref(50, "last")), "Full");
    }
    assert.equal(world.liveLinks, RELAYS.length, "no socket is left over");
    assert.ok(!bench.log.records.some(({ level }) => level === "error"), "no event outside the table");
  }, {
    naughtyMs: 3_600_000,
    served: [announcement(1, "foo", RELAYS)],
    settings: { purgatoryTimerMs: 3_600_000, disconnectCheckMs: 60_000 },
  });
});
