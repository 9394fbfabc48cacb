import assert from "node:assert/strict";
import { KeptEvents } from "../../lib/sync/link_arrivals.ts";

Deno.test("S-55 what came by another way after it was asked for does not count as asked for though held", () => {
  const kept = new KeptEvents();
  kept.add("before");
  const { mark } = kept;
  kept.add("before");
  kept.add("meanwhile");
  assert.deepEqual(
    ["before", "meanwhile", "never"].map((id) => kept.isSince(id, mark)),
    [false, true, false],
  );
});

Deno.test("the memory of kept events is bounded: the oldest are forgotten", () => {
  const kept = new KeptEvents();
  for (let index = 0; index < 20_001; index++) kept.add(String(index));
  assert.equal(kept.isSince("0", 0), false);
  assert.equal(kept.isSince("1", 0), true);
});
