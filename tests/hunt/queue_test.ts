import assert from "node:assert/strict";
import { type Demand, HuntQueue } from "../../lib/hunt/queue.ts";
import { huntUnits, unitKey } from "../../lib/hunt/unit.ts";
import { UrlMemory } from "../../lib/hunt/url_memory.ts";
import type { WaitingState } from "../../lib/store/types.ts";
import { oid, REPO, stateEvent, stateRow, view } from "../policy/support.ts";
import { hosted } from "./support.ts";

const home = hosted("alice", ["https://alice.org/x"]);
const row = (source: "direct" | "sync", overrides: Partial<WaitingState> = {}) =>
  stateRow(stateEvent("alice", { "refs/heads/main": oid("1") }), { source, ...overrides });

/** The queue of one unit, told about rows. */
function queued() {
  const queue = new HuntQueue();
  const tell = (rows: readonly WaitingState[], at: number, urls: readonly string[] = [], atStart = false) => {
    const units = huntUnits(view({ announcements: [home], waitingStates: rows }));
    const demand: Demand = {
      units,
      urls: new Map(units.map((unit) => [unitKey(unit), new Set(urls)])),
      at,
      atStart,
    };
    queue.update(REPO, demand);
  };
  const only = () => queue.units[0]!;
  return { queue, tell, only };
}

Deno.test("P-66 a direct event waits 180 s, a synced one 500 ms and pulls a direct one forward", () => {
  const { queue, tell, only } = queued();
  const direct = row("direct");
  tell([direct], 1_000);
  assert.equal(only().nextAt, 181_000);
  assert.deepEqual(queue.due(180_999), []);
  tell([direct, row("sync")], 2_000);
  assert.equal(only().nextAt, 2_500);
  tell([direct, row("sync"), row("direct")], 2_100);
  assert.equal(only().nextAt, 2_500, "never later");
});

Deno.test("P-66 P-88 after a start everything is due in 500 ms", () => {
  const { tell, only } = queued();
  tell([row("direct")], 0, [], true);
  assert.equal(only().nextAt, 500);
});

Deno.test("P-67 ten events within 400 ms are one hunt", () => {
  const { queue, tell } = queued();
  const rows: WaitingState[] = [];
  for (let at = 0; at < 400; at += 40) {
    rows.push(row("sync"));
    tell(rows, at);
  }
  assert.equal(queue.due(499).length, 0);
  assert.equal(queue.due(500).length, 1);
});

Deno.test("P-68 pauses of 20, 40, 80, 120, 120 s; a new event begins again at 20 after its own delay", () => {
  const { queue, tell, only } = queued();
  const first = row("sync");
  tell([first], 0);
  let now = 500;
  const hunt = () => {
    const [due] = queue.due(now);
    queue.end(queue.begin(due!.key)!, now);
    const pause = only().nextAt - now;
    now = only().nextAt;
    return pause / 1000;
  };
  assert.deepEqual([hunt(), hunt(), hunt(), hunt(), hunt()], [20, 40, 80, 120, 120]);
  const before = now;
  now -= 100_000;
  const second = row("sync");
  tell([first, second], now);
  assert.equal(only().nextAt, now + 500);
  assert.ok(only().nextAt < before);
  now = only().nextAt;
  assert.equal(hunt(), 20);
});

Deno.test("P-68 the same row again changes nothing; an upgraded source and a new URL do", () => {
  const { queue, tell, only } = queued();
  const first = row("sync");
  tell([first], 0, ["https://a.org"]);
  queue.end(queue.begin(only().key)!, 500);
  queue.end(queue.begin(only().key)!, 20_500);
  assert.equal(only().attempts, 2);
  tell([{ ...first, deadlineAt: first.deadlineAt + 1 }], 21_000, ["https://a.org"]);
  assert.deepEqual([only().attempts, only().nextAt], [2, 60_500]);
  tell([first], 22_000, ["https://a.org", "https://b.org"]);
  assert.deepEqual([only().attempts, only().nextAt], [0, 22_500]);
  queue.end(queue.begin(only().key)!, 23_000);
  tell([{ ...first, source: "direct" }], 24_000, ["https://a.org"]);
  assert.deepEqual([only().attempts, only().nextAt], [0, 43_000], "the earlier of old and new");
});

