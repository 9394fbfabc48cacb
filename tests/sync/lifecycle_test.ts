import assert from "node:assert/strict";
import { NOW } from "../store/fixtures.ts";
import { announcement, ref, rig } from "./support.ts";

const B = "wss://bootstrap.example";
const X = "wss://x.example";
const Y = "wss://y.example";
const BOOTSTRAP = { bootstrapRelays: [B] };

Deno.test("S-27 S-43 S-88 a first connect is a fresh start: live before history, no since, Connected at the end", async () => {
  await rig(async ({ world, metrics, until, status, relay }) => {
    await until(() => status(X) === "Connected");
    const { calls } = world.peer(X).link;
    assert.deepEqual(calls.map(({ op, filters }) => `${op} ${filters.length}`), [
      "live 1",
      "history 1",
      "live 4",
      "history 4",
    ]);
    assert.ok(calls.every(({ filters }) => filters.every(({ since }) => since === undefined)));
    assert.deepEqual(relay(X).confirmed.repos, new Map([[ref(1, "foo"), "Full"]]));
    assert.equal(metrics.of(`attempt success ${X}`), 1);
    assert.equal(metrics.of("historic"), 1);
  }, { served: [announcement(1, "foo", [X])] });
});

Deno.test("S-88 a relay with nothing to fetch still becomes Connected", async () => {
  await rig(async ({ until, status }) => {
    await until(() => status(B) === "Connected");
  }, { settings: BOOTSTRAP });
});

Deno.test("S-10 a batch is registered before its first message", async () => {
  const registered: boolean[] = [];
  await rig(async ({ world, relay, sync, until, status, serve }) => {
    world.peer(X).onHistory = ({ progress }) => {
      registered.push(
        progress.outstandingSubs.size === 0 && sync.snapshot().relays.get(X)!.batches.length > 0,
      );
    };
    await serve(announcement(1, "foo", [X]));
    await until(() => status(X) === "Connected");
    assert.deepEqual(registered, [true, true]);
    assert.equal(relay(X).batches.length, 0);
  });
});

Deno.test("S-11 S-22 S-80 a relay named in many spellings is registered once and dialled once", async () => {
  const spellings = ["wss://X.example", "x.example/", "https://x.example:443", "wss://x.example./#f", X];
  await rig(async ({ world, sync, until, status, serve }) => {
    await until(() => status(X) === "Connected");
    await serve(announcement(2, "bar", spellings));
    await until(() => sync.snapshot().relays.get(X)!.confirmed.repos.size === 2);
    assert.equal(world.peer(X).dials, 1);
    assert.deepEqual(sync.relayGauges().map((gauges) => gauges.relay), [X]);
  }, { served: [announcement(1, "foo", spellings)] });
});

Deno.test("S-23 S-24 our own URL and forbidden addresses are never dialled; a sibling domain is", async () => {
  const own = ["wss://OWN.example", "wss://own.example:443/", "ws://own.example", "ws://127.0.0.1:7334"];
  const forbidden = ["ws://10.0.0.1", "wss://localhost", "wss://[::1]", "ws://169.254.169.254"];
  await rig(async ({ sync, world, hold, until, status, log }) => {
    await hold(announcement(2, "held", [...own, ...forbidden]));
    await until(() => status("wss://notown.example") === "Connected");
    assert.deepEqual([...sync.snapshot().relays.keys()], ["wss://notown.example"]);
    assert.deepEqual([...world.peers.keys()], ["wss://notown.example"]);
    assert.ok(log.records.some(({ message }) => message.includes("is this server itself")));
  }, {
    served: [announcement(1, "foo", [...own, ...forbidden, "wss://notown.example"])],
    settings: { bootstrapRelays: ["wss://own.example"] },
  });
});

