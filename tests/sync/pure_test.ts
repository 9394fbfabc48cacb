import assert from "node:assert/strict";
import { newBatch } from "../../lib/sync/batches.ts";
import { ANNOUNCEMENTS, filtersOf, itemFilters } from "../../lib/sync/filters.ts";
import { identifierOf, itemSet, type SyncLevel } from "../../lib/sync/items.ts";
import { isLive, type Status, TRANSITIONS, type Trigger } from "../../lib/sync/lifecycle.ts";
import { RelayRecord } from "../../lib/sync/relay_record.ts";
import { chooseStrategy, sinceOf } from "../../lib/sync/strategy.ts";
import { computeAction, deriveTargets, type WantedRepo } from "../../lib/sync/targets.ts";
import { key } from "../store/fixtures.ts";
import { ref, shorts } from "./support.ts";

const COUNTS = [[0, 0], [1, 1], [100, 1], [101, 2], [250, 3]] as const;

function some(count: number, make: (index: number) => string): string[] {
  return Array.from({ length: count }, (_, index) => make(index));
}

Deno.test("S-42 filters have exactly the specified shapes, and values come in pieces of 100", () => {
  assert.deepEqual(ANNOUNCEMENTS, { kinds: [30617, 10317], tags: new Map() });
  for (const [count, pieces] of COUNTS) {
    const refs = some(count, (index) => ref(1, `r${index}`));
    assert.equal(filtersOf({ states: refs, tagged: [], roots: [] }, 100).length, pieces);
    assert.equal(filtersOf({ states: [], tagged: refs, roots: [] }, 100).length, 3 * pieces);
    assert.equal(filtersOf({ states: [], tagged: [], roots: some(count, key) }, 100).length, 3 * pieces);
  }
  assert.deepEqual(filtersOf({ states: [ref(1, "x")], tagged: [ref(1, "x")], roots: ["ee"] }, 100), [
    { kinds: [30618], tags: new Map([["d", ["x"]]]) },
    { tags: new Map([["a", [ref(1, "x")]]]) },
    { tags: new Map([["A", [ref(1, "x")]]]) },
    { tags: new Map([["q", [ref(1, "x")]]]) },
    { tags: new Map([["e", ["ee"]]]) },
    { tags: new Map([["E", ["ee"]]]) },
    { tags: new Map([["q", ["ee"]]]) },
  ]);
  const shuffled = filtersOf({ states: [ref(1, "b"), ref(1, "a")], tagged: [], roots: [] }, 100);
  assert.deepEqual(shuffled, filtersOf({ states: [ref(1, "a"), ref(1, "b")], tagged: [], roots: [] }, 100));
});

Deno.test("S-43 a repository with a root event makes 7 filters; roots 3, a repository 4, state only 1", () => {
  const items = (repos: [string, SyncLevel][], roots: string[]) => ({
    repos: new Map(repos),
    roots: new Set(roots),
  });
  const count = (repos: [string, SyncLevel][], roots: string[]) =>
    itemFilters(items(repos, roots), 100).length;
  assert.equal(count([[ref(1, "x"), "Full"]], ["e"]), 7);
  assert.equal(count([], ["e"]), 3);
  assert.equal(count([[ref(1, "x"), "Full"]], []), 4);
  assert.equal(count([[ref(1, "x"), "StateOnly"]], []), 1);
  const many = some(250, (index) => ref(1, `r${index}`)).map((name): [string, SyncLevel] => [name, "Full"]);
  assert.equal(count(many, some(250, key)), 3 + 9 + 9);
});

Deno.test("S-44 S-8 one identifier of three owners is one value; colons in it are kept", () => {
  const refs = [1, 2, 3].map((owner) => ref(owner, "a:b: c"));
  const [filter, ...rest] = filtersOf({ states: refs, tagged: [], roots: [] }, 100);
  assert.deepEqual(filter?.tags.get("d"), ["a:b: c"]);
  assert.equal(rest.length, 0);
  assert.equal(identifierOf(ref(1, "")), "");
});

const R1 = ref(10, "foo");
const R2 = ref(11, "foo");
const R3 = ref(12, "bar");

function repo(level: SyncLevel, relays: string[], roots: string[] = []): WantedRepo {
  return { level, relays: new Set(relays), rootEvents: new Set(roots) };
}

function example(levelOfR2: SyncLevel = "StateOnly") {
  const repos = new Map([
    [R1, repo("Full", ["x", "y"], ["e1", "e2"])],
    [R2, repo(levelOfR2, ["x", "own"])],
    [R3, repo("Full", ["y"], ["e3"])],
  ]);
  return deriveTargets(repos, (url) => url !== "own");
}

/** A relay with these repositories pending and confirmed. */
function record(pending: [string, SyncLevel][], confirmed: [string, SyncLevel][], roots: string[] = []) {
  const made = new RelayRecord("x", false);
  const items = itemSet({ repos: new Map(pending), roots: new Set() });
  made.batches.set(1, newBatch({ purpose: "new", filters: [], isWhole: true, items }));
  for (const [name, level] of confirmed) made.confirmed.repos.set(name, level);
  for (const id of roots) made.confirmed.roots.add(id);
  return made;
}

