import assert from "node:assert/strict";
import { checkConfig } from "../../lib/commands/check_config.ts";
import { parseAnnouncement } from "../../lib/nostr/mod.ts";
import { classifyAnnouncement, curationRules } from "../../lib/policy/mod.ts";
import { systemClock } from "../../lib/world/mod.ts";
import { announce, newSigner } from "../support/keys.ts";
import { withTempDirectory } from "../support/temp.ts";
import { loadInvalid, loadValid, NPUB } from "./support.ts";

const LENIENT = { NGIT_LENIENT_LISTS: "true", NGIT_DOMAIN: "git.example.org" };

/** How an announcement that lists us is judged under these options. */
async function route(env: Readonly<Record<string, string>>, domain = "git.example.org"): Promise<string> {
  const parsed = parseAnnouncement(announce(newSigner(), "repo", { domain }));
  assert.ok(parsed.ok);
  const rules = curationRules(await loadValid({ env: { ...LENIENT, ...env } }));
  return classifyAnnouncement(parsed.announcement, rules).route;
}

Deno.test("C-15 lenient lists keep their good entries and warn about each of the others", async () => {
  const text = `npub1invalid,${NPUB},a/b/c,repo`;
  const env = { ...LENIENT, NGIT_REPOSITORY_WHITELIST: text, NGIT_EVENT_BLACKLIST: `foo,${NPUB}` };
  const config = await loadValid({ env });
  assert.deepEqual(config.repositoryWhitelist.map((entry) => entry.text), [NPUB, "repo"]);
  assert.deepEqual(config.eventBlacklist.map((entry) => entry.text), [NPUB]);
  assert.deepEqual(
    config.warnings.map((warning) => /(npub1invalid|a\/b\/c|foo).*\(skipped\)$/.exec(warning)?.[1]),
    [
      "npub1invalid",
      "a/b/c",
      "foo",
    ],
  );
  await loadInvalid({ env: { ...env, NGIT_LENIENT_LISTS: "false" } });
});

Deno.test("C-15 with lenient lists a whitelist without a valid entry accepts no announcement", async () => {
  assert.equal(await route({}), "host");
  assert.equal(await route({ NGIT_REPOSITORY_WHITELIST: "repo,npub1invalid" }), "host");
  assert.equal(await route({ NGIT_REPOSITORY_WHITELIST: "npub1invalid" }), "notListed");
  const archives = { NGIT_ARCHIVE_WHITELIST: "npub1invalid" };
  assert.deepEqual([await route(archives), await route(archives, "else.example")], [
    "notListed",
    "notListed",
  ]);
  const services = { NGIT_ARCHIVE_GRASP_SERVICES: "https://else.example/" };
  assert.deepEqual([await route(services), await route(services, "else.example")], [
    "notListed",
    "notListed",
  ]);
  const { trustedProxies, metricsAllowFrom } = await loadValid({
    env: { ...LENIENT, NGIT_TRUSTED_PROXIES: "10.0.0.0/99", NGIT_METRICS_ALLOW_FROM: "somebody" },
  });
  assert.deepEqual([trustedProxies, metricsAllowFrom], [[], []]);
});

Deno.test("C-15 the check warns about what lenient lists skip, and other values stay strict", () =>
  withTempDirectory(async (cwd) => {
    const { text, exitCode } = await checkConfig({
      args: ["--check-config", "--format=json", "--no-sync-enable", "--bind-address=127.0.0.1:0"],
      env: { ...LENIENT, PATH: Deno.env.get("PATH"), NGIT_REPOSITORY_BLACKLIST: "npub1invalid" },
      cwd,
      readTextFile: Deno.readTextFile,
      schemaVersion: 1,
      clock: systemClock,
    });
    const checks = JSON.parse(text).checks as { id: string; status: string }[];
    assert.deepEqual(checks.filter(({ id }) => id === "lists").map(({ status }) => status), ["warn"]);
    assert.equal(exitCode, 0, text);
    await loadInvalid({ env: { ...LENIENT, NGIT_MAX_SUBSCRIPTIONS: "many" } });
    await loadInvalid({ env: { ...LENIENT, NGIT_METRICS_ALLOW_FROM: "any,::1" } });
  }));
