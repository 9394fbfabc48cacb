import { strictEqual } from "node:assert/strict";
import { describeCpu } from "../../bench/contest.ts";

Deno.test("CPU time below one clock tick per sample is not measurable", () => {
  strictEqual(describeCpu(0, 10), "not measurable");
  strictEqual(describeCpu(5, 10), "not measurable");
  strictEqual(describeCpu(10, 10), "10 ms");
  strictEqual(describeCpu(0.381, 0.002), "0.381 ms");
});
