import assert from "node:assert/strict";
import type { Filter } from "../../lib/nostr/mod.ts";
import { event, key, NOW, NOW_MS } from "../store/fixtures.ts";
import { VirtualClock } from "../support/virtual_clock.ts";
import type { ScriptedLink } from "./scripted_link.ts";
import { announcement, issue, ref, type Rig, rig, short, shorts } from "./support.ts";

const X = "wss://x.example";
const FOO = announcement(1, "foo", [X]);
const ISSUE = issue(1, "foo");
const FOO_FILTERS = ["A:1:foo", "a:1:foo", "d:foo", "q:1:foo"];
const ISSUE_FILTERS = ["E", "e", "q"].map((name) => `${name}:${ISSUE.id}`);

/** Connected for `upMs`, then cut; the peer is back at the next retry. */
async function cut({ clock, world, until, status, turn }: Rig, upMs: number): Promise<number> {
  await until(() => status(X) === "Connected");
  await clock.advance(upMs);
  const lastFrameAt = world.peer(X).link.lastFrameAt = clock.now() - 10_000;
  world.peer(X).link.end();
  await turn();
  assert.equal(status(X), "Disconnected");
  await clock.advance(10_000);
  await turn();
  return lastFrameAt;
}

/** Draws the middle of every range: delays are exact. */
const MIDDLE = { bytes: () => new Uint8Array([0x80, 0, 0, 0]) };

function historyOf(link: ScriptedLink): Filter[] {
  return link.histories.flatMap(({ request }) => request.filters);
}

Deno.test("S-28 S-30 S-32 scenario S04: a short cut after hours is caught up from the last frame, in all layers", async () => {
  await rig(async (bench) => {
    const since = Math.floor(await cut(bench, 2 * 3_600_000) / 1000) - 900;
    const { link } = bench.world.peer(X);
    const caughtUp = ["ann", ...FOO_FILTERS, ...ISSUE_FILTERS].map((text) => `${text} since ${since}`);
    assert.deepEqual(shorts(historyOf(link)), caughtUp.sort());
    assert.deepEqual(shorts(link.live), ["ann", ...FOO_FILTERS, ...ISSUE_FILTERS].sort());
    assert.equal(bench.relay(X).confirmed.repos.size, 1, "what was confirmed stays confirmed");
    await bench.until(() => bench.status(X) === "Connected");
  }, { served: [FOO, ISSUE], settings: { disconnectCheckMs: 600_000, purgatoryTimerMs: 600_000 } });
});

for (const [gapMs, expected] of [[900_000, "quick"], [901_000, "fresh"]] as const) {
  Deno.test(`S-28 S-29 scenarios S02 S03: a gap of ${gapMs} ms is ${expected}`, async () => {
    await rig(async ({ clock, world, until, status, turn }) => {
      const peer = world.peer(X);
      await until(() => status(X) === "Connected");
      peer.link.end();
      const frameAt = peer.link.lastFrameAt;
      await clock.advance(gapMs);
      await turn();
      assert.equal(peer.links.length, 2);
      const sinces = historyOf(peer.link).map(({ since }) => since);
      if (expected === "fresh") assert.ok(sinces.every((since) => since === undefined));
      else assert.ok(sinces.every((since) => since === Math.floor(frameAt / 1000) - 900));
    }, {
      served: [FOO],
      parts: { random: MIDDLE },
      settings: { baseBackoffMs: gapMs, connectTimeoutMs: 5_000 },
    });
  });
}

Deno.test("S-29 scenario S60: a wall clock set back or ahead during the cut changes no strategy, since is never ahead", async () => {
  for (const jump of [-3_600_000, 3_600_000]) {
    await rig(async ({ clock, world, until, status, turn }) => {
      await until(() => status(X) === "Connected");
      world.peer(X).link.end();
      clock.jump(jump);
      await clock.advance(10_000);
      await turn();
      const history = historyOf(world.peer(X).link);
      assert.ok(history.length > 0);
      for (const { since } of history) assert.ok(since !== undefined && since <= clock.now() / 1000 - 900);
    }, { served: [FOO] });
  }
});