Deno.test("S-13 S-21 S-30 each reconnect has its own session; late messages of the former change nothing", async () => {
  await rig(async ({ clock, world, relay, until, status, turn }) => {
    const peer = world.peer(X);
    await until(() => status(X) === "Syncing");
    const [old] = peer.links;
    const late = old!.open[0]!;
    await clock.advance(600_000);
    old!.dropHistory = () => {};
    old!.end();
    await turn();
    assert.equal(status(X), "Disconnected");
    assert.equal(relay(X).batches.length, 0);
    await until(() => status(X) === "Syncing");
    assert.equal(relay(X).epoch, 2);
    late.end("complete");
    old!.slowDown();
    old!.end();
    await turn();
    assert.equal(status(X), "Syncing");
    assert.equal(relay(X).confirmed.repos.size, 0);
    assert.equal(relay(X).health, "Degraded");
    assert.equal(peer.link.open.length, 1, "S-33: what was pending at the cut is asked for again");
    assert.ok(peer.link.open[0]!.request.filters.every(({ since }) => since === undefined));
  }, {
    served: [announcement(1, "foo", [X])],
    world: (world) => world.peer(X).rule = ({ filters }) => filters.length === 4 ? "wait" : "complete",
  });
});

Deno.test("S-14 a dial ends within the connect timeout even if nothing answers, and is tried again", async () => {
  await rig(async ({ clock, world, status, metrics, turn }) => {
    assert.equal(status(X), "Connecting");
    await clock.advance(5_000);
    await turn();
    assert.equal(status(X), "Disconnected");
    assert.equal(metrics.of(`attempt failure ${X}`), 1);
    world.peer(X).dial = "ok";
    await clock.advance(7_000);
    await turn();
    assert.equal(status(X), "Syncing");
  }, { served: [announcement(1, "foo", [X])], world: (world) => world.peer(X).dial = "hang" });
});

Deno.test("S-15 S-16 S-99 failing dials are repeated by backoff, to the moment, bootstrap or not", async () => {
  const settings = { ...BOOTSTRAP, connectTimeoutMs: 60_000 };
  await rig(async ({ clock, world, sync, turn }) => {
    for (const url of [B, X]) {
      const { dueAt, failures, health } = sync.snapshot().relays.get(url)!;
      assert.deepEqual([failures, health], [1, "Degraded"]);
      await clock.advance(dueAt - clock.monotonic() - 1);
      const before = world.peer(url).dials;
      await clock.advance(1);
      await turn();
      assert.equal(world.peer(url).dials, before + 1);
    }
    await clock.advance(3_600_000);
    await turn();
    for (const url of [B, X]) {
      const times = world.peer(url).dialTimes;
      const gaps = times.slice(1).map((time, index) => (time - times[index]!) / 1_000);
      gaps.forEach((gap, index) => {
        const exact = 5 * 2 ** index;
        assert.ok(gap >= exact * 0.8 && gap <= exact * 1.2, `${url}: ${gaps}`);
      });
      assert.ok(gaps.length >= 8);
    }
  }, {
    settings,
    served: [announcement(1, "foo", [X])],
    world: (world) => [B, X].forEach((url) => world.peer(url).dial = "network"),
  });
});

Deno.test("S-17 S-18 S-19 an unwanted relay goes after two checks, one still fetching or bootstrap does not", async () => {
  const doomed = announcement(1, "foo", [X, Y]);
  await rig(async ({ clock, world, store, status, until, turn }) => {
    world.peer(Y).rule = () => "wait";
    await until(() => status(X) === "Connected" && status(Y) === "Syncing" && status(B) === "Connected");
    world.peer(X).link.closesPolitely = false;
    await store.commit({ removeEvents: [doomed.id] });
    await clock.advance(5_000);
    const untilCheck = 60_000 - clock.monotonic() % 60_000;
    await clock.advance(untilCheck);
    await turn();
    assert.equal(status(X), "Connected", "one check is not enough");
    await clock.advance(60_000);
    await turn();
    assert.equal(status(X), "Disconnecting");
    await clock.advance(4_999);
    await turn();
    assert.equal(status(X), "Disconnecting");
    await clock.advance(1);
    await turn();
    assert.equal(status(X), undefined, "removed after 5 s although the socket hangs");
    assert.equal(status(Y), "Syncing", "it is still fetching");
    assert.equal(status(B), "Connected");
    world.peer(Y).link.open.forEach((history) => history.end("complete"));
    await clock.advance(200_000);
    await turn();
    assert.equal(status(Y), undefined);
    assert.equal(status(B), "Connected");
  }, {
    served: [doomed],
    settings: BOOTSTRAP,
    world: (world) => world.peer(Y).rule = () => "wait",
  });
});

