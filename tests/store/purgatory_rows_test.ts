import assert from "node:assert/strict";
import { createClient } from "@libsql/client";
import { noStoreMetrics } from "../../lib/observe/mod.ts";
import type { WaitingAnnouncement, WaitingState } from "../../lib/store/mod.ts";
import { eachStore } from "./each_store.ts";
import { event, filter, ids, key, NOW_MS, open, put, withDirectory } from "./fixtures.ts";

/** Sorts of entries these tests do not put. */
const NONE = { pullRequests: 0, placeholders: 0 };

function announcement(identifier: string, more: Partial<WaitingAnnouncement> = {}): WaitingAnnouncement {
  return {
    event: event({ kind: 30617, tags: [["d", identifier]] }),
    owner: key(1),
    identifier,
    phase: "active",
    source: "direct",
    firstEnteredAt: NOW_MS,
    enteredAt: NOW_MS + 1,
    deadlineAt: NOW_MS + 100,
    ...more,
  };
}

function state(identifier: string, more: Partial<WaitingState> = {}): WaitingState {
  return {
    event: event({ kind: 30618, tags: [["d", identifier]], content: String(more.deadlineAt ?? "") }),
    author: key(1),
    identifier,
    source: "sync",
    firstEnteredAt: NOW_MS,
    enteredAt: NOW_MS + 1,
    deadlineAt: NOW_MS + 200,
    ...more,
  };
}

Deno.test(
  "everything about one identifier, served and waiting, is read back as it was put",
  eachStore(async ({ store }) => {
    const served = event({ kind: 30617, tags: [["d", "x"]], content: "served" });
    const foreign = event({ kind: 30617, tags: [["d", "x"]], pubkey: key(2) });
    const servedState = event({ kind: 30618, tags: [["d", "x"]], content: "served" });
    const waiting = [announcement("x"), announcement("y"), announcement("n\0ul", { phase: "soft" })];
    const states = [state("x"), state("x", { deadlineAt: NOW_MS + 5 }), state("y")];
    await store.commit({
      insertEvents: [{ event: served, hosted: true }, { event: foreign }, { event: servedState }],
      putAnnouncements: waiting,
      putStates: states,
    });
    const rows = await store.readIdentifier("x");
    const byHosted = rows.announcements.toSorted((a, b) => Number(b.hosted) - Number(a.hosted));
    assert.deepEqual(byHosted, [{ event: served, hosted: true }, { event: foreign, hosted: false }]);
    assert.deepEqual(rows.states, [servedState]);
    assert.deepEqual(rows.waitingAnnouncements, [waiting[0]]);
    assert.deepEqual(rows.waitingStates, states.slice(0, 2));
    assert.deepEqual((await store.readIdentifier("n\0ul")).waitingAnnouncements, [waiting[2]]);
    assert.deepEqual((await store.readIdentifier("n")).waitingAnnouncements, []);
    assert.equal(await store.waitingKind(waiting[0]!.event.id), "announcement");
    assert.equal(await store.waitingKind(states[0]!.event.id), "state");
    assert.equal(await store.waitingKind(served.id), undefined);
    assert.deepEqual(await store.waitingCounts(), { active: 2, soft: 1, states: 3, ...NONE });
    assert.equal(await store.waitingAnnouncementsOf(key(1)), 2);
    assert.equal(await store.waitingAnnouncementsOf(key(2)), 0);
    const pending = await store.pendingAtStart();
    assert.deepEqual(pending.announcements, waiting.slice(0, 2));
    assert.deepEqual(pending.states.length, 3);
  }),
);

Deno.test(
  "what waits in purgatory is not served",
  eachStore(async ({ store }) => {
    const waiting = announcement("x");
    await store.commit({ putAnnouncements: [waiting] });
    assert.equal(await store.has(waiting.event.id), false);
    assert.deepEqual(await ids(store, filter()), []);
    assert.equal(await store.isRelated(event({ tags: [["a", `30617:${key(1)}:x`]] })), false);
  }),
);

Deno.test(
  "promotion is one unit: removals come before puts, and repeating it changes nothing",
  eachStore(async ({ store }) => {
    const waiting = announcement("x");
    await store.commit({ putAnnouncements: [waiting], putStates: [state("x")] });
    const promotion = {
      insertEvents: [{ event: waiting.event, hosted: true }],
      removeAnnouncements: [waiting],
      removeStates: [state("x").event.id, key(99)],
      putDirty: [{ owner: key(1), identifier: "x", since: 5 }],
    };
    assert.deepEqual(await store.commit(promotion), ["stored"]);
    assert.deepEqual(await store.commit(promotion), ["duplicate"]);
    assert.deepEqual(await store.waitingCounts(), { active: 0, soft: 0, states: 0, ...NONE });
    const later = announcement("x", { deadlineAt: NOW_MS + 999 });
    await store.commit({ removeAnnouncements: [waiting], putAnnouncements: [later] });
    assert.deepEqual((await store.readIdentifier("x")).waitingAnnouncements, [later]);
  }),
);