Deno.test("S-29 a catch-up that was cut off begins again where the first one began", async () => {
  await rig(async (bench) => {
    const since = Math.floor(await cut(bench, 3_600_000) / 1000) - 900;
    const peer = bench.world.peer(X);
    for (let count = 0; count < 2; count++) {
      await bench.clock.advance(3_600_000);
      assert.equal(bench.status(X), "Syncing");
      peer.link.lastFrameAt = bench.clock.now();
      if (count === 1) peer.rule = () => "complete";
      const links = peer.links.length;
      peer.link.end();
      await bench.clock.advance(30_000);
      await bench.turn();
      assert.equal(peer.links.length, links + 1);
      assert.deepEqual([...new Set(historyOf(peer.link).map((filter) => filter.since))], [since]);
    }
    await bench.until(() => bench.status(X) === "Connected");
    const later = Math.floor(await cut(bench, 3_600_000) / 1000) - 900;
    assert.deepEqual([...new Set(historyOf(peer.link).map((filter) => filter.since))], [later]);
  }, {
    served: [FOO],
    world: (world) => {
      const peer = world.peer(X);
      peer.rule = () => peer.links.length > 1 ? "wait" : "complete";
    },
    settings: { disconnectCheckMs: 600_000, purgatoryTimerMs: 600_000 },
  });
});

Deno.test("S-31 S-33 scenario S05: a cut during layer 1 asks for it again without since, and for what was pending in full", async () => {
  await rig(async ({ clock, world, until, status, relay, turn }) => {
    const peer = world.peer(X);
    await until(() => status(X) === "Syncing");
    peer.link.end();
    peer.rule = () => "complete";
    await clock.advance(10_000);
    await turn();
    assert.deepEqual(shorts(historyOf(peer.link)), ["ann", ...FOO_FILTERS].sort());
    await until(() => status(X) === "Connected");
    assert.equal(relay(X).announcementsSynced, true);
  }, { served: [FOO], world: (world) => world.peer(X).rule = () => "wait" });
});

Deno.test("3.3 what was learned during the cut is fetched without since", async () => {
  await rig(async ({ clock, world, until, status, serve, turn }) => {
    await until(() => status(X) === "Connected");
    const peer = world.peer(X);
    peer.dial = "network";
    peer.link.end();
    await serve(announcement(2, "bar", [X]));
    peer.dial = "ok";
    await clock.advance(30_000);
    await turn();
    const whole = historyOf(peer.link).filter(({ since }) => since === undefined);
    assert.deepEqual(shorts(whole), ["A:2:bar", "a:2:bar", "d:bar", "q:2:bar"]);
    assert.deepEqual(peer.link.live.map(short).filter((text) => text.includes("bar")).length, 4);
  }, { served: [FOO] });
});

Deno.test("S-34 S-4 a repository in purgatory gets its states only, on every path; promotion adds the rest", async () => {
  const held = announcement(2, "held", [X]);
  await rig(async ({ clock, world, store, until, status, sync, turn }) => {
    const peer = world.peer(X);
    const onlyStates = () => {
      const about = [...peer.link.live, ...historyOf(peer.link)].map(short).filter((text) =>
        text.includes("held")
      );
      assert.ok(about.length > 0 && about.every((text) => text.startsWith("d:held")), `${about}`);
    };
    await until(() => status(X) === "Connected");
    onlyStates();
    peer.link.end();
    await until(() => status(X) === "Connected");
    onlyStates();
    const calls = peer.link.calls.length;
    await store.commit({
      removeAnnouncements: [{ owner: key(2), identifier: "held" }],
      insertEvents: [{ event: held }],
    });
    await clock.advance(5_000);
    await turn();
    const opened = peer.link.calls.slice(calls);
    assert.deepEqual(opened.map(({ op, filters }) => [op, ...shorts(filters)]), [
      ["live", "A:2:held", "a:2:held", "q:2:held"],
      ["history", "A:2:held", "a:2:held", "q:2:held"],
    ]);
    await until(() => sync.snapshot().relays.get(X)?.confirmed.repos.get(ref(2, "held")) === "Full");
  }, { waiting: [held] });
});

/** A settled relay whose link counts `open` subscriptions, and one repository (4 filters) more. */
async function withOpen(
  open: number,
  play: (bench: Rig, link: ScriptedLink) => Promise<void>,
): Promise<void> {
  await rig(async (bench) => {
    await bench.until(() => bench.status(X) === "Connected");
    const { link } = bench.world.peer(X);
    link.extraSubscriptions = open - link.live.length;
    await play(bench, link);
  }, { served: [FOO, ISSUE] });
}

