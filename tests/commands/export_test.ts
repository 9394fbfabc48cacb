import assert from "node:assert/strict";
import { exportTo } from "../../lib/commands/export/run.ts";
import { openTarget } from "../../lib/commands/export/target.ts";
import { noProgress } from "../../lib/commands/progress.ts";
import { parseFilter } from "../../lib/nostr/mod.ts";
import { StoredData } from "../../lib/store/mod.ts";
import { systemClock } from "../../lib/world/mod.ts";
import { silentLog } from "../support/silent_log.ts";
import { event, NOW, open, put } from "../store/fixtures.ts";
import { withTempDirectory } from "../support/temp.ts";
import { runProgram } from "./support.ts";

/** 1,200 events, a hundred in each second. */
async function fill(path: string): Promise<void> {
  const { store } = await open(path);
  await Promise.all(
    Array.from(
      { length: 1_200 },
      (_, n) =>
        put(store, event({ content: String(n), created_at: NOW + Math.floor(n / 100), kind: n % 3 + 1_000 })),
    ),
  );
  await store.close();
}

async function exported(path: string, to: string, options: { resume?: boolean; filter?: unknown } = {}) {
  const filter = options.filter === undefined ? undefined : parseFilter(options.filter);
  const data = await StoredData.open({ location: path, clock: systemClock, log: silentLog });
  try {
    const target = await openTarget(to, options.resume ?? false);
    if (!target.ok) return target.reason;
    const filters = filter === undefined || typeof filter === "string" ? undefined : [filter];
    return await exportTo(target.target, { data, filters, since: undefined, progress: noProgress });
  } finally {
    data.close();
  }
}

Deno.test("an export holds every event once, oldest first, and goes on where it was cut off", () =>
  withTempDirectory(async (directory) => {
    const path = `${directory}/relay.db`;
    await fill(path);
    assert.equal(await exported(path, `${directory}/a`), 1_200);
    const whole = await Deno.readTextFile(`${directory}/a`);
    const events = whole.trimEnd().split("\n").map((line) => JSON.parse(line));
    assert.equal(new Set(events.map(({ id }) => id)).size, 1_200);
    assert.ok(events.every(({ created_at }, at) => at === 0 || created_at >= events[at - 1].created_at));
    assert.match(String(await exported(path, `${directory}/a`)), /exists/);

    for (const cut of [0, 10, 100_000, whole.length - 5, whole.length]) {
      await Deno.writeTextFile(`${directory}/b.partial`, whole.slice(0, cut));
      assert.match(String(await exported(path, `${directory}/b`)), /--resume/);
      assert.equal(typeof await exported(path, `${directory}/b`, { resume: true }), "number");
      assert.equal(await Deno.readTextFile(`${directory}/b`), whole, `cut at ${cut}`);
      await Deno.remove(`${directory}/b`);
    }
    await Deno.writeTextFile(`${directory}/b.partial`, "something else\n");
    await assert.rejects(
      exported(path, `${directory}/b`, { resume: true }),
      /does not end in lines of events/,
    );
  }));

Deno.test("an export can be narrowed by a filter and a date, and refuses what it does not understand", () =>
  withTempDirectory(async (directory) => {
    const path = `${directory}/relay/relay.db`;
    await Deno.mkdir(`${directory}/relay`);
    await fill(path);
    assert.equal(await exported(path, `${directory}/a`, { filter: { kinds: [1001], since: NOW + 10 } }), 67);
    const filter = JSON.stringify([{ kinds: [1001] }, { kinds: [1002], until: NOW }]);
    const since = new Date((NOW + 11) * 1000).toISOString();
    const run = await runProgram(["export", "--filter", filter, "--since", since], { dataPath: directory });
    assert.equal(run.code, 0, run.stderr);
    const kinds = run.stdout.trimEnd().split("\n").map((line) => JSON.parse(line).kind);
    assert.deepEqual([...new Set(kinds)], [1001]);
    for (
      const wrong of [["--filter", "{"], ["--filter", "[]"], ["--filter", '{"limit":1}'], ["--since", "now"]]
    ) {
      const { code, stdout } = await runProgram(["export", ...wrong], { dataPath: directory });
      assert.deepEqual([code, stdout], [2, ""], wrong.join(" "));
    }
  }));
