import assert from "node:assert/strict";
import { backoffMs, Health } from "../../lib/sync/health.ts";
import { SETTINGS } from "./support.ts";

const SECOND = 1_000;
const HOUR = 3_600_000;
/** The draw that leaves a delay as it is. */
const MIDDLE = 0.5;

/** Fails `times` times, each as soon as the delay before it is over; returns the delays in seconds. */
function failing(times: number, draw: number): number[] {
  const health = new Health(SETTINGS);
  const delays: number[] = [];
  for (let now = 0; delays.length < times; now = health.dueAt) {
    health.failure(now, draw);
    delays.push(Math.round(health.dueAt - now) / SECOND);
  }
  return delays;
}

Deno.test("S-99 delays double from 5 s to 3600 s and vary by at most 20 percent", () => {
  const exact = [5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600];
  assert.deepEqual(failing(12, MIDDLE), exact);
  assert.deepEqual(failing(4, 0), [4, 8, 16, 32]);
  assert.deepEqual(failing(12, 1), [6, 12, 24, 48, 96, 192, 384, 768, 1536, 3072, 3600, 3600]);
  assert.equal(backoffMs(100_000, 5, 3600), 3600);
});

Deno.test("S-100 failures are forgotten only after 300 s of unbroken connection", () => {
  const health = new Health(SETTINGS);
  health.failure(0, MIDDLE);
  health.failure(10 * SECOND, MIDDLE);
  health.success(20 * SECOND);
  assert.equal(health.state(20 * SECOND), "Degraded");
  assert.equal(health.failures(319 * SECOND), 2);
  health.failure(22 * SECOND, MIDDLE);
  assert.equal(health.dueAt, 42 * SECOND, "a peer that accepts and drops is the third failure in a row");
  health.success(50 * SECOND);
  assert.equal(health.failures(349 * SECOND), 3);
  assert.equal(health.state(350 * SECOND), "Healthy");
  assert.equal(health.failures(350 * SECOND), 0);
  health.failure(400 * SECOND, MIDDLE);
  assert.equal(health.dueAt, 405 * SECOND);
});

Deno.test("S-101 after 24 h of failures a relay is dead and is tried every 24 h", () => {
  const health = new Health(SETTINGS);
  health.failure(0, MIDDLE);
  assert.equal(health.state(24 * HOUR - 1), "Degraded");
  assert.equal(health.state(24 * HOUR), "Dead");
  health.failure(24 * HOUR, 0);
  assert.equal(health.dueAt, 48 * HOUR);
  health.failure(48 * HOUR, 1);
  assert.equal(health.dueAt, 72 * HOUR);
  health.success(72 * HOUR);
  assert.equal(health.state(72 * HOUR), "Degraded", "alive again, not yet stable");
});

Deno.test("the first matching state is shown, unknown relays may be tried", () => {
  const health = new Health(SETTINGS);
  assert.equal(health.state(0), "Disconnected");
  assert.ok(health.dueAt <= 0);
  health.success(0);
  assert.equal(health.state(0), "Healthy");
  health.released(SECOND);
  assert.equal(health.state(SECOND), "Disconnected");
  assert.equal(health.failures(SECOND), 0, "a deliberate close is no failure");
  health.failure(2 * SECOND, MIDDLE);
  health.rateLimited(3 * SECOND);
  assert.equal(health.state(3 * SECOND), "RateLimited");
  assert.equal(health.state(68 * SECOND), "Degraded");
});

Deno.test("S-71 a cooldown lasts 65 s, is restarted by signals, doubles from the third in an hour up to 15 min", () => {
  const health = new Health(SETTINGS);
  health.rateLimited(0);
  assert.equal(health.cooldownUntil, 65 * SECOND);
  health.rateLimited(SECOND);
  assert.equal(health.cooldownUntil, 66 * SECOND, "one burst counts once, and restarts");
  health.rateLimited(100 * SECOND);
  assert.equal(health.cooldownUntil, 165 * SECOND);
  const lengths: number[] = [];
  for (let now = 1_000 * SECOND; lengths.length < 5; now += 100 * SECOND) {
    health.rateLimited(now);
    lengths.push((health.cooldownUntil - now) / SECOND);
  }
  assert.deepEqual(lengths, [130, 260, 520, 900, 900]);
  health.success(1_500 * SECOND);
  assert.ok(health.isCoolingDown(1_500 * SECOND), "a reconnect does not end it");
  health.rateLimited(3 * HOUR);
  assert.equal(health.cooldownUntil, 3 * HOUR + 65 * SECOND, "an hour later all is forgotten");
});

Deno.test("a later retry time is kept", () => {
  const health = new Health(SETTINGS);
  health.rateLimited(0);
  health.failure(SECOND, MIDDLE);
  assert.equal(health.dueAt, 65 * SECOND);
});
