import assert from "node:assert/strict";
import { PackCache, type Produce } from "../../lib/git/pack_cache.ts";
import { withTempDirectory } from "../support/temp.ts";
import { VirtualClock } from "../support/virtual_clock.ts";
import { fakeLogger } from "./quiet_log.ts";

/** Answers of 80 bytes. */
const produce: Produce = () =>
  Promise.resolve({
    response: new Response(new Uint8Array(80)),
    outcome: () => "success",
    isLasting: () => Promise.resolve(true),
  });

interface Scene {
  readonly limit: { bytes: number };
  join(key: string): ReturnType<PackCache["join"]>;
  /** How `key` was answered, once it has been read. */
  ask(key: string): Promise<string | undefined>;
}

async function scene(bytes: number, work: (scene: Scene) => Promise<void>): Promise<void> {
  await withTempDirectory(async (root) => {
    const limit = { bytes };
    const cache = new PackCache({
      root,
      maxBytes: () => limit.bytes,
      hasSpace: () => Promise.resolve(true),
      patienceMs: () => 1_000,
      clock: new VirtualClock(),
      log: fakeLogger,
      track: () => {},
    });
    const join = (key: string) => cache.join({ repository: "/x.git", key, shape: key }, produce);
    const ask = async (key: string) => {
      const joined = await join(key);
      while (joined && typeof await joined.reader.read() !== "string");
      joined?.reader.cut();
      await new Promise((resolve) => setTimeout(resolve));
      return joined?.result;
    };
    await work({ limit, join, ask });
  });
}

Deno.test("C-42 what was too large to keep is kept as soon as another limit has room for it", () =>
  scene(100, async ({ limit, ask }) => {
    assert.deepEqual([await ask("a"), await ask("a")], ["miss", undefined]);
    limit.bytes = 200;
    assert.deepEqual([await ask("a"), await ask("a")], ["miss", "hit"]);
  }));

Deno.test("while half the room is taken by what is being read, further answers are not shared", () =>
  scene(200, async ({ join, ask }) => {
    for (const key of ["a", "b"]) assert.equal(await ask(key), "miss");
    const slow = [await join("a"), await join("b")];
    assert.equal(await ask("c"), undefined);
    assert.equal(await ask("a"), "hit");
    for (const joined of slow) joined!.reader.cut();
    assert.deepEqual([await ask("c"), await ask("c")], ["miss", "hit"]);
  }));
