import assert from "node:assert/strict";
import { createClient } from "@libsql/client";
import { migrationsFrom } from "../../lib/store/schema.ts";
import type { Placeholder, RepositoryKey, WaitingPullRequest } from "../../lib/store/mod.ts";
import { eachStore } from "./each_store.ts";
import { event, filter, ids, key, NOW_MS, open, put, withDirectory } from "./fixtures.ts";
import { retiredRows } from "../support/held.ts";

const COMMIT = "c".repeat(40);
const TIMES = { firstEnteredAt: NOW_MS, enteredAt: NOW_MS + 1, deadlineAt: NOW_MS + 100 };

function place(identifier: string, owner = 1): RepositoryKey {
  return { owner: key(owner), identifier };
}

function pullRequest(
  targets: readonly RepositoryKey[],
  more: Partial<WaitingPullRequest> & { readonly content?: string } = {},
): WaitingPullRequest {
  const { content = "", commit = COMMIT, ...rest } = more;
  const tags = targets.map(({ owner, identifier }) => ["a", `30617:${owner}:${identifier}`]);
  const made = event({ kind: 1618, tags: [...tags, ["c", commit], ["c", "other"]], content });
  return { event: made, commit, targets, source: "direct", ...TIMES, ...rest };
}

function placeholder(n: number, repositories: readonly RepositoryKey[], more: Partial<Placeholder> = {}) {
  return { id: key(n), commit: COMMIT, repositories, ...TIMES, ...more };
}

Deno.test(
  "P-55 a pull request is found by every identifier it targets, colons and all",
  eachStore(async ({ store }) => {
    const waiting = pullRequest([place("a:b"), place("x", 2), place("a:b"), place("n\0ul")]);
    const update = pullRequest([place("a:b", 2)], { content: "update" });
    await store.commit({ putPullRequests: [waiting, update] });
    assert.deepEqual((await store.readIdentifier("a:b")).waitingPullRequests, [waiting, update]);
    assert.deepEqual((await store.readIdentifier("x")).waitingPullRequests, [waiting]);
    assert.deepEqual((await store.readIdentifier("n\0ul")).waitingPullRequests, [waiting]);
    for (const other of ["a", "b", ":b", "n", ""]) {
      assert.deepEqual((await store.readIdentifier(other)).waitingPullRequests, [], other);
    }
    assert.equal(await store.waitingPullRequestsFor(place("a:b")), 1);
    assert.equal(await store.waitingPullRequestsFor(place("a:b", 2)), 1);
    assert.equal(await store.waitingPullRequestsFor(place("x")), 0);
  }),
);

Deno.test(
  "a waiting pull request is known by its id, not served, and gone when released",
  eachStore(async ({ store }) => {
    const waiting = pullRequest([place("x")], { commit: "not an \0 object id" });
    const { event: made } = waiting;
    await store.commit({ putPullRequests: [waiting] });
    assert.equal(await store.waitingKind(made.id), "pullRequest");
    assert.deepEqual(await store.waitingEvent(made.id), made);
    assert.deepEqual(await store.waitingPullRequest(made.id), waiting);
    assert.equal(await store.has(made.id), false);
    assert.deepEqual(await ids(store, filter()), []);
    await store.commit({ insertEvents: [{ event: made }], removePullRequests: [made.id, key(9)] });
    assert.equal(await store.waitingKind(made.id), undefined);
    assert.equal(await store.waitingEvent(made.id), undefined);
    assert.equal(await store.waitingPullRequest(made.id), undefined);
    assert.equal(await store.waitingPullRequestsFor(place("x")), 0);
    assert.deepEqual(await store.get([made.id]), [made]);
  }),
);

Deno.test(
  "a placeholder is no event; putting it again replaces its commit and repositories",
  eachStore(async ({ store }) => {
    const first = placeholder(7, [place("x"), place("y")]);
    const later = placeholder(7, [place("y"), place("z:z")], {
      commit: "d".repeat(40),
      enteredAt: NOW_MS + 9,
    });
    await store.commit({ putPlaceholders: [first] });
    assert.deepEqual(await store.placeholder(key(7)), first);
    assert.equal(await store.waitingKind(key(7)), undefined);
    assert.equal(await store.waitingEvent(key(7)), undefined);
    await store.commit({ putPlaceholders: [later] });
    assert.deepEqual(await store.placeholder(key(7)), later);
    assert.deepEqual((await store.readIdentifier("x")).placeholders, []);
    assert.deepEqual((await store.readIdentifier("z:z")).placeholders, [later]);
    const counts = await Promise.all(["x", "y", "z:z"].map((name) => store.placeholdersIn(place(name))));
    assert.deepEqual(counts, [0, 1, 1]);
    await store.commit({ removePlaceholders: [key(7)], putPlaceholders: [placeholder(8, [place("x")])] });
    assert.equal(await store.placeholder(key(7)), undefined);
    assert.equal(await store.placeholdersIn(place("y")), 0);
    assert.equal(await store.placeholdersIn(place("x")), 1);
  }),
);