Deno.test("S-35 70 open plus new subscriptions do not consolidate, 71 do", async () => {
  for (const [open, consolidated] of [[66, false], [67, true]] as const) {
    await withOpen(open, async ({ clock, serve, metrics, turn }, link) => {
      const calls = link.calls.length;
      await serve(announcement(2, "bar", [X]));
      await clock.advance(5_000);
      await turn();
      assert.equal(metrics.of("consolidation done"), consolidated ? 1 : 0);
      assert.equal(link.calls[calls]?.op, consolidated ? "replace" : "live");
      if (!consolidated) return;
      const since = link.histories.at(-3)!.request.filters[0]!.since!;
      assert.ok(Math.abs(clock.now() / 1000 - 900 - since) <= 5);
      const replaced = [...FOO_FILTERS, ...ISSUE_FILTERS];
      const added = ["A:2:bar", "a:2:bar", "d:bar", "q:2:bar"];
      assert.deepEqual(shorts(link.live), ["ann", ...replaced, ...added].sort());
      const history = link.calls.slice(calls).filter(({ op }) => op === "history").flatMap(({ filters }) =>
        filters
      );
      assert.deepEqual(
        shorts(history),
        [...["ann", ...replaced].map((text) => `${text} since ${since}`), ...added].sort(),
        "S-38: what is published between closing and opening comes by history",
      );
    });
  }
});

Deno.test("S-36 S-37 S-38 consolidation waits for history under way, at most 30 s, then opens anyway", async () => {
  for (const endsAfterMs of [24_000, undefined]) {
    await withOpen(40, async ({ clock, world, serve, metrics, sync, turn }, link) => {
      world.peer(X).rule = () => "wait";
      await serve(announcement(2, "bar", [X]));
      await clock.advance(5_000);
      await turn();
      link.extraSubscriptions += 30;
      const calls = link.calls.length;
      await serve(announcement(3, "baz", [X]), announcement(4, "qux", [X]));
      await clock.advance(5_000);
      await turn();
      assert.equal(link.calls.length, calls, "the new filters wait");
      if (endsAfterMs === undefined) {
        await clock.advance(30_000);
        await turn();
        assert.equal(metrics.of("consolidation timeout"), 1);
        assert.deepEqual(link.calls.slice(calls).map(({ op }) => op), ["live", "history"]);
        return;
      }
      await clock.advance(endsAfterMs);
      link.open.forEach((history) => history.end("complete"));
      await turn();
      assert.equal(metrics.of("consolidation done"), 1);
      assert.equal(metrics.of("consolidation timeout"), 0);
      assert.deepEqual(link.calls.slice(calls).map(({ op }) => op), [
        "replace",
        "history",
        "history",
        "history",
      ]);
      assert.ok(shorts(link.live).includes("d:bar+foo"));
      assert.ok(
        [...sync.snapshot().relays.get(X)!.batches].some(({ items }) => items.repos.has(ref(4, "qux"))),
      );
    });
  }
});

Deno.test("S-35 a link that packs many filters into few subscriptions is consolidated by its filters", async () => {
  await withOpen(0, async ({ clock, serve, metrics, turn }, link) => {
    link.extraSubscriptions = -1_000;
    assert.equal(link.live.length, 8);
    for (let count = 0; count < 15; count++) {
      await serve(announcement(2, `r${count}`, [X]));
      await clock.advance(5_000);
      await turn();
    }
    assert.equal(metrics.of("consolidation done"), 0, "68 filters");
    await serve(announcement(2, "last", [X]));
    await clock.advance(5_000);
    await turn();
    assert.equal(metrics.of("consolidation done"), 1, "72 filters");
    assert.equal(link.live.length, 8 + 4, "merged, and those that led to it");
  });
});

Deno.test("3.4 there is at most one consolidation a minute, and none that loops", async () => {
  await withOpen(70, async ({ clock, serve, metrics, turn }) => {
    for (let count = 0; count < 24; count++) {
      await serve(announcement(2, `r${count}`, [X]));
      await clock.advance(5_000);
      await turn();
    }
    assert.equal(metrics.of("consolidation done"), 2);
  });
});

