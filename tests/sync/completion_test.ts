import assert from "node:assert/strict";
import { announcement, issue, ref, rig, type RigOptions, shorts } from "./support.ts";

const X = "wss://x.example";
const Y = "wss://y.example";
const FOO = announcement(1, "foo", [X]);
const MINUTE = 60_000;
/** Nothing else wakes while minutes pass. */
const QUIET: RigOptions["settings"] = { disconnectCheckMs: 3_600_000, purgatoryTimerMs: 3_600_000 };

Deno.test("S-84 a relay is Connected 6 s after its last batch, and not while there is another", async () => {
  await rig(async ({ clock, world, status, serve, turn }) => {
    const { link } = world.peer(X);
    await clock.advance(20_000);
    assert.equal(status(X), "Syncing");
    link.open.forEach((history) => history.end("complete"));
    await turn();
    await clock.advance(1_000);
    await serve(announcement(2, "bar", [X]));
    await clock.advance(4_900);
    await turn();
    assert.equal(link.open.length, 1, "a batch began during the wait");
    await clock.advance(30_000);
    assert.equal(status(X), "Syncing");
    link.open.forEach((history) => history.end("complete"));
    await turn();
    await clock.advance(5_999);
    await turn();
    assert.equal(status(X), "Syncing");
    await clock.advance(1);
    await turn();
    assert.equal(status(X), "Connected");
  }, { served: [FOO], settings: QUIET, world: (world) => world.peer(X).rule = () => "wait" });
});

Deno.test("S-85 a check begun before a reconnect does not complete the new connection", async () => {
  await rig(async ({ clock, world, status, turn }) => {
    await clock.advance(5_000);
    world.peer(X).rule = () => "wait";
    world.peer(X).link.end();
    await turn();
    await clock.advance(6_500);
    await turn();
    assert.equal(world.peer(X).links.length, 2);
    assert.equal(status(X), "Syncing");
    await clock.advance(60_000);
    assert.equal(status(X), "Syncing");
  }, { served: [FOO], settings: QUIET });
});

Deno.test("S-86 S-87 T9 a failed batch degrades, live goes on, the gap is fetched again by REQ, and success heals", async () => {
  await rig(async ({ clock, world, sync, status, relay, until, turn }) => {
    const peer = world.peer(X);
    await until(() => status(X) === "ConnectedDegraded");
    assert.equal(sync.relayGauges()[0]?.connection, 4);
    assert.equal(sync.relayGauges()[0]?.health, 1, "data has gaps, the relay is reliable");
    assert.equal(peer.link.live.length, 8);
    assert.deepEqual([...relay(X).confirmed.repos.keys()], [ref(1, "foo")], "confirmed, its history is not");
    assert.deepEqual([...relay(X).incomplete.repos], [[ref(1, "foo"), "Full"]]);
    assert.equal(relay(X).incomplete.roots.size, 0, "only what failed is missing");
    const before = peer.link.histories.length;
    peer.rule = () => "wait";
    await clock.advance(9 * MINUTE);
    assert.equal(peer.link.histories.length, before);
    await clock.advance(2 * MINUTE);
    await turn();
    assert.equal(status(X), "Syncing");
    const [repair] = peer.link.open;
    assert.deepEqual(shorts(repair!.request.filters), ["A:1:foo", "a:1:foo", "d:foo", "q:1:foo"]);
    assert.equal(repair!.request.allowNegentropy, false);
    assert.equal(relay(X).batches[0]?.purpose, "repair");
    repair!.end("complete");
    await until(() => status(X) === "Connected");
    assert.equal(sync.relayGauges()[0]?.connection, 3);
    assert.equal(relay(X).incomplete.repos.size, 0);
    assert.equal(relay(X).hadFailures, false);
  }, {
    served: [FOO, issue(1, "foo")],
    settings: QUIET,
    world: (world) => {
      const peer = world.peer(X);
      peer.onHistory = (request) => {
        if (request.filters.length !== 7) return;
        queueMicrotask(() => peer.link.histories.at(-1)!.end("failed", request.filters.slice(0, 4)));
      };
      peer.rule = ({ filters }) => filters.length === 7 ? "wait" : "complete";
    },
  });
});

