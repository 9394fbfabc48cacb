import assert from "node:assert/strict";
import { NaughtyList } from "../../lib/outgoing/mod.ts";
import { RecordingLog } from "../observe/recording_log.ts";
import { VirtualClock } from "../support/virtual_clock.ts";

const HOURS = 3_600_000;

function setup(lifetimeMs = 12 * HOURS) {
  const clock = new VirtualClock();
  const log = new RecordingLog();
  const list = new NaughtyList({ clock, lifetimeMs, log, subject: "relay" });
  return { clock, log, list, levels: () => log.records.map(({ level }) => level) };
}

Deno.test("S-103 P-80 an entry ends 12 h after first sight, repeats or not, and the next fault begins a new one", async () => {
  const { clock, list, levels } = setup();
  assert.equal(list.record("a.example", "dns_lookup_failed", "one"), 1);
  await clock.advance(6 * HOURS);
  assert.equal(list.record("a.example", "tls_certificate_invalid", "two"), 2);
  const entry = list.get("a.example")!;
  assert.deepEqual(
    [entry.category, entry.message, entry.firstSeenAt, entry.lastSeenAt, entry.expiresAt],
    ["tls_certificate_invalid", "two", 0, 6 * HOURS, 12 * HOURS],
  );
  clock.jump(-100 * HOURS);
  await clock.advance(6 * HOURS - 1);
  assert.ok(list.get("a.example"));
  await clock.advance(1);
  assert.equal(list.get("a.example"), undefined);
  assert.equal(list.record("a.example", "dns_lookup_failed", "three"), 1);
  assert.deepEqual(levels(), ["warn", "debug", "warn"]);
});

Deno.test("S-103 a success removes the entry", () => {
  const { list } = setup();
  list.record("a.example", "dns_lookup_failed", "one");
  list.clear("a.example");
  list.clear("b.example");
  assert.equal(list.get("a.example"), undefined);
  assert.deepEqual(list.entries(), []);
});

Deno.test("metrics see what has not expired, oldest first; a sweep removes the rest", async () => {
  const { clock, list } = setup();
  list.record("a.example", "dns_lookup_failed", "look at wss://a.example/x");
  await clock.advance(HOURS);
  list.record("b.example", "protocol_error", "b");
  list.record("a.example", "dns_lookup_failed", "again");
  assert.deepEqual(list.entries(), [
    { host: "a.example", category: "dns_lookup_failed", reason: "again", count: 2 },
    { host: "b.example", category: "protocol_error", reason: "b", count: 1 },
  ]);
  await clock.advance(11 * HOURS);
  list.sweep();
  assert.deepEqual(list.entries().map(({ host }) => host), ["b.example"]);
});

Deno.test("a lifetime of 0 lists nobody", () => {
  const { list, levels } = setup(0);
  assert.equal(list.record("a.example", "dns_lookup_failed", "one"), 0);
  assert.equal(list.get("a.example"), undefined);
  assert.deepEqual([list.entries(), levels()], [[], []]);
});

Deno.test("the list holds 10 000 entries; the oldest makes room", () => {
  const { list } = setup();
  for (let n = 0; n <= 10_000; n++) list.record(`h${n}.example`, "dns_lookup_failed", "x");
  assert.equal(list.entries().length, 10_000);
  assert.deepEqual([list.get("h0.example"), list.get("h1.example")?.count], [undefined, 1]);
});
