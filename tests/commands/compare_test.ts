import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert/strict";
import { type Category, categoryOf } from "../../lib/commands/compare/categories.ts";
import { isBehind } from "../../lib/commands/compare/report.ts";
import { eventsThere } from "../../lib/commands/compare/there.ts";
import { loadConfig } from "../../lib/config/mod.ts";
import { parseState } from "../../lib/nostr/mod.ts";
import { openStore } from "../../lib/store/mod.ts";
import { systemClock } from "../../lib/world/mod.ts";
import { announce, declare, newSigner } from "../support/keys.ts";
import { ScriptedRelay } from "../support/scripted_relay.ts";
import { silentLog } from "../support/silent_log.ts";
import { withTempDirectory } from "../support/temp.ts";

const OIDS = ["1", "2", "3"].map((digit) => digit.repeat(40));

Deno.test("M-40 a repository has all, none, some or other refs than its latest state declares", () => {
  const parsed = parseState(
    declare(newSigner(), "x", { "refs/heads/main": OIDS[0]!, "refs/heads/next": OIDS[1]! }),
  );
  const state = parsed.ok ? parsed.state : undefined;
  const cases: readonly [Record<string, string> | undefined, Category][] = [
    [{ "refs/heads/main": OIDS[0]!, "refs/heads/next": OIDS[1]! }, "all"],
    [{ "refs/heads/main": OIDS[0]!, "refs/heads/next": OIDS[1]!, "refs/nostr/a": OIDS[2]! }, "all"],
    [{ "refs/heads/main": OIDS[0]! }, "some"],
    [{ "refs/heads/main": OIDS[0]!, "refs/heads/next": OIDS[2]! }, "some"],
    [{ "refs/heads/main": OIDS[2]! }, "other"],
    [{ "refs/nostr/a": OIDS[2]! }, "none"],
    [{}, "none"],
    [undefined, "unknown"],
  ];
  for (const [refs, expected] of cases) {
    strictEqual(categoryOf(state, refs && new Map(Object.entries(refs))).category, expected);
  }
  strictEqual(categoryOf(undefined, new Map()).category, "none");
  strictEqual(categoryOf(undefined, new Map([["refs/heads/main", OIDS[0]!]])).category, "other");
});

Deno.test("M-40 a repository is behind when the other server has more of it, or that is unknown", () => {
  const cases: readonly [Category, number, Category, number, boolean][] = [
    ["all", 2, "all", 2, false],
    ["none", 0, "none", 0, false],
    ["other", 0, "other", 0, false],
    ["all", 2, "some", 1, false],
    ["none", 0, "all", 2, true],
    ["some", 1, "some", 2, true],
    ["some", 2, "some", 1, false],
    ["other", 0, "some", 1, true],
    ["none", 0, "other", 0, true],
    ["all", 2, "unknown", 0, true],
    ["unknown", 0, "none", 0, true],
  ];
  for (const [ours, m, theirs, n, expected] of cases) {
    const here = { category: ours, matching: m };
    const there = { category: theirs, matching: n };
    const repository = { owner: "", identifier: "", state: undefined, declared: 2, here, there };
    strictEqual(isBehind(repository), expected, `${ours} ${m} against ${theirs} ${n}`);
  }
});

Deno.test("M-40 the other relay is read to its end, each event once, unsigned ones left out", () =>
  withTempDirectory(async (directory) => {
    const relay = new ScriptedRelay();
    const signer = newSigner();
    // Whole groups share a second, as events of a script do.
    const at = (index: number) => ({ created_at: 1_000 + Math.floor(index / 7) });
    const states = Array.from({ length: 1_203 }, (_, index) => declare(signer, `r${index}`, {}, at(index)));
    const announcement = announce(signer, "r", { domain: "git.example.org" });
    const forged = { ...declare(signer, "forged", {}), sig: "0".repeat(128) };
    relay.peer.hold(...states, announcement, forged);
    const loaded = await loadConfig({
      args: [],
      env: {},
      readTextFile: () => Promise.reject(new Deno.errors.NotFound()),
      cwd: directory,
    });
    ok(loaded.ok);
    const store = await openStore({
      backend: "memory",
      location: "",
      clock: systemClock,
      limits: loaded.config,
      log: silentLog,
    });
    const data = { config: loaded.config, store, clock: systemClock };
    try {
      const read = await eventsThere(data, relay.url);
      deepStrictEqual(read.announcements.map(({ id }) => id), [announcement.id]);
      deepStrictEqual(read.states.map(({ id }) => id).sort(), states.map(({ id }) => id).sort());
    } finally {
      await relay.close();
    }
    await rejects(eventsThere(data, relay.url), /could not be reached/);
    await store.close();
  }));