Deno.test("S-77 S-23 targets and actions are those of the specification's examples", () => {
  const targets = example();
  assert.deepEqual([...targets.keys()].sort(), ["x", "y"]);
  assert.deepEqual(targets.get("x"), {
    full: new Set([R1]),
    stateOnly: new Set([R2]),
    roots: new Set(["e1", "e2"]),
  });
  assert.deepEqual(targets.get("y"), {
    full: new Set([R1, R3]),
    stateOnly: new Set(),
    roots: new Set(["e1", "e2", "e3"]),
  });

  const x = computeAction(targets.get("x")!, record([[R1, "Full"]], [[R2, "StateOnly"]]), "Connected", 100);
  assert.deepEqual(shorts(x?.filters ?? []), ["E:e1+e2", "e:e1+e2", "q:e1+e2"]);
  const y = computeAction(targets.get("y")!, record([], [[R1, "Full"]], ["e1"]), "Connected", 100);
  assert.equal(y?.filters.length, 7);
  assert.deepEqual(y?.filters[0]?.tags.get("d"), ["bar"]);
  assert.deepEqual(y?.items, { repos: new Map([[R3, "Full"]]), roots: new Set(["e2", "e3"]) });
  const promoted = computeAction(
    example("Full").get("x")!,
    record([], [[R1, "Full"], [R2, "StateOnly"]], ["e1", "e2"]),
    "Connected",
    100,
  );
  assert.deepEqual(promoted?.filters.map(({ tags }) => [...tags.keys()].join()), ["a", "A", "q"]);
  assert.deepEqual(promoted?.items.repos, new Map([[R2, "Full"]]));
});

Deno.test("S-78 what an action brings as pending makes the next computation empty", () => {
  for (const url of ["x", "y"]) {
    const held = record([], []);
    const target = example().get(url)!;
    const action = computeAction(target, held, "Syncing", 100);
    assert.ok(action);
    held.batches.set(2, newBatch({ purpose: "new", filters: [], isWhole: true, items: action.items }));
    assert.equal(computeAction(target, held, "Syncing", 100), undefined);
  }
});

Deno.test("S-80 disconnected and disconnecting relays get no action, all others do", () => {
  const target = example().get("x")!;
  const gets = (status: Status | undefined) =>
    computeAction(target, record([], []), status, 100) !== undefined;
  for (const status of ["Disconnected", "Disconnecting"] as const) assert.equal(gets(status), false);
  for (const status of [undefined, "Connecting", "Syncing", "Connected", "ConnectedDegraded"] as const) {
    assert.equal(gets(status), true);
  }
});

Deno.test("S-12 the statuses change exactly as the table says", () => {
  const rows: [string, Status, Trigger, Status][] = [
    ["T1", "None", "register", "Disconnected"],
    ["T2", "Disconnected", "dial", "Connecting"],
    ["T3", "Connecting", "opened", "Syncing"],
    ["T4", "Connecting", "dialFailed", "Disconnected"],
    ["T5", "Connecting", "drop", "Disconnecting"],
    ["T6", "Syncing", "completed", "Connected"],
    ["T7", "Syncing", "completedWithGaps", "ConnectedDegraded"],
    ["T8", "Syncing", "lost", "Disconnected"],
    ["T8", "Connected", "lost", "Disconnected"],
    ["T8", "ConnectedDegraded", "lost", "Disconnected"],
    ["T9", "Connected", "resync", "Syncing"],
    ["T9", "ConnectedDegraded", "resync", "Syncing"],
    ["T10", "Connected", "lateFailure", "ConnectedDegraded"],
    ["T11", "Disconnected", "drop", "Disconnecting"],
    ["T11", "Syncing", "drop", "Disconnecting"],
    ["T11", "Connected", "drop", "Disconnecting"],
    ["T11", "ConnectedDegraded", "drop", "Disconnecting"],
    ["T12", "Disconnecting", "drained", "None"],
  ];
  const table = Object.entries(TRANSITIONS).flatMap(([from, row]) =>
    Object.entries(row).map(([trigger, to]) => `${from} ${trigger} ${to}`)
  );
  assert.deepEqual(table.sort(), rows.map(([, from, trigger, to]) => `${from} ${trigger} ${to}`).sort());
  assert.deepEqual(Object.keys(TRANSITIONS).filter((status) => isLive(status as Status)), [
    "Syncing",
    "Connected",
    "ConnectedDegraded",
  ]);
});

Deno.test("S-27 S-28 a first connect is fresh; a gap of 900 s is quick, 901 s is fresh", () => {
  const choose = (gapSecs: number) =>
    chooseStrategy({ lastConnected: 1, disconnectedAt: 5_000 }, 5_000 + gapSecs * 1000, 900_000);
  assert.equal(choose(0), "quick");
  assert.equal(choose(900), "quick");
  assert.equal(choose(900.001), "fresh");
  assert.equal(choose(901), "fresh");
  assert.equal(
    chooseStrategy({ lastConnected: undefined, disconnectedAt: undefined }, 5_000, 900_000),
    "fresh",
  );
});

Deno.test("S-29 since is the last frame minus 900 s, never negative, never in the future", () => {
  const at = (text: string) => Date.parse(`2026-11-01T${text}Z`);
  const rows: [string, number, number, number][] = [
    ["the worked example", at("12:34:50"), at("12:41:00"), at("12:19:50") / 1000],
    ["fractions are cut", at("12:34:50") + 999, at("12:41:00"), at("12:19:50") / 1000],
    ["early in the epoch", 10_000, 20_000, 0],
    ["the clock was set back an hour", at("12:34:50"), at("11:35:00"), at("11:20:00") / 1000],
    ["the clock was set ahead an hour", at("12:34:50"), at("13:35:00"), at("12:19:50") / 1000],
  ];
  for (const [name, last, now, expected] of rows) {
    assert.equal(sinceOf(last, now, 900), expected, name);
    assert.ok(expected <= now / 1000, name);
  }
});