Deno.test(
  "of units in one group the last word about a key stands",
  eachStore(async ({ store }) => {
    const soft = announcement("x", { phase: "soft" });
    await Promise.all([
      store.commit({ putAnnouncements: [announcement("x")], putStates: [state("x")] }),
      store.commit({ putAnnouncements: [soft], removeStates: [state("x").event.id] }),
      store.commit({
        removeAnnouncements: [announcement("y")],
        putDirty: [{ owner: key(1), identifier: "x", since: 1 }],
      }),
      store.commit({
        removeDirty: [{ owner: key(1), identifier: "x" }],
        putAnnouncements: [announcement("y")],
      }),
    ]);
    assert.deepEqual((await store.readIdentifier("x")).waitingAnnouncements, [soft]);
    assert.deepEqual((await store.readIdentifier("x")).waitingStates, []);
    assert.deepEqual((await store.readIdentifier("y")).waitingAnnouncements, [announcement("y")]);
    assert.deepEqual(await store.dirtyMarks(), []);
  }),
);

Deno.test(
  "overdue entries come oldest deadline first, at most as many as asked",
  eachStore(async ({ store }) => {
    const at = [30, 10, 20, 40].map((n) => NOW_MS + n);
    await store.commit({
      putAnnouncements: at.map((deadlineAt) => announcement(`r${deadlineAt}`, { deadlineAt })),
      putStates: at.map((deadlineAt) => state(`r${deadlineAt}`, { deadlineAt })),
    });
    const deadlines = (rows: readonly { deadlineAt: number }[]) =>
      rows.map(({ deadlineAt }) => deadlineAt - NOW_MS);
    const all = await store.overdue(NOW_MS + 30, 100);
    assert.deepEqual(deadlines(all.announcements), [10, 20, 30]);
    assert.deepEqual(deadlines(all.states), [10, 20, 30]);
    assert.deepEqual(deadlines((await store.overdue(NOW_MS + 30.5, 2)).states), [10, 20]);
    assert.deepEqual((await store.overdue(NOW_MS + 9, 100)).announcements, []);
  }),
);

Deno.test(
  "expired ids are remembered until pruned or removed",
  eachStore(async ({ store }) => {
    await store.commit({ putExpired: [1, 2, 3].map((n) => ({ id: key(n), at: NOW_MS, until: NOW_MS + n })) });
    await store.commit({ removeExpired: [key(3)] });
    assert.equal(await store.isExpired(key(3)), false);
    assert.equal(await store.pruneExpired(NOW_MS + 1), 1);
    assert.equal(await store.isExpired(key(1)), false);
    assert.equal(await store.isExpired(key(2)), true);
    assert.equal(await store.pruneExpired(NOW_MS + 1), 0);
  }),
);

Deno.test(
  "dirty marks are read oldest first",
  eachStore(async ({ store }) => {
    const marks = [3, 1, 2].map((since) => ({ owner: key(since), identifier: "a:b\0", since }));
    await store.commit({ putDirty: marks });
    assert.deepEqual(await store.dirtyMarks(), [marks[1], marks[2], marks[0]]);
    await store.commit({ removeDirty: [marks[1]!] });
    assert.deepEqual(await store.dirtyMarks(), [marks[2], marks[0]]);
  }),
);

Deno.test("P-90 damaged rows are quarantined with a reason and logged, the others work", () =>
  withDirectory(async (path) => {
    const first = await open(path);
    await first.store.commit({
      putAnnouncements: ["a", "b", "c", "d"].map((identifier) => announcement(identifier)),
      putStates: ["a", "b", "c"].map((identifier) => state(identifier)),
    });
    const served = event({ kind: 30618, tags: [["d", "a"]] });
    await put(first.store, served);
    await first.store.close();

    const client = createClient({ url: `file:${path}` });
    await client.execute("UPDATE waiting_announcements SET json = '{broken' WHERE identifier = 'a'");
    await client.execute(
      "UPDATE waiting_announcements SET json = replace(json, '30617', '30618') WHERE identifier = 'b'",
    );
    await client.execute("UPDATE waiting_announcements SET phase = 'odd' WHERE identifier = 'c'");
    await client.execute(
      `UPDATE waiting_states SET json = replace(json, '"id":"', '"id":"f') WHERE identifier = 'b'`,
    );
    await client.execute("UPDATE events SET json = 'null'");
    client.close();

    const corrupt: string[] = [];
    const metrics = { ...noStoreMetrics, corrupt: (type: string) => corrupt.push(type) };
    const { store, log } = await open(path, { metrics });
    const pending = await store.pendingAtStart();
    assert.deepEqual(pending.announcements, [announcement("d")]);
    assert.deepEqual(pending.states, [state("a"), state("c")]);
    assert.equal(await store.currentVersion(30618, key(1), "a"), undefined);
    assert.equal(log.lines.filter((line) => line.includes("quarantine")).length, 4);
    assert.deepEqual(await store.waitingCounts(), { active: 1, soft: 0, states: 2, ...NONE });
    // The odd phase is not among the active ones; reading its identifier finds it.
    assert.deepEqual((await store.readIdentifier("c")).waitingAnnouncements, []);
    assert.deepEqual(await put(store, served), ["stored"]);
    assert.deepEqual(corrupt, ["announcement", "announcement", "state", "announcement"]);
    await store.close();

    const again = createClient({ url: `file:${path}` });
    const rows = (await again.execute("SELECT source, reason FROM quarantine ORDER BY source, reason")).rows;
    again.close();
    assert.deepEqual(rows.map((row) => `${row.source}: ${row.reason}`), [
      "events: event is malformed",
      "waiting_announcements: a column has an unknown word",
      "waiting_announcements: event is not JSON",
      "waiting_announcements: event is of a foreign kind",
      "waiting_states: event is malformed",
    ]);
  }));
