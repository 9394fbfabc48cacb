import assert from "node:assert/strict";
import { PackCache, type Produce } from "../../lib/git/pack_cache.ts";
import { withTempDirectory } from "../support/temp.ts";
import { VirtualClock } from "../support/virtual_clock.ts";
import { fakeLogger } from "./quiet_log.ts";

Deno.test("C-42 what was too large to keep is kept as soon as a raised limit has room for it", () =>
  withTempDirectory(async (root) => {
    let maxBytes = 100;
    const cache = new PackCache({
      root,
      maxBytes: () => maxBytes,
      hasSpace: () => Promise.resolve(true),
      patienceMs: () => 1_000,
      clock: new VirtualClock(),
      log: fakeLogger,
      track: () => {},
    });
    const produce: Produce = () =>
      Promise.resolve({
        response: new Response(new Uint8Array(80)),
        outcome: () => "success",
        isLasting: () => Promise.resolve(true),
      });
    const ask = async () => {
      const joined = await cache.join({ repository: "/x.git", key: "k", shape: "s" }, produce);
      while (joined && typeof await joined.reader.read() !== "string");
      joined?.reader.cut();
      await new Promise((resolve) => setTimeout(resolve));
      return joined?.result;
    };
    assert.deepEqual([await ask(), await ask()], ["miss", undefined]);
    maxBytes = 200;
    assert.deepEqual([await ask(), await ask()], ["miss", "hit"]);
  }));
