import assert from "node:assert/strict";
import { identifierOf } from "../../lib/sync/items.ts";
import { RepoIndex } from "../../lib/sync/repo_index.ts";
import { event, key } from "../store/fixtures.ts";
import { announcement, issue, ref, rig } from "./support.ts";

const X = "wss://x.example";
const Y = "wss://y.example";
const FOO = ref(1, "foo");

Deno.test("S-1 a stored announcement is a Full entry before the first dial", async () => {
  await rig(({ world, sync }) => {
    const entry = sync.snapshot().repos.get(FOO);
    assert.equal(entry?.level, "Full");
    assert.deepEqual([...entry.relays], [X]);
    assert.equal(world.peer(X).dials, 1);
    return Promise.resolve();
  }, {
    served: [announcement(1, "foo", [X])],
    parts: {},
    world: (world) => world.peer(X).prepare = () => {},
  });
});

Deno.test("S-2 an announcement in purgatory is a StateOnly entry at once, acted on within 5 s", async () => {
  await rig(async ({ clock, world, sync, hold, turn }) => {
    await hold(announcement(1, "foo", [X]));
    assert.equal(sync.snapshot().repos.get(FOO)?.level, "StateOnly");
    await clock.advance(100);
    await turn();
    assert.equal(world.peer(X).dials, 1);
  });
});

Deno.test("S-3 a purgatory entry beside a served one changes no level, and a pass removes what left unseen", async () => {
  await rig(async ({ clock, store, sync, serve, hold, turn }) => {
    await serve(announcement(1, "foo", [X]));
    await hold(announcement(1, "foo", [Y], { created_at: 5 }));
    assert.equal(sync.snapshot().repos.get(FOO)?.level, "Full");
    await clock.advance(61_000);
    await turn();
    assert.equal(sync.snapshot().repos.get(FOO)?.level, "Full");
    await store.commit({ removeAnnouncements: [{ owner: key(1), identifier: "foo" }] });
    assert.equal(sync.snapshot().repos.get(FOO)?.level, "Full");
  });
});

Deno.test("S-5 a root event never raises a StateOnly entry", async () => {
  await rig(async ({ sync, hold, serve }) => {
    await hold(announcement(1, "foo", [X]));
    await serve(issue(1, "foo"));
    const entry = sync.snapshot().repos.get(FOO);
    assert.equal(entry?.level, "StateOnly");
    assert.equal(entry.rootEvents.size, 1);
  });
});

Deno.test("S-6 a deleted announcement takes its entry, its root events and its relay along", async () => {
  const shared = announcement(2, "other", [Y]);
  const doomed = announcement(1, "foo", [X, Y]);
  await rig(async ({ clock, store, sync, status, until, turn }) => {
    await until(() => status(X) === "Connected" && status(Y) === "Connected");
    assert.equal(sync.snapshot().repos.get(FOO)?.rootEvents.size, 1);
    await store.commit({ removeEvents: [doomed.id] });
    await turn();
    const { repos, relays } = sync.snapshot();
    assert.equal(repos.has(FOO), false);
    assert.equal(relays.get(Y)?.confirmed.repos.has(FOO), false);
    assert.equal(relays.get(Y)?.confirmed.roots.size, 0);
    await clock.advance(200_000);
    await turn();
    assert.equal(status(X), undefined, "nobody wants it any more");
    assert.equal(status(Y), "Connected");
  }, { served: [doomed, shared, issue(1, "foo")] });
});

Deno.test("S-7 a replacement naming fewer relays shrinks the entry", async () => {
  await rig(async ({ clock, sync, serve, status, turn }) => {
    await serve(announcement(1, "foo", [Y], { created_at: 1_700_000_001 }));
    assert.deepEqual([...sync.snapshot().repos.get(FOO)!.relays], [Y]);
    await clock.advance(200_000);
    await turn();
    assert.equal(status(X), undefined);
    assert.equal(status(Y), "Connected");
  }, { served: [announcement(1, "foo", [X, Y])] });
});

Deno.test("S-8 an identifier with colons is kept whole in the index", async () => {
  await rig(async ({ sync, serve }) => {
    await serve(announcement(1, "a:b:c", [X]), issue(1, "a:b:c"));
    const entry = sync.snapshot().repos.get(ref(1, "a:b:c"));
    assert.equal(entry?.rootEvents.size, 1);
    assert.equal(identifierOf(ref(1, "a:b:c")), "a:b:c");
  });
});

Deno.test("S-4 promotion in one unit of work raises the entry and never drops it", async () => {
  const held = announcement(1, "foo", [X]);
  await rig(async ({ store, sync }) => {
    const seen: (string | undefined)[] = [];
    store.watch(() => seen.push(sync.snapshot().repos.get(FOO)?.level));
    await store.commit({
      removeAnnouncements: [{ owner: key(1), identifier: "foo" }],
      insertEvents: [{ event: held }],
    });
    assert.deepEqual(seen, ["Full"]);
  }, { waiting: [held] });
});

Deno.test("a root event that came before its repository belongs to it, however long before", async () => {
  await rig(async ({ clock, sync, serve, turn }) => {
    await serve(issue(1, "foo"), issue(2, "late"));
    await clock.advance(59_000);
    await serve(announcement(1, "foo", [X]));
    assert.equal(sync.snapshot().repos.get(FOO)?.rootEvents.size, 1);
    await clock.advance(2_000);
    await serve(announcement(2, "late", [X]));
    await turn();
    assert.equal(sync.snapshot().repos.get(ref(2, "late"))?.rootEvents.size, 1);
  });
});

Deno.test("a root event belongs to every repository its a and A tags name", async () => {
  const tags = [["a", ref(1, "foo")], ["A", ref(2, "bar")], ["a", "30618:x:y"], ["p", key(3)]];
  const patch = event({ kind: 1617, tags });
  const update = event({ kind: 1619, tags });
  await rig(async ({ sync, serve }) => {
    await serve(patch, update);
    for (const name of [FOO, ref(2, "bar")]) {
      assert.deepEqual([...sync.snapshot().repos.get(name)!.rootEvents], [patch.id]);
    }
  }, { served: [announcement(1, "foo", [X]), announcement(2, "bar", [X])] });
});

Deno.test("an older version, a deletion of something else and a repeated commit change nothing", () => {
  const index = new RepoIndex();
  const newer = event({ kind: 30617, created_at: 10 });
  index.setServed(FOO, newer, [X]);
  assert.equal(index.settle().isChanged, true);
  index.setServed(FOO, event({ kind: 30617, created_at: 9 }), [Y]);
  index.setServed(FOO, newer, [X]);
  index.removeEvent(key(7));
  index.removeWaiting(FOO);
  assert.equal(index.settle().isChanged, false);
  assert.deepEqual([...index.entries.get(FOO)!.relays], [X]);
});

Deno.test("a repository whose served announcement is deleted while another version waits begins anew", () => {
  const index = new RepoIndex();
  const served = event({ kind: 30617, created_at: 10 });
  index.setServed(FOO, served, [X]);
  index.setWaiting(FOO, event({ kind: 30617, created_at: 11 }), [Y]);
  index.addRoot(FOO, key(5));
  index.settle();
  assert.deepEqual([...index.entries.get(FOO)!.relays], [Y], "the newest version names the relays");
  index.removeEvent(served.id);
  const { gone } = index.settle();
  assert.deepEqual([...gone.repos.keys(), ...gone.roots], [FOO, key(5)]);
  assert.equal(index.levelOf(FOO), "StateOnly");
  assert.equal(index.entries.get(FOO)!.rootEvents.size, 0);
});