Deno.test("6.5 repairs come after 10, 20, 40 ... minutes, at most 6 hours apart", async () => {
  await rig(async ({ clock, world, until, status }) => {
    const peer = world.peer(X);
    await until(() => status(X) === "ConnectedDegraded");
    const times: number[] = [clock.monotonic()];
    peer.onHistory = () => times.push(clock.monotonic());
    await clock.advance(30 * 3_600_000);
    const gaps = times.slice(1).map((time, index) => Math.round((time - times[index]!) / MINUTE));
    assert.deepEqual(gaps.slice(0, 7), [10, 20, 40, 80, 160, 320, 360]);
    assert.ok(gaps.slice(7).every((gap) => gap === 360), `${gaps}`);
  }, {
    served: [FOO],
    settings: { ...QUIET, dailyMinMs: 100 * 3_600_000, dailyMaxMs: 101 * 3_600_000 },
    world: (world) => world.peer(X).rule = ({ filters }) => filters.length === 1 ? "complete" : "failed",
  });
});

Deno.test("T10 a batch that fails after completion degrades at once, and layer 1 is repaired too", async () => {
  await rig(async ({ clock, world, serve, status, relay, until, turn }) => {
    const peer = world.peer(X);
    await until(() => status(X) === "Connected");
    peer.rule = () => "failed";
    await serve(announcement(2, "bar", [X]));
    await clock.advance(5_000);
    await turn();
    assert.equal(status(X), "ConnectedDegraded");
    assert.deepEqual([...relay(X).incomplete.repos.keys()], [ref(2, "bar")]);
    peer.link.end();
    await until(() => status(X) === "ConnectedDegraded");
    assert.equal(relay(X).announcementsSynced, false);
    peer.rule = () => "complete";
    const before = peer.link.histories.length;
    await clock.advance(11 * MINUTE);
    await until(() => status(X) === "Connected");
    const repaired = peer.link.histories.slice(before).flatMap(({ request }) => request.filters);
    assert.deepEqual(
      shorts(repaired),
      ["A:1:foo+2:bar", "a:1:foo+2:bar", "ann", "d:bar+foo", "q:1:foo+2:bar"],
    );
    assert.equal(relay(X).announcementsSynced, true);
  }, { served: [FOO], settings: QUIET });
});

Deno.test("3.3 after a cut, gaps are fetched whole and everything else from since on", async () => {
  await rig(async ({ clock, world, status, relay, until, turn }) => {
    const peer = world.peer(X);
    await until(() => status(X) === "ConnectedDegraded");
    peer.onHistory = undefined;
    peer.rule = () => "complete";
    peer.link.end();
    await turn();
    await clock.advance(10_000);
    await turn();
    const history = peer.link.histories.flatMap(({ request }) => request.filters);
    const whole = history.filter(({ since }) => since === undefined);
    assert.deepEqual(shorts(whole), ["A:1:foo", "a:1:foo", "d:foo", "q:1:foo"]);
    assert.deepEqual(history.filter(({ since }) => since !== undefined).length, 1 + 4);
    await until(() => status(X) === "Connected");
    assert.equal(relay(X).incomplete.repos.size, 0);
  }, {
    served: [FOO, announcement(2, "bar", [X])],
    settings: QUIET,
    world: (world) => {
      const peer = world.peer(X);
      peer.onHistory = (request) => {
        if (request.filters.length !== 4) return;
        const foo = request.filters.map((filter) => ({
          ...filter,
          tags: new Map(
            [...filter.tags].map(([name, values]) => [name, values.filter((one) => one.includes("foo"))]),
          ),
        }));
        queueMicrotask(() => peer.link.histories.at(-1)!.end("failed", foo));
      };
      peer.rule = ({ filters }) => filters.length === 4 ? "wait" : "complete";
    },
  });
});

