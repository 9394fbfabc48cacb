import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { createReadiness } from "../../lib/http/mod.ts";
import { VirtualClock } from "../support/virtual_clock.ts";

Deno.test("H-29 a check fails when it rejects, says no or is late, and recovers within 10 s", async () => {
  const clock = new VirtualClock();
  let broken = true;
  let runs = 0;
  const readiness = createReadiness({
    db: () => (runs++, broken ? Promise.reject(new Error("locked")) : Promise.resolve()),
    disk: () => Promise.resolve(!broken),
    git: () => broken ? new Promise(() => {}) : Promise.resolve(),
    fine: () => Promise.resolve(true),
  }, clock);
  const first = readiness();
  const second = readiness();
  await clock.advance(1_000);
  deepStrictEqual(await first, ["db", "disk", "git"]);
  deepStrictEqual(await second, ["db", "disk", "git"]);
  strictEqual(runs, 1);
  broken = false;
  deepStrictEqual(await readiness(), ["db", "disk", "git"]);
  await clock.advance(5_000);
  deepStrictEqual(await readiness(), []);
  clock.jump(-3_600_000);
  broken = true;
  const late = readiness();
  await clock.advance(1_000);
  deepStrictEqual(await late, ["db", "disk", "git"]);
});
