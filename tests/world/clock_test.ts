import assert from "node:assert/strict";
import { systemClock } from "../../lib/world/mod.ts";

Deno.test("whoever sleeps until a moment never wakes before it", async () => {
  let early = 0;
  await Promise.all(Array.from({ length: 100 }, async (_, index) => {
    const moment = systemClock.monotonic() + 5 + index * 0.37;
    await systemClock.sleep(moment - systemClock.monotonic());
    if (systemClock.monotonic() < moment) early++;
  }));
  assert.equal(early, 0);
});

Deno.test("an aborted sleep ends at once, before and after it began", async () => {
  const stop = new AbortController();
  const asleep = systemClock.sleep(3_600_000, stop.signal);
  stop.abort();
  await asleep;
  await systemClock.sleep(3_600_000, stop.signal);
});