Deno.test("S-70 S-71 in a cooldown nothing new is opened and other relays go on; afterwards work resumes by itself", async () => {
  await rig(async ({ clock, world, sync, serve, status, until, turn }) => {
    await until(() => status(X) === "Connected" && status(Y) === "Connected");
    const { link } = world.peer(X);
    link.slowDown();
    await turn();
    assert.equal(link.heldUntil, clock.monotonic() + 65_000);
    assert.deepEqual(sync.relayGauges().map(({ health }) => health), [5, 1]);
    await serve(announcement(2, "bar", [X, Y]));
    const calls = link.calls.length;
    await clock.advance(60_000);
    await turn();
    assert.equal(link.calls.length, calls);
    assert.ok(shorts(world.peer(Y).link.live).includes("d:bar"));
    await clock.advance(5_000);
    await turn();
    assert.deepEqual(link.calls.slice(calls).map(({ op }) => op), ["live", "history"]);
    assert.equal(sync.relayGauges()[0]?.health, 1);
  }, { served: [announcement(1, "foo", [X, Y])] });
});

Deno.test("S-71 a cooldown survives the loss of the connection", async () => {
  await rig(async ({ clock, world, status, until, turn }) => {
    await until(() => status(X) === "Connected");
    world.peer(X).link.slowDown();
    world.peer(X).link.end();
    await turn();
    await clock.advance(64_000);
    await turn();
    assert.equal(world.peer(X).dials, 1);
    await clock.advance(1_100);
    await turn();
    assert.equal(world.peer(X).dials, 2);
  }, { served: [FOO] });
});

Deno.test("S-40 a daily run or repair that falls into a cooldown is put off until it is over", async () => {
  await rig(async ({ clock, world, status, until, turn }) => {
    const peer = world.peer(X);
    await until(() => status(X) === "ConnectedDegraded");
    const before = peer.link.histories.length;
    await clock.advance(10 * MINUTE - 10_000);
    peer.link.slowDown();
    await clock.advance(60_000);
    await turn();
    assert.equal(peer.link.histories.length, before);
    await clock.advance(6_000);
    await turn();
    assert.ok(peer.link.histories.length > before);
  }, {
    served: [FOO],
    settings: QUIET,
    world: (world) => world.peer(X).rule = ({ filters }) => filters.length === 1 ? "complete" : "failed",
  });
});

Deno.test("S-94 wanted states are asked for at once on the live relays of the repository, once a minute", async () => {
  await rig(async ({ clock, world, sync, status, relay, until, turn }) => {
    await until(() => status(X) === "Connected" && status(Y) === "Connected");
    const { link } = world.peer(X);
    const before = link.histories.length;
    const want = { kind: 30618, authors: ["bb", "aa"], identifier: "foo" } as const;
    sync.fetchWanted(want);
    sync.fetchWanted(want);
    sync.fetchWanted({ ...want, authors: ["aa", "cc"] });
    sync.fetchWanted({ ...want, identifier: "unknown" });
    assert.deepEqual(link.histories.slice(before).map(({ request }) => request.filters), [
      [{ kinds: [30618], authors: ["aa", "bb"], tags: new Map([["d", ["foo"]]]) }],
      [{ kinds: [30618], authors: ["cc"], tags: new Map([["d", ["foo"]]]) }],
    ]);
    assert.ok(link.histories.at(-1)!.request.allowNegentropy === false);
    assert.equal(world.peer(Y).link.histories.length, 2, "it lists another repository");
    await clock.advance(61_000);
    world.peer(X).rule = () => "failed";
    sync.fetchWanted(want);
    await turn();
    assert.equal(link.histories.length, before + 3);
    assert.equal(status(X), "Connected", "its failure says nothing about the relay");
    assert.equal(relay(X).batches.length, 0);
  }, { served: [FOO, announcement(2, "bar", [Y])] });
});

Deno.test("S-94 a wanted announcement is asked for on every live relay: any of them may have brought it", async () => {
  await rig(async ({ world, sync, status, until }) => {
    await until(() => status(X) === "Connected" && status(Y) === "Connected");
    const asked = (url: string) =>
      world.peer(url).link.histories.slice(2).map(({ request }) => request.filters);
    sync.fetchWanted({ kind: 30617, authors: ["aa"], identifier: "unknown" });
    const expected = [[{ kinds: [30617], authors: ["aa"], tags: new Map([["d", ["unknown"]]]) }]];
    assert.deepEqual([asked(X), asked(Y)], [expected, expected]);
  }, { served: [FOO, announcement(2, "bar", [Y])] });
});