Deno.test("X-30 the scope of a placeholder is kept, counted, and taken away by one without", () =>
  withDirectory(async (path) => {
    const first = await open(path);
    const scoped = placeholder(7, [place("x")], { scope: place("a:b\0c", 2) });
    await first.store.commit({ putPlaceholders: [scoped, placeholder(8, []), placeholder(9, [place("y")])] });
    await first.store.close();
    const { store } = await open(path);
    assert.deepEqual(await store.placeholder(key(7)), scoped);
    assert.equal((await store.placeholder(key(8)))?.scope, undefined);
    assert.equal(await store.placeholdersInScope(place("a:b\0c", 2)), 1);
    assert.equal(await store.placeholdersInScope(place("a:b\0c", 3)), 0);
    assert.equal(await store.placeholdersIn(place("a:b\0c", 2)), 0);
    await store.commit({ putPlaceholders: [placeholder(7, [])] });
    assert.equal((await store.placeholder(key(7)))?.scope, undefined);
    assert.equal(await store.placeholdersInScope(place("a:b\0c", 2)), 0);
    await store.close();
  }));

Deno.test("X-30 placeholders of an older database have no scope", () =>
  withDirectory(async (path) => {
    const client = createClient({ url: `file:${path}` });
    const old = migrationsFrom(0).slice(0, 2).flatMap(({ statements }) => [...statements]);
    const json = `{"commit":"${COMMIT}","repositories":[]}`;
    const at = BigInt(NOW_MS);
    await client.batch([
      ...old,
      { sql: "INSERT INTO placeholders VALUES (?, ?, ?, ?, ?)", args: [key(7), at, at, at, json] },
    ], "write");
    client.close();
    const { store } = await open(path);
    assert.deepEqual(await store.placeholder(key(7)), {
      id: key(7),
      commit: COMMIT,
      repositories: [],
      firstEnteredAt: NOW_MS,
      enteredAt: NOW_MS,
      deadlineAt: NOW_MS,
    });
    await store.close();
  }));

Deno.test("P-85 P-87 pull requests and placeholders survive a restart with unchanged times", () =>
  withDirectory(async (path) => {
    const first = await open(path);
    const requests = [
      pullRequest([place("a:b"), place("x", 2)]),
      pullRequest([], { content: "no target", source: "sync", deadlineAt: NOW_MS + 50 }),
    ];
    const placeholders = [placeholder(7, [place("x")]), placeholder(8, [], { deadlineAt: NOW_MS + 50 })];
    await first.store.commit({ putPullRequests: requests, putPlaceholders: placeholders });
    await first.store.close();
    const { store } = await open(path);
    const pending = await store.pendingAtStart();
    assert.deepEqual(pending.pullRequests, requests.toReversed());
    assert.deepEqual(pending.placeholders, placeholders.toReversed());
    assert.deepEqual(await store.waitingCounts(), {
      active: 0,
      soft: 0,
      states: 0,
      pullRequests: 2,
      placeholders: 2,
    });
    // The event that completes the placeholder after the restart.
    const arrived = event({ kind: 1618, tags: [["c", COMMIT]] });
    await store.commit({ insertEvents: [{ event: arrived }], removePlaceholders: [key(7)] });
    assert.deepEqual((await store.readIdentifier("x")).placeholders, []);
    assert.deepEqual((await store.readIdentifier("x")).waitingPullRequests, [requests[0]]);
    await store.close();
  }));

