import { deepStrictEqual } from "node:assert/strict";
import { syncSettings } from "../../lib/sync/mod.ts";
import { loadValid } from "../config/support.ts";
import { PRODUCTION } from "../support/sync_settings.ts";

Deno.test("the numbers of the sync scenarios are those a server without configuration works with", async () => {
  const config = await loadValid({ env: { NGIT_DOMAIN: "git.example.com" } });
  deepStrictEqual({ ...syncSettings(config) }, { ...PRODUCTION });
});
