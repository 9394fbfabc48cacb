import assert from "node:assert/strict";
import { resolve } from "node:path";
import { claimsIn, readClaims, renderPage } from "./page.ts";

const ROOT = resolve(import.meta.dirname!, "../..");

Deno.test("docs/conformance.md is what the names of the tests say (deno task conformance writes it)", async () => {
  const committed = await Deno.readTextFile(`${ROOT}/docs/conformance.md`);
  assert.ok(committed === renderPage(await readClaims(ROOT)), "stale: run deno task conformance");
});

Deno.test("a test name gives one row per leading id, whatever its quotes", () => {
  const call = "Deno.test(";
  const source = [
    `${call}"R-909 G-902 says a|b", () => {`,
    `${call}\n  'R-910 a "quoted" word', async () => {`,
    `${call}\`R-902 by \${name}\`, () => {`,
    `${call}{ name: "IO-901 an object", fn() {`,
    `${call}"no id, though it speaks of R-901", () => {`,
    `Deno.test.ignore("R-903 not run", () => {`,
  ].join("\n");
  const page = renderPage(claimsIn("tests/x_test.ts", source));
  assert.deepEqual(page.match(/^\| [A-Z]+-.*? \|.*? \|/gm), [
    "| R-902 | by … |",
    "| R-909 | says a\\|b |",
    '| R-910 | a "quoted" word |',
    "| G-902 | says a\\|b |",
    "| IO-901 | an object |",
  ]);
});

Deno.test("an id that belongs to no chapter is an error", () => {
  const [claim] = claimsIn("tests/x_test.ts", `Deno.${"test"}("Q-1 what", () => {`);
  assert.throws(() => renderPage([claim!]), /Q-1 belongs to no chapter/);
});