Deno.test("S-39 S-40 S-41 once a day every relay is read again on its live socket, and none is dropped", async () => {
  const relays = [X, "wss://y.example", "wss://z.example"];
  await rig(async ({ clock, world, sync, metrics, until, status, turn }) => {
    await until(() => relays.every((url) => status(url) === "Connected"));
    const completedAt = sync.snapshot().relays.get(X)!.completedAt!;
    for (const url of relays) world.peer(url).rule = () => "wait";
    const histories = () => relays.map((url) => world.peer(url).link.histories.length);
    await clock.advance(23 * 3_600_000 - clock.monotonic());
    assert.deepEqual(histories(), [2, 2, 2]);
    await clock.advance(2 * 3_600_000 + 1_800_000);
    await turn();
    const syncing = () => relays.filter((url) => status(url) === "Syncing");
    assert.equal(syncing().length, 2, "two at once");
    for (const url of syncing()) {
      const { link } = world.peer(url);
      assert.deepEqual(link.calls.at(-3)?.op, "replace", "new live subscriptions first");
      assert.deepEqual(shorts(historyOf(link).slice(-5)), ["ann", ...FOO_FILTERS].sort(), "no since");
      assert.deepEqual(shorts(link.live), ["ann", ...FOO_FILTERS].sort());
    }
    for (const url of relays) {
      world.peer(url).rule = () => "complete";
      world.peer(url).link.open.forEach((history) => history.end("complete"));
    }
    await clock.advance(1_860_000);
    await turn();
    assert.deepEqual(relays.map(status), ["Connected", "Connected", "Connected"]);
    assert.ok(sync.snapshot().relays.get(X)!.completedAt! > completedAt);
    for (const url of relays) {
      assert.equal(world.peer(url).dials, 1);
      assert.equal(metrics.of(`attempt success ${url}`), 1);
      assert.equal(sync.snapshot().relays.get(url)!.health, "Healthy");
      assert.equal(sync.snapshot().relays.get(url)!.memory.negentropy, "unknown");
    }
  }, {
    served: [announcement(1, "foo", relays)],
    settings: { disconnectCheckMs: 1_800_000, purgatoryTimerMs: 1_800_000 },
  });
});

Deno.test("S-39 daily delays lie between 23 h and 25 h and differ", async () => {
  const { DailyReconcile } = await import("../../lib/sync/daily.ts");
  const { seededRandom, SETTINGS } = await import("./support.ts");
  const slept: number[] = [];
  const clock = {
    now: () => 0,
    monotonic: () => 0,
    sleep: (ms: number) => {
      slept.push(ms);
      return slept.length < 50 ? Promise.resolve() : new Promise<void>(() => {});
    },
  };
  const daily = new DailyReconcile({
    clock,
    random: seededRandom(7),
    settings: SETTINGS,
    relays: () => [],
    resync: () => false,
    isSyncing: () => false,
    finished: () => {},
  });
  daily.start();
  await new Promise((resolve) => setTimeout(resolve, 0));
  assert.equal(slept.length, 50);
  assert.ok(slept.every((ms) => ms >= 23 * 3_600_000 && ms < 25 * 3_600_000));
  assert.ok(new Set(slept).size > 40);
  daily.stop();
});

Deno.test("S-39 a daily run is over when every relay has been read again, two at a time", async () => {
  const { DailyReconcile } = await import("../../lib/sync/daily.ts");
  const { seededRandom, SETTINGS } = await import("./support.ts");
  const clock = new VirtualClock();
  const syncing = new Set<string>();
  const started: string[] = [];
  const runs: number[] = [];
  const daily = new DailyReconcile({
    clock,
    random: seededRandom(7),
    settings: SETTINGS,
    relays: () => ["wss://a", "wss://b", "wss://c", "wss://gone"],
    resync: (url) => {
      started.push(url);
      if (url !== "wss://gone") syncing.add(url);
      return url !== "wss://gone";
    },
    isSyncing: (url) => syncing.has(url),
    finished: (seconds) => runs.push(seconds),
  });
  daily.start();
  await clock.advance(SETTINGS.dailyMaxMs + SETTINGS.dailySpreadMs);
  for (let round = 0; round < 3; round++) {
    assert.deepEqual([syncing.size > 0 && syncing.size <= 2, runs.length], [true, 0]);
    const [url] = syncing;
    syncing.delete(url!);
    daily.update();
    await clock.advance(0);
  }
  assert.equal(new Set(started).size, 4);
  assert.equal(runs.length, 1);
  assert.ok(runs[0]! > 0 && runs[0]! <= (2 * SETTINGS.dailySpreadMs + SETTINGS.dailyMaxMs) / 1000);
  daily.stop();
});

Deno.test("3.1 an event back-dated beyond the overlap is outside every catch-up, by design", () => {
  const since = NOW - 900;
  const backDated = event({ created_at: NOW - 86_400 });
  assert.ok(backDated.created_at < since, "the daily reconcile, which has no since, finds it");
  assert.equal(NOW_MS, NOW * 1000);
});