Deno.test(
  "overdue pull requests and placeholders come oldest deadline first, each up to the limit",
  eachStore(async ({ store }) => {
    const at = [30, 10, 20, 40].map((n) => NOW_MS + n);
    await store.commit({
      putPullRequests: at.map((deadlineAt) =>
        pullRequest([place("x")], { deadlineAt, content: String(deadlineAt) })
      ),
      putPlaceholders: at.map((deadlineAt) => placeholder(deadlineAt, [place("x")], { deadlineAt })),
    });
    const { pullRequests, placeholders } = await store.overdue(NOW_MS + 30, 2);
    for (const entries of [pullRequests, placeholders]) {
      assert.deepEqual(entries.map(({ deadlineAt }) => deadlineAt - NOW_MS), [10, 20]);
    }
    assert.deepEqual(await store.overdue(NOW_MS + 9, 2), {
      announcements: [],
      states: [],
      pullRequests: [],
      placeholders: [],
    });
  }),
);

Deno.test(
  "entries that name too many repositories are rejected, and nothing of their unit is stored",
  eachStore(async ({ store }) => {
    const places = (count: number) => Array.from({ length: count }, (_, n) => place(String(n)));
    const message = /names more than \d+ repositories/;
    const note = event();
    const insertEvents = [{ event: note }];
    await assert.rejects(
      store.commit({ insertEvents, putPullRequests: [pullRequest(places(21))] }),
      { message },
    );
    await assert.rejects(
      store.commit({ insertEvents, putPlaceholders: [placeholder(1, places(1_001))] }),
      { message },
    );
    await store.commit({ putPullRequests: [pullRequest(places(20))] });
    assert.equal(await store.has(note.id), false);
  }),
);

Deno.test("P-90 damaged pull requests, placeholders and retired repositories are quarantined, the others work", () =>
  withDirectory(async (path) => {
    const first = await open(path);
    const good = pullRequest([place("x")], { content: "good" });
    const kept = placeholder(1, [place("x")]);
    const bad = ["id", "kind", "commit", "targets"].map((content) => pullRequest([place("x")], { content }));
    const held = {
      ...place("x"),
      reason: "deleted",
      directory: "d",
      retiredAt: 1,
      events: [event()],
    } as const;
    await first.store.commit({
      putPullRequests: [good, ...bad],
      putPlaceholders: [kept, placeholder(2, [place("x")]), placeholder(3, [place("x")])],
      putRetired: [held, { ...held, retiredAt: 2 }, { ...held, retiredAt: 3 }],
    });
    await put(first.store, event());
    await first.store.close();

    const client = createClient({ url: `file:${path}` });
    const change = (sql: string, ...args: string[]) => client.execute({ sql, args });
    const requests = "UPDATE waiting_pull_requests SET";
    await change(`${requests} json = ? WHERE id = ?`, JSON.stringify(good.event), bad[0]!.event.id);
    await change(`${requests} json = replace(json, ':1618', ':1621') WHERE id = ?`, bad[1]!.event.id);
    await change(`${requests} head = 'd' WHERE id = ?`, bad[2]!.event.id);
    await change(`${requests} targets = '[["x"]]' WHERE id = ?`, bad[3]!.event.id);
    await change(`UPDATE placeholders SET json = '[' WHERE id = ?`, key(2));
    await change(`UPDATE placeholders SET deadline_at = 'soon' WHERE id = ?`, key(3));
    await change(`UPDATE retired_repositories SET json = replace(json, 'deleted', 'x') WHERE retired_at = 2`);
    await change(`UPDATE retired_repositories SET json = replace(json, '"sig"', '"s"') WHERE retired_at = 3`);
    client.close();

    const { store } = await open(path);
    const rows = await store.readIdentifier("x");
    assert.deepEqual(rows.waitingPullRequests, [good]);
    assert.deepEqual(rows.placeholders, [kept]);
    assert.deepEqual(await retiredRows(store, key(1), "x"), [held]);
    const { pullRequests, placeholders } = await store.waitingCounts();
    assert.deepEqual([pullRequests, placeholders], [1, 1]);
    assert.deepEqual([
      await store.waitingPullRequestsFor(place("x")),
      await store.placeholdersIn(place("x")),
    ], [1, 1]);
    await store.close();

    const again = createClient({ url: `file:${path}` });
    const moved = (await again.execute("SELECT source, reason FROM quarantine ORDER BY source, reason")).rows;
    again.close();
    assert.deepEqual(moved.map((row) => `${row.source}: ${row.reason}`), [
      "placeholders: a time is not an integer",
      "placeholders: row is not JSON",
      "retired_repositories: a column has an unknown word",
      "retired_repositories: event is malformed",
      "waiting_pull_requests: a repository is malformed",
      "waiting_pull_requests: event has another commit",
      "waiting_pull_requests: event has another id",
      "waiting_pull_requests: event is of a foreign kind",
    ]);
  }));
