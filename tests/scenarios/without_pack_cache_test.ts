import { deepStrictEqual } from "node:assert/strict";
import { git } from "../support/git_client.ts";
import { hosted, packRequests, scene } from "./support.ts";
import "./clone_test.ts";
import "./contributions_test.ts";
import "./first_push_test.ts";
import "./service_test.ts";
import "./wire_order_test.ts";
import "./wire_pull_request_test.ts";

// The scenarios whose clients clone and fetch once more, with servers that keep no packs.
const VARIABLE = "NGIT_PACK_CACHE_MB";
let before: string | undefined;

Deno.test.beforeAll(() => {
  before = Deno.env.get(VARIABLE);
  Deno.env.set(VARIABLE, "0");
});

Deno.test.afterAll(() => {
  if (before === undefined) Deno.env.delete(VARIABLE);
  else Deno.env.set(VARIABLE, before);
});

Deno.test("the servers of these scenarios keep no packs", () =>
  scene(async (stage) => {
    const { url } = await hosted(stage, "packs");
    for (const name of ["first", "second"]) await git(stage.directory, "clone", "-q", url, name);
    const results = await Promise.all(
      ["bypass", "miss", "hit"].map((result) => packRequests(stage.server, result)),
    );
    deepStrictEqual(results, [2, 0, 0]);
  }));
