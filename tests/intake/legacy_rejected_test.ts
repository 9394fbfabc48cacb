import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { importLegacyRejected } from "../../lib/intake/mod.ts";
import { isRefused, LineLog } from "../store/fixtures.ts";
import { DAMAGED_FILES, rejectedCache } from "../support/legacy_files.ts";
import { withTempDirectory } from "../support/temp.ts";
import { announcement, BAD_SIGNATURE, type Bench, bench, KEYS, NOW, state } from "./support.ts";

const OID = "1".repeat(40);
const DAY = 86_400_000;
const LIFETIMES = { hotMs: 120_000, coldMs: 7 * DAY };
const NAME = "rejected-events-cache.json";

/** Imports `content` as a start does; the lines logged and what the file is called afterwards. */
async function importing({ store, clock }: Bench, content: string | Uint8Array | undefined) {
  return await withTempDirectory(async (gitDataPath) => {
    const log = new LineLog();
    if (typeof content === "string") await Deno.writeTextFile(`${gitDataPath}/${NAME}`, content);
    else if (content) await Deno.writeFile(`${gitDataPath}/${NAME}`, content);
    const verifier = { verify: ({ sig }: { sig: string }) => Promise.resolve(sig !== BAD_SIGNATURE) };
    await importLegacyRejected({ store, clock, verifier, refusedLifetimes: LIFETIMES, gitDataPath, log });
    const files: string[] = [];
    for await (const { name } of Deno.readDir(gitDataPath)) files.push(name);
    return { lines: log.lines, files };
  });
}

/** All that is remembered about identifier `x`. */
const remembered = ({ store }: Bench) =>
  store.refused(
    { identifier: "x", announcementsBy: Object.values(KEYS), statesBy: Object.values(KEYS) },
    3,
    100,
  );

Deno.test("S-91 the index of refused events of a Rust ngit-grasp is imported once, downtime counted as age", () =>
  bench(async (world) => {
    const { clock, sync, store } = world;
    const now = clock.now();
    const early = state("alice", OID);
    const late = state("alice", "2".repeat(40));
    const foreign = announcement("bob", { elsewhere: true });
    const content = rejectedCache(now - 60_000, {
      whole: [{ event: early, age: 30 }, { event: late, age: 61 }],
      ids: [
        { event: early, age: 30 },
        { event: late, age: 61, reason: "Other" },
        { event: foreign, age: 3_600, reason: "DoesNotListService" },
      ],
    });
    const { lines, files } = await importing(world, content);
    match(lines.join(), /^info file of the Rust ngit-grasp imported .*"refused":3,"damaged":0/);
    deepStrictEqual(files, [`${NAME}.imported`]);
    const found = new Map((await remembered(world)).map((match) => [match.id, match]));
    deepStrictEqual(found.get(early.id), {
      id: early.id,
      type: "state",
      kind: 30618,
      author: KEYS.alice,
      identifier: "x",
      createdAt: NOW,
      reason: "maintainer_not_yet_valid",
      at: now - 90_000,
      attempts: 0,
      until: now - 90_000 + 7 * DAY,
      whole: { event: early, until: now + 30_000 },
    });
    deepStrictEqual([found.get(late.id)?.whole, found.get(late.id)?.reason], [undefined, "other"]);
    const bobs = found.get(foreign.id);
    deepStrictEqual([bobs?.type, bobs?.reason], ["announcement", "does_not_list_service"]);
    strictEqual((await sync(early)).result, "rejected");
    clock.jump(7 * DAY - 90_000);
    ok(!await isRefused(store, early.id));
    deepStrictEqual(await importing(world, undefined), { lines: [], files: [] });
  }));

Deno.test("S-93 S-94 an imported refusal is overturned like any other: whole events at once, others are fetched", () =>
  bench(async (world) => {
    const { clock, submit, intake, store, wants } = world;
    const whole = state("alice", OID);
    const known = state("bob", OID);
    await importing(
      world,
      rejectedCache(clock.now(), {
        whole: [{ event: whole, age: 1 }],
        ids: [{ event: whole, age: 1 }, { event: known, age: 1 }],
      }),
    );
    await submit(announcement("alice", { maintainers: [KEYS.bob] }));
    await intake.settled();
    strictEqual(await store.waitingKind(whole.id), "state");
    deepStrictEqual(wants, [{ kind: 30618, identifier: "x", authors: [KEYS.bob] }]);
  }));

Deno.test("S-91 of refusals only usable ones are imported, and what is here already stays", () =>
  bench(async (world) => {
    const { clock, sync, submit, store } = world;
    const now = clock.now();
    const mine = state("alice", OID);
    await sync(mine);
    const waiting = announcement("carol", { identifier: "y" });
    await submit(waiting);
    const accepted = announcement("dave");
    const forged = { ...state("bob", OID), sig: BAD_SIGNATURE };
    const swapped = state("bob", "3".repeat(40));
    const old = state("bob", "4".repeat(40));
    const parsed = JSON.parse(rejectedCache(now, {
      whole: [accepted, forged, swapped].map((event) => ({ event, age: 1 })),
      ids: [
        { event: mine, age: 500 },
        { event: waiting, age: 1 },
        { event: forged, age: 1 },
        { event: swapped, age: 1 },
        { event: old, age: 7 * 86_400 },
      ],
    }));
    parsed.hot_cache.entries[swapped.id].event = forged;
    const entry = parsed.cold_index.entries[swapped.id];
    const bad = [
      { ...entry, pubkey: "x" },
      { ...entry, identifier: 1 },
      { ...entry, identifier: "x".repeat(1_025) },
      { ...entry, event_type: "Patch" },
      { ...entry, reason: "Because" },
      { ...entry, rejected_at_offset_secs: -1 },
      null,
    ];
    bad.forEach((each, index) => parsed.cold_index.entries[String(index).repeat(64)] = each);
    parsed.cold_index.entries.short = entry;
    const { lines } = await importing(world, JSON.stringify(parsed));
    match(lines.join(), /"refused":2,"damaged":8/);
    const found = await remembered(world);
    deepStrictEqual(found.map(({ id }) => id).sort(), [mine.id, forged.id, swapped.id].sort());
    strictEqual(found.find(({ id }) => id === mine.id)?.at, now);
    ok(found.every(({ id, whole }) => id === mine.id || whole === undefined));
    ok(!await isRefused(store, accepted.id));
  }));

for (const [what, content] of DAMAGED_FILES) {
  Deno.test(`S-108 M-25 a damaged legacy file of refused events (${what}) does not prevent start`, () =>
    bench(async (world) => {
      const { lines, files } = await importing(world, content);
      match(lines.join(), /^warn file of the Rust ngit-grasp cannot be read; not imported/);
      deepStrictEqual(files, [`${NAME}.invalid`]);
    }));
}