Deno.test("S-19 a relay that never had a connection is removed at once", async () => {
  const doomed = announcement(1, "foo", [X, Y]);
  await rig(async ({ clock, store, status, turn }) => {
    assert.equal(status(X), "Disconnected");
    assert.equal(status(Y), "Connecting");
    await store.commit({ removeEvents: [doomed.id] });
    await clock.advance(180_000);
    await turn();
    assert.equal(status(X), undefined);
    assert.equal(status(Y), undefined);
  }, {
    served: [doomed],
    settings: { connectTimeoutMs: 3_600_000 },
    world: (world) => {
      world.peer(X).dial = "network";
      world.peer(Y).dial = "hang";
    },
  });
});

Deno.test("S-20 a relay wanted again while it disconnects is connected again without a new event", async () => {
  const first = announcement(1, "foo", [X]);
  await rig(async ({ clock, world, store, serve, status, until, turn }) => {
    await until(() => status(X) === "Connected");
    world.peer(X).prepare = (link) => link.closesPolitely = true;
    world.peer(X).link.closesPolitely = false;
    await store.commit({ removeEvents: [first.id] });
    for (let waited = 0; status(X) !== "Disconnecting" && waited < 300; waited++) await clock.advance(1_000);
    await serve(announcement(2, "bar", [X]));
    await clock.advance(10_000);
    await turn();
    assert.equal(world.peer(X).dials, 2);
    await until(() => status(X) === "Connected");
  }, { served: [first] });
});

Deno.test("S-26 hanging dials delay neither a connected relay nor the reconnect of one that is known", async () => {
  const hanging = Array.from({ length: 20 }, (_, index) => `wss://hang${index}.example`);
  await rig(async ({ clock, world, sync, serve, status, until, turn }) => {
    await until(() => status(X) === "Connected");
    world.peer(X).link.end();
    await clock.advance(3_900);
    await serve(...hanging.map((url, index) => announcement(2, `r${index}`, [url])));
    await clock.advance(100 + 5_000);
    await turn();
    assert.ok(sync.snapshot().dialsRunning <= 10);
    assert.notEqual(status(X), "Disconnected", "its dial did not wait for the others");
    assert.equal(world.peer(X).dials, 2);
    await until(() => status(X) === "Connected");
    await clock.advance(600_000);
    await turn();
    for (const url of hanging) assert.ok(world.peer(url).dials > 0, `${url} got its turn`);
  }, {
    served: [announcement(1, "foo", [X])],
    settings: { connectTimeoutMs: 60_000 },
    world: (world) => hanging.forEach((url) => world.peer(url).dial = "hang"),
  });
});

Deno.test("S-103 naughty relays are held from the third record, bootstrap ones for an hour; a success clears", async () => {
  await rig(async ({ clock, world, sync, turn, until, status }) => {
    await clock.advance(60_000);
    await turn();
    const dials = () => [B, X].map((url) => world.peer(url).dials);
    assert.deepEqual(dials(), [3, 3]);
    assert.deepEqual(sync.naughtyRelays().map(({ host, category, count }) => [host, category, count]), [
      [B, "tls_certificate_invalid", 3],
      [X, "tls_certificate_invalid", 3],
    ]);
    await clock.advance(3_600_000);
    await turn();
    assert.deepEqual(dials(), [4, 3]);
    await clock.advance(8 * 3_600_000);
    await turn();
    assert.equal(world.peer(X).dials, 3);
    for (const url of [B, X]) world.peer(url).dial = "ok";
    await clock.advance(3 * 3_600_000);
    await until(() => status(X) === "Connected" && status(B) === "Connected");
    assert.deepEqual(sync.naughtyRelays(), []);
  }, {
    served: [announcement(1, "foo", [X])],
    settings: BOOTSTRAP,
    world: (world) => [B, X].forEach((url) => world.peer(url).dial = "tls"),
  });
});

