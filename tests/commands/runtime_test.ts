import { match, ok, strictEqual } from "node:assert/strict";
import { runtimeWarning } from "../../lib/commands/runtime.ts";

Deno.test("a runtime known to lack back-pressure is warned about, the pinned one is not", () => {
  for (const version of ["2.5.6", "2.7.14"]) strictEqual(runtimeWarning(version), undefined);
  for (const version of ["2.8.0", "2.9.6", "3.0.0"]) {
    match(runtimeWarning(version)!, /buffers pushes without bound/);
  }
});

Deno.test("the pinned Deno is the one the README names and the tests run on", async () => {
  const pinned = (await Deno.readTextFile(".deno-version")).trim();
  const readme = await Deno.readTextFile("README.md");
  const named = new Set([...readme.matchAll(/deno@([\d.]+)/g)].map((match) => match[1]));
  ok(named.size === 1 && named.has(pinned), [...named].join());
  if (!Deno.env.has("NGIT_GRASP_OTHER_DENO")) strictEqual(Deno.version.deno, pinned);
});
