import assert from "node:assert/strict";
import fc from "fast-check";
import { HostThrottle } from "../../lib/hunt/throttle.ts";

const free = () => false;
const LIMITS = { maxConcurrent: 5, maxPerMinute: 60 };

Deno.test("P-73 five at once and sixty starts in any minute, per host", () => {
  const throttle = new HostThrottle(LIMITS);
  for (let count = 0; count < 5; count++) assert.ok(throttle.take("x", 0));
  assert.ok(!throttle.take("x", 0));
  assert.ok(throttle.take("y", 0), "another host is free");
  for (let count = 0; count < 5; count++) throttle.free("x", 0);
  for (let count = 0; count < 55; count++) {
    assert.ok(throttle.take("x", 1_000));
    throttle.free("x", 1_000);
  }
  assert.ok(!throttle.take("x", 59_999));
  assert.equal(throttle.throttled(59_999), 1);
  // The first five leave the window.
  for (let count = 0; count < 5; count++) assert.ok(throttle.take("x", 60_000));
  assert.ok(!throttle.take("x", 60_000));
});

Deno.test("P-74 three units at one host alternate; a fourth is served within one round", () => {
  const throttle = new HostThrottle({ maxConcurrent: 1, maxPerMinute: 60 });
  for (const unit of ["a", "b", "c"]) throttle.enqueue("x", unit, [], 0);
  const served: string[] = [];
  const turn = () => {
    served.push(throttle.next(0, free)!.unit);
    throttle.free("x", 0);
  };
  for (let count = 0; count < 5; count++) turn();
  throttle.enqueue("x", "d", [], 0);
  for (let count = 0; count < 4; count++) turn();
  assert.deepEqual(served.join(""), "abcabcdab");
});

Deno.test("P-74 no unit gets a second turn while another ready one has had none since", () => {
  const action = fc.oneof(
    fc.record({ type: fc.constant("enqueue" as const), unit: fc.nat({ max: 5 }) }),
    fc.record({ type: fc.constant("remove" as const), unit: fc.nat({ max: 5 }) }),
    fc.record({
      type: fc.constant("turn" as const),
      busy: fc.uniqueArray(fc.nat({ max: 5 }), { maxLength: 2 }),
    }),
  );
  fc.assert(fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
    const throttle = new HostThrottle({ maxConcurrent: 1, maxPerMinute: 1_000 });
    /** Turns others had since this unit was ready and last served. */
    const passedOver = new Map<string, Set<string>>();
    for (const step of actions) {
      if (step.type === "enqueue") {
        throttle.enqueue("x", String(step.unit), [], 0);
        if (!passedOver.has(String(step.unit))) passedOver.set(String(step.unit), new Set());
      } else if (step.type === "remove") {
        throttle.remove(String(step.unit), "x");
        passedOver.delete(String(step.unit));
      } else {
        const busy = new Set(step.busy.map(String));
        const turn = throttle.next(0, (unit) => busy.has(unit));
        const ready = [...passedOver.keys()].filter((unit) => !busy.has(unit));
        assert.equal(turn === undefined, ready.length === 0);
        if (!turn) continue;
        throttle.free("x", 0);
        for (const [unit, others] of passedOver) {
          if (unit === turn.unit || busy.has(unit)) others.clear();
          else {
            assert.ok(!others.has(turn.unit), `${turn.unit} twice before ${unit}`);
            others.add(turn.unit);
          }
        }
      }
    }
  }));
});

Deno.test("P-75 a host at its minute limit says when time alone opens it", () => {
  const throttle = new HostThrottle({ maxConcurrent: 5, maxPerMinute: 2 });
  for (const at of [100, 250]) {
    assert.ok(throttle.take("x", at));
    throttle.free("x", at);
  }
  assert.equal(throttle.wakeAt(300), undefined, "nobody waits");
  throttle.enqueue("x", "a", ["u1"], 300);
  assert.equal(throttle.wakeAt(300), 60_100);
  assert.equal(throttle.next(60_099, free), undefined);
  const turn = throttle.next(60_100, free)!;
  assert.deepEqual([turn.unit, [...turn.tried]], ["a", ["u1"]]);
});

Deno.test("hosts that ask us to stay away are busy until then", () => {
  const throttle = new HostThrottle(LIMITS);
  throttle.holdUntil("x", 5_000, 0);
  assert.ok(!throttle.take("x", 4_999));
  throttle.enqueue("x", "a", [], 0);
  assert.equal(throttle.wakeAt(0), 5_000);
  assert.equal(throttle.next(5_000, free)?.unit, "a");
});

Deno.test("queued twice: tried sets are united; a hunt does not pass those who queue", () => {
  const throttle = new HostThrottle(LIMITS);
  throttle.enqueue("x", "a", ["u1"], 0);
  throttle.enqueue("x", "a", ["u2"], 0);
  assert.deepEqual([...throttle.queuedUnits()], ["a"]);
  assert.ok(!throttle.take("x", 0));
  assert.deepEqual([...throttle.next(0, free)!.tried], ["u1", "u2"]);
  throttle.remove("a");
  assert.ok(throttle.take("x", 0));
});

Deno.test("a turn that needed no fetch counts as no start", () => {
  const throttle = new HostThrottle({ maxConcurrent: 1, maxPerMinute: 1 });
  throttle.enqueue("x", "a", [], 0);
  throttle.refund(throttle.next(0, free)!, 1);
  throttle.remove("a", "x");
  assert.ok(throttle.take("x", 1));
});

Deno.test("idle hosts are forgotten after ten minutes, busy ones are not; at most 10,000 are known", () => {
  const throttle = new HostThrottle(LIMITS);
  for (let count = 0; count < 10_000; count++) assert.ok(throttle.take(`h${count}`, 0));
  assert.ok(!throttle.take("one-more", 0), "all slots are taken, none may be forgotten");
  throttle.free("h7", 0);
  assert.ok(!throttle.take("one-more", 0), "its start still counts");
  assert.ok(throttle.take("one-more", 60_000));
  throttle.free("one-more", 60_000);
  throttle.prune(660_000);
  assert.ok(throttle.take("another", 660_000));
});
