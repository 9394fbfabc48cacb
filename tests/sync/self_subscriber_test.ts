import assert from "node:assert/strict";
import type { CommitListener } from "../../lib/store/mod.ts";
import { announcement, issue, ref, rig, shorts } from "./support.ts";

const X = "wss://x.example";
const FOO = announcement(1, "foo", [X]);

Deno.test("S-75 a steady stream of events still leads to a batch every 5 s", async () => {
  await rig(async ({ clock, world, serve, until, status, turn }) => {
    await until(() => status(X) === "Connected");
    const { link } = world.peer(X);
    const before = link.calls.length;
    const times: number[] = [];
    world.peer(X).onHistory = () => times.push(clock.monotonic());
    for (let second = 0; second < 20; second++) {
      await serve(announcement(2, `r${second}`, [X]));
      await clock.advance(1_000);
    }
    await turn();
    assert.equal(link.calls.length - before, 2 * 4, "one live and one history call per batch");
    assert.deepEqual(times.slice(1).map((time, index) => time - times[index]!), [5_000, 5_000, 5_000]);
  }, { served: [FOO] });
});

Deno.test("S-76 at the start everything stored is read: 10 000 announcements make 10 000 entries", async () => {
  const served = Array.from({ length: 10_000 }, (_, index) => announcement(1, `r${index}`, [X]));
  await rig(({ sync, world }) => {
    assert.equal(sync.snapshot().repos.size, 10_000);
    assert.equal(world.peer(X).link.live.length, 1 + 100 + 300);
    return Promise.resolve();
  }, { served });
});

Deno.test("S-79 S-78 a second batch without news opens no subscription", async () => {
  await rig(async ({ clock, world, serve, until, status, turn }) => {
    await until(() => status(X) === "Connected");
    const { link } = world.peer(X);
    const before = link.calls.length;
    await serve(FOO);
    await serve(announcement(1, "foo", [X], { created_at: FOO.created_at + 1 }));
    await clock.advance(30_000);
    await turn();
    assert.equal(link.calls.length, before);
  }, { served: [FOO] });
});

Deno.test("S-81 10 000 events within one interval are all in the next batch", async () => {
  await rig(async ({ clock, store, sync, world, until, status, turn }) => {
    await until(() => status(X) === "Connected");
    const issues = Array.from({ length: 10_000 }, (_, index) => issue(1, "foo", `${index}`));
    for (let start = 0; start < issues.length; start += 500) {
      const insertEvents = issues.slice(start, start + 500).map((event) => ({ event }));
      await store.commit({ insertEvents });
    }
    await clock.advance(5_000);
    await turn();
    assert.equal(sync.snapshot().repos.get(ref(1, "foo"))?.rootEvents.size, 10_000);
    await until(() => sync.snapshot().relays.get(X)?.confirmed.roots.size === 10_000);
    assert.equal(world.peer(X).dials, 1);
  }, { served: [FOO] });
});

Deno.test("S-2 a burst of purgatory announcements is one pass, and a steady stream waits 5 s at most", async () => {
  await rig(async ({ clock, world, hold, until, status, turn }) => {
    await until(() => status(X) === "Connected");
    const { link } = world.peer(X);
    const before = link.calls.length;
    await hold(...Array.from({ length: 50 }, (_, index) => announcement(2, `burst${index}`, [X])));
    await clock.advance(100);
    await turn();
    assert.equal(link.calls.length - before, 2);
    assert.equal(link.calls.at(-1)?.filters.length, 1, "one filter with 50 identifiers");
    for (let step = 0; step < 100; step++) {
      await hold(announcement(3, `r${step}`, [X]));
      await clock.advance(50);
    }
    await turn();
    assert.equal(link.calls.length - before, 4);
  }, { served: [FOO] });
});

Deno.test("S-18 6.3 what is removed while it is being fetched is not confirmed, and comes back anew", async () => {
  await rig(async ({ clock, world, store, serve, sync, status, relay, until, turn }) => {
    world.peer(X).rule = () => "wait";
    await until(() => status(X) === "Connected");
    const bar = announcement(2, "bar", [X]);
    await serve(bar);
    await clock.advance(5_000);
    await turn();
    const { link } = world.peer(X);
    await store.commit({ removeEvents: [bar.id] });
    link.open.forEach((history) => history.end("complete"));
    await turn();
    assert.equal(sync.snapshot().repos.has(ref(2, "bar")), false);
    assert.equal(relay(X).confirmed.repos.has(ref(2, "bar")), false);
    const before = link.calls.length;
    await serve(announcement(2, "bar", [X], { created_at: bar.created_at + 1 }));
    await clock.advance(5_000);
    await turn();
    assert.deepEqual(shorts(link.calls[before]!.filters), ["A:2:bar", "a:2:bar", "d:bar", "q:2:bar"]);
  }, { served: [FOO] });
});

Deno.test("S-1 a repository that left and returns brings the root events that stayed", async () => {
  const root = issue(1, "foo", "stays");
  await rig(async ({ clock, store, serve, sync, until, status, relay, turn }) => {
    await until(() => status(X) === "Connected");
    assert.deepEqual([...sync.snapshot().repos.get(ref(1, "foo"))!.rootEvents], [root.id]);
    await store.commit({ removeEvents: [FOO.id] });
    await turn();
    assert.equal(sync.snapshot().repos.has(ref(1, "foo")), false);
    await serve(announcement(1, "foo", [X], { created_at: FOO.created_at + 1 }));
    await clock.advance(5_000);
    await turn();
    assert.deepEqual([...sync.snapshot().repos.get(ref(1, "foo"))!.rootEvents], [root.id]);
    await until(() => relay(X).confirmed.roots.has(root.id));
  }, { served: [FOO, root] });
});

Deno.test("S-1 what commits while the database is read is neither lost nor undone", async () => {
  const removed = announcement(1, "removed", [X]);
  const replaced = announcement(1, "replaced", [X]);
  let commit: CommitListener = () => {};
  await rig(({ sync }) => {
    assert.equal(sync.snapshot().repos.has(ref(1, "removed")), false);
    assert.deepEqual([...sync.snapshot().repos.get(ref(1, "replaced"))!.relays], ["wss://y.example"]);
    return Promise.resolve();
  }, {
    parts: {
      store: {
        watch: (listener) => {
          commit = listener;
          return () => {};
        },
        waitingAnnouncements: () => Promise.resolve([]),
        query: () => Promise.resolve({ events: [] }),
        async *eventsOfKinds(kinds) {
          await new Promise((resolve) => setTimeout(resolve, 0));
          if (!kinds.includes(30617)) return;
          const event = announcement(1, "replaced", ["wss://y.example"], {
            created_at: replaced.created_at + 1,
          });
          commit({ removeEvents: [removed.id] }, []);
          commit({ insertEvents: [{ event }] }, ["stored"]);
          yield* [removed, replaced];
        },
      },
    },
  });
});
