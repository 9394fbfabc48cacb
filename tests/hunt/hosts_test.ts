import assert from "node:assert/strict";
import { engine } from "../support/engine.ts";
import { declare, newSigner } from "../support/keys.ts";
import { eventually } from "../support/temp.ts";
import { announced, hunting, LISTED_MS, T } from "./hunt_support.ts";

Deno.test("P-73 P-75 fifty units at one host: at most five fetches at once, sixty starts a minute, then it goes on", () =>
  engine((world) =>
    hunting(world, async ({ remote, pass }) => {
      const owner = newSigner();
      const goOn = Promise.withResolvers<void>();
      for (let count = 0; count < 50; count++) {
        const urls = [`https://busy.org/${count}/a`, `https://busy.org/${count}/b`];
        for (const url of urls) {
          remote.answers.set(url, () => goOn.promise.then(() => ({ result: "nothing" })));
        }
        await world.sync(announced(owner, urls, { identifier: `r${count}` }));
        const refs = { "refs/heads/main": (count + 16).toString(16).padStart(40, "e") };
        await world.sync(declare(owner, `r${count}`, refs, { created_at: T }));
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
      await world.clock.advance(500);
      await eventually("the host is full", () => remote.asked.length === 5);
      goOn.resolve();
      await eventually("the minute is used up", () => remote.asked.length === 60);
      await pass(19_000);
      assert.deepEqual([remote.peak, remote.asked.length], [5, 60]);
      const units = new Set(remote.asked.map(({ url }) => url.split("/")[3]));
      assert.equal(units.size, 50, "P-74: every unit had a turn");
      await pass(41_500);
      await eventually("it resumes by itself", () => remote.asked.length > 60);
      assert.equal(remote.peak, 5);
    })
  ));

Deno.test("P-80 a host with a lasting fault is left alone until its term ends, then tried again", () =>
  engine((world) =>
    hunting(world, async ({ remote, pass, naughty, seen, hunt }) => {
      const owner = newSigner();
      remote.answers.set("https://bad.org/r", () =>
        Promise.resolve({ result: "naughty", category: "dns_lookup_failed", text: "no such host" }));
      await world.sync(announced(owner, ["https://bad.org/r"]));
      const state = declare(owner, "repo", { "refs/heads/main": "c".repeat(40) }, { created_at: T });
      await world.sync(state);
      await pass(500);
      assert.equal(naughty.get("bad.org")?.category, "dns_lookup_failed");
      assert.equal(hunt.gauges().naughtyHosts.length, 1);
      await pass(20_000);
      assert.equal(remote.asked.length, 1);
      assert.ok(seen.includes("skipped naughty") && seen.includes("hunt no_url"));
      await pass(LISTED_MS);
      await pass(120_000);
      assert.ok(remote.asked.length > 1);
    })
  ));

Deno.test("P-78 a host the address guard refused is left alone for an hour; one that asks for time gets it", () =>
  engine((world) =>
    hunting(world, async ({ remote, pass, naughty }) => {
      const owner = newSigner();
      const to = (url: string) => remote.asked.filter((asked) => asked.url === url).length;
      remote.answers.set("https://in.org/r", () => Promise.resolve({ result: "blocked" }));
      remote.answers.set("https://full.org/r", () =>
        Promise.resolve({ result: "network", retryAfterMs: 600_000 }));
      await world.sync(announced(owner, ["https://in.org/r", "https://full.org/r"]));
      const state = declare(owner, "repo", { "refs/heads/main": "c".repeat(40) }, { created_at: T });
      await world.sync(state);
      await pass(500);
      await pass(599_000);
      assert.deepEqual([to("https://in.org/r"), to("https://full.org/r")], [1, 1]);
      await pass(2_000);
      assert.equal(to("https://full.org/r"), 2);
      assert.equal(naughty.get("in.org"), undefined);
    })
  ));

Deno.test("a nearly full disk pauses fetching", () =>
  engine((world) =>
    hunting(world, async ({ remote, pass }) => {
      const owner = newSigner();
      await world.sync(announced(owner, ["https://x.org/r"]));
      await world.sync(declare(owner, "repo", { "refs/heads/main": "c".repeat(40) }, { created_at: T }));
      await pass(20_500);
      assert.deepEqual(remote.asked, []);
    }, { hasSpace: () => Promise.resolve(false) })
  ));

Deno.test("stop ends a hunt under way", () =>
  engine(async (world) => {
    await hunting(world, async ({ remote }) => {
      const owner = newSigner();
      const asked = Promise.withResolvers<void>();
      remote.answers.set("https://x.org/r", ({ signal }) => {
        asked.resolve();
        return new Promise((resolve) =>
          signal.addEventListener("abort", () => resolve({ result: "local" }), { once: true })
        );
      });
      await world.sync(announced(owner, ["https://x.org/r"]));
      await world.sync(declare(owner, "repo", { "refs/heads/main": "c".repeat(40) }, { created_at: T }));
      await new Promise((resolve) => setTimeout(resolve, 50));
      await world.clock.advance(500);
      await asked.promise;
    });
  }));

Deno.test("a turn at a host that fails here is not repeated without end", () => {
  let failures = 0;
  let isBroken = false;
  const hasSpace = () => {
    if (!isBroken) return Promise.resolve(true);
    failures++;
    // A turn of the event loop: without end this test would not end either.
    return new Promise<boolean>((_, reject) => setTimeout(() => reject(new Error("no disk")), 1));
  };
  return engine((world) =>
    hunting(world, async ({ remote }) => {
      const owner = newSigner();
      const goOn = Promise.withResolvers<void>();
      for (let count = 0; count < 2; count++) {
        const url = `https://busy.org/${count}`;
        remote.answers.set(url, () => goOn.promise.then(() => ({ result: "nothing" })));
        await world.sync(announced(owner, [url], { identifier: `r${count}` }));
        const refs = { "refs/heads/main": `${count + 1}`.repeat(40) };
        await world.sync(declare(owner, `r${count}`, { ...refs }, { created_at: T }));
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
      await world.clock.advance(500);
      await eventually("the host is full", () => remote.asked.length === 1);
      await new Promise((resolve) => setTimeout(resolve, 50));
      isBroken = true;
      goOn.resolve();
      await eventually("the turn failed", () => failures > 0);
      await new Promise((resolve) => setTimeout(resolve, 200));
      isBroken = false;
      assert.ok(failures <= 2, `${failures} times`);
    }, { maxConcurrentPerHost: 1, hasSpace })
  );
});