Deno.test("P-69 an event that came during a hunt is hunted afterwards, with its own delay", () => {
  const { queue, tell, only } = queued();
  const first = row("sync");
  tell([first], 0);
  const started = queue.begin(only().key)!;
  assert.equal(queue.begin(only().key), undefined, "one hunt per unit");
  const second = row("direct");
  tell([first, second], 1_000);
  tell([second], 2_000); // the first was released
  queue.end(started, 3_000);
  assert.deepEqual([only().attempts, only().nextAt], [0, 181_000]);
});

Deno.test("P-69 the old entry left over is hunted again after the first pause, not the new one's delay", () => {
  const { queue, tell, only } = queued();
  const first = row("sync");
  tell([first], 0);
  const started = queue.begin(only().key)!;
  tell([first, row("direct")], 1_000);
  queue.end(started, 3_000);
  assert.deepEqual([only().attempts, only().nextAt], [0, 23_000]);
});

Deno.test("a release cancels what is pending; a running hunt ends, and no second one starts beside it", () => {
  const { queue, tell, only } = queued();
  tell([row("sync")], 0);
  tell([], 100);
  assert.deepEqual(queue.units, []);
  tell([row("sync")], 200);
  const started = queue.begin(only().key)!;
  tell([], 300);
  tell([row("sync")], 400);
  assert.deepEqual(queue.due(10_000), [], "the unit still runs");
  queue.end(started, 10_000);
  assert.equal(queue.due(10_000).length, 1);
  const last = queue.begin(only().key)!;
  tell([], 11_000);
  queue.end(last, 12_000);
  assert.deepEqual([queue.units, queue.identifiersOf(last.unit.key)], [[], []]);
});

Deno.test("a URL that said an object is not there is not asked again for ten minutes, or until a new event", () => {
  const memory = new UrlMemory();
  const outcome = {
    result: "nothing" as const,
    obtained: new Set<string>(),
    absent: new Set([oid("1")]),
    text: "",
    bytes: 0,
  };
  memory.record("u", outcome, 0, 0);
  assert.ok(memory.lacks("u", oid("1"), 599_999));
  assert.ok(!memory.lacks("u", oid("2"), 0));
  assert.ok(!memory.lacks("u", oid("1"), 600_000));
  memory.record("u", outcome, 0, 0);
  memory.forgetAbsent();
  assert.ok(!memory.lacks("u", oid("1"), 1));
});

Deno.test("P-66 S-97 a synced copy of a waiting event brings its first hunt forward, not a later one", () => {
  const { queue, tell, only } = queued();
  const direct = row("direct");
  tell([direct], 0);
  queue.bringForward(direct.event.id, 1_000);
  assert.equal(only().nextAt, 1_500);
  queue.bringForward(direct.event.id, 1_400);
  assert.equal(only().nextAt, 1_500, "never later");
  queue.end(queue.begin(only().key)!, 2_000);
  assert.equal(only().nextAt, 22_000);
  queue.bringForward(direct.event.id, 3_000);
  assert.equal(only().nextAt, 22_000, "a peer that repeats itself does not make us hurry");
  queue.bringForward("f".repeat(64), 3_000);
});

Deno.test("P-92 an event is unreachable only after fetches that reached nobody", () => {
  const { queue, tell } = queued();
  const waiting = row("sync");
  assert.equal(queue.isUnreachable(waiting.event.id), false, "not hunted for");
  tell([waiting], 0);
  assert.equal(queue.isUnreachable(waiting.event.id), false, "nothing was tried yet");
});
