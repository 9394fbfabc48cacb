import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { LineWriter } from "../../lib/observe/mod.ts";

/** A writer, and what it has written so far. */
function writer() {
  const written: string[] = [];
  return { written, lines: new LineWriter((text) => void written.push(text)) };
}

Deno.test("lines of the same turn are written together, in their order", async () => {
  const { written, lines } = writer();
  lines.add("one", "info");
  lines.add("two", "debug");
  deepStrictEqual(written, []);
  await Promise.resolve();
  deepStrictEqual(written, ["one\ntwo\n"]);
  lines.add("three", "info");
  await Promise.resolve();
  deepStrictEqual(written, ["one\ntwo\n", "three\n"]);
});

Deno.test("errors and warnings are written at once, behind what came before them", async () => {
  for (const level of ["error", "warn"] as const) {
    const { written, lines } = writer();
    lines.add("before", "info");
    lines.add("bad", level);
    lines.add("after", "info");
    deepStrictEqual(written, ["before\nbad\n"]);
    await Promise.resolve();
    deepStrictEqual(written, ["before\nbad\n", "after\n"]);
  }
});

Deno.test("much text does not wait, and what waits at the end is written once", async () => {
  const { written, lines } = writer();
  for (let count = 0; count < 100; count++) lines.add("x".repeat(1_000), "info");
  strictEqual(written.length, 1);
  lines.flush();
  lines.flush();
  strictEqual(written.join("").length, 100 * 1_001);
  strictEqual(written.length, 2);
  await Promise.resolve();
  strictEqual(written.length, 2);
});