Deno.test("a relay the address guard refused is left alone for an hour", async () => {
  await rig(async ({ clock, world, turn }) => {
    await clock.advance(3_590_000);
    assert.equal(world.peer(X).dials, 1);
    await clock.advance(20_000);
    await turn();
    assert.equal(world.peer(X).dials, 2);
  }, { served: [announcement(1, "foo", [X])], world: (world) => world.peer(X).dial = "blocked" });
});

Deno.test("a connection that ends before it was taken over is a loss, and abuse makes naughty", async () => {
  await rig(async ({ world, sync, status, turn }) => {
    await turn();
    assert.equal(status(X), "Disconnected");
    assert.equal(sync.naughtyRelays()[0]?.category, "protocol_error");
    assert.equal(world.liveLinks, 0);
  }, {
    served: [announcement(1, "foo", [X])],
    world: (world) => world.peer(X).prepare = (link) => link.end("abuse"),
  });
});

Deno.test("most relays: bootstrap first, then those most repositories name; the rest waits for a place", async () => {
  const relays = ["wss://c.example", "wss://b.example", "wss://a.example"];
  const served = [
    announcement(1, "one", relays),
    announcement(1, "two", relays.slice(1)),
    announcement(1, "three", relays.slice(0, 1)),
    announcement(1, "four", relays.slice(0, 1)),
  ];
  await rig(async ({ clock, sync, store, log, turn }) => {
    assert.deepEqual([...sync.snapshot().relays.keys()], [B, "wss://c.example", "wss://a.example"]);
    assert.ok(log.records.some(({ message }) => message.includes("more relays are named")));
    await store.commit({ removeEvents: [served[0]!.id, served[2]!.id, served[3]!.id] });
    await clock.advance(200_000);
    await turn();
    assert.deepEqual([...sync.snapshot().relays.keys()].sort(), ["wss://a.example", "wss://b.example", B]);
  }, { served, settings: { ...BOOTSTRAP, maxRelays: 3 } });
});

Deno.test("S-108 stopping closes everything within 10 s, also what hangs", async () => {
  await rig(async ({ clock, world, sync, status, until }) => {
    await until(() => status(X) === "Connected" && status(B) === "Connected");
    world.peer(X).link.closesPolitely = false;
    let isStopped = false;
    const stopped = sync.stop().then(() => isStopped = true);
    assert.equal(status(B), undefined);
    await clock.advance(5_000);
    await stopped;
    assert.ok(isStopped);
    assert.equal(sync.snapshot().relays.size, 0);
    assert.equal(sync.snapshot().repos.size, 0);
  }, { served: [announcement(1, "foo", [X])], settings: BOOTSTRAP });
});

Deno.test("a bootstrap relay without anything for us leads to a hint", async () => {
  const hint = "is the domain or the relay wrong";
  await rig(async ({ log, until, status }) => {
    await until(() => status(B) === "Connected");
    assert.ok(log.records.some(({ message }) => message.includes(hint)));
  }, { settings: BOOTSTRAP });
  await rig(async ({ log, until, status }) => {
    await until(() => status(B) === "Connected");
    assert.ok(!log.records.some(({ message }) => message.includes(hint)));
  }, { settings: BOOTSTRAP, served: [announcement(1, "foo", [X])] });
});

Deno.test("S-18 however many relays leave at once, what is wanted is worked out once", async () => {
  const many = Array.from({ length: 19 }, (_, index) => `wss://r${index}.example`);
  let judged = 0;
  await rig(async ({ clock, until, status, serve, sync, turn }) => {
    await until(() => status(X) === "Connected");
    await serve(announcement(1, "foo", [X], { created_at: NOW + 1 }));
    await clock.advance(61_000);
    await turn();
    judged = 0;
    await until(({ relays }) => relays.size === 1);
    assert.ok(judged <= 2, `${judged} times`);
    assert.equal(sync.snapshot().relays.has(X), true);
  }, {
    served: [announcement(1, "foo", [X, ...many])],
    world: (world) => many.forEach((url) => world.peer(url).dial = "network"),
    parts: {
      literalProblem: (url) => {
        if (url === X) judged++;
        return undefined;
      },
    },
    settings: { purgatoryTimerMs: 600_000 },
  });
});
