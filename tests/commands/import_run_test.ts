import assert from "node:assert/strict";
import { Bounds } from "../../lib/commands/import/bounds.ts";
import type { ImportEngine } from "../../lib/commands/import/ports.ts";
import { importSpool } from "../../lib/commands/import/run.ts";
import { Spool } from "../../lib/commands/import/spool.ts";
import { noProgress } from "../../lib/commands/progress.ts";
import type { NostrEvent } from "../../lib/nostr/mod.ts";
import { event } from "../store/fixtures.ts";
import { withTempDirectory } from "../support/temp.ts";
import { runProgram } from "./support.ts";

/** A disk with room. */
const ROOM = { look: () => Promise.resolve() };

/** Judges as it is told, and remembers what it was asked. */
function judging(judge: (event: NostrEvent) => "saved" | "failed" | "orphan" | "cut"): {
  engine: ImportEngine;
  asked: string[];
} {
  const asked: string[] = [];
  const engine = {
    store: { watch: () => () => {} },
    admit: (value: NostrEvent) => {
      asked.push(value.content);
      const result = judge(value);
      if (result === "cut") return Promise.reject(new Error("cut off"));
      return Promise.resolve(result === "orphan" ? { result: "rejected", reason: "orphan" } : { result });
    },
    settled: () => Promise.resolve(),
  };
  return { engine: engine as unknown as ImportEngine, asked };
}

Deno.test("M-37 what could not be stored is imported by the next run, and nothing else again", () =>
  withTempDirectory(async (directory) => {
    const spool = new Spool(`${directory}/spool.db`);
    for (const content of ["a", "b", "c"]) spool.add(JSON.stringify(event({ content })));
    spool.filled("here");
    const first = await importSpool(
      judging(({ content }) => content === "b" ? "failed" : "saved").engine,
      spool,
      noProgress,
      ROOM,
    );
    assert.equal(first.failed, 1);
    const again = judging(() => "saved");
    const second = await importSpool(again.engine, spool, noProgress, ROOM);
    assert.deepEqual([again.asked, second.failed], [["b"], 0]);
    spool.close();
  }));

Deno.test("M-37 an import that was cut off still looks again at what named nothing stored before", () =>
  withTempDirectory(async (directory) => {
    const path = `${directory}/spool.db`;
    const cut = new Spool(path);
    const early = event({ content: "early", created_at: 1 });
    cut.add(JSON.stringify(early));
    for (let at = 2; at < 300; at++) cut.add(JSON.stringify(event({ content: `${at}`, created_at: at })));
    cut.filled("here");
    const orphanThenCut = judging(({ content }) =>
      content === "early" ? "orphan" : content === "299" ? "cut" : "saved"
    );
    await assert.rejects(importSpool(orphanThenCut.engine, cut, noProgress, ROOM), /cut off/);
    cut.close();
    const spool = new Spool(path);
    const rest = judging(() => "saved");
    await importSpool(rest.engine, spool, noProgress, ROOM);
    assert.ok(rest.asked.includes("early"));
    assert.ok(!rest.asked.includes("2"));
    spool.close();
  }));

Deno.test("a wrong path leaves nothing behind: no database of an import, no half export", () =>
  withTempDirectory(async (dataPath) => {
    const imported = await runProgram(["import", "--from", "no-such.jsonl"], { dataPath });
    assert.deepEqual([imported.code, imported.stderr.includes("no-such.jsonl cannot be read")], [1, true]);
    const exported = await runProgram(["export", "--to", "events.jsonl"], { dataPath });
    assert.deepEqual([exported.code, exported.stderr.includes("there is no database at")], [1, true]);
    assert.deepEqual(await Array.fromAsync(Deno.readDir(dataPath)), []);
  }));

Deno.test("a file without any event among its lines is no success of an import; one bad line among events is told", () =>
  withTempDirectory(async (directory) => {
    await Deno.writeTextFile(`${directory}/page.html`, "<html>\n</html>\n");
    const page = await runProgram(["import", "--from", "page.html"], { dataPath: directory });
    assert.equal(page.code, 1);
    assert.match(page.stdout, /^ {2}line 1: not JSON$/m);
    assert.match(page.stderr, /^error: there is no event among what was read$/m);
    const mixed = `${JSON.stringify(event({ kind: 1 }))}\n</html>\n`;
    const some = await runProgram(["import", "--from", "-"], { dataPath: directory, stdin: mixed });
    assert.equal(some.code, 0);
    assert.match(some.stdout, /^read +1 events, 0 repeated, 1 bad$/m);
  }));

Deno.test("M-37 an import stops before the disk is full, and at the number of events it may take", () =>
  withTempDirectory(async (dataPath) => {
    const events = [1, 2, 3].map((n) => JSON.stringify(event({ content: `${n}` })));
    await Deno.writeTextFile(`${dataPath}/events.jsonl`, events.join("\n"));
    const run = (args: readonly string[], env: Record<string, string> = {}) =>
      runProgram(["import", "--from", "events.jsonl", ...args], { dataPath, env });
    const full = await run([], { NGIT_MIN_FREE_DISK_MB: "999999999" });
    assert.equal(full.code, 1);
    assert.match(full.stderr, /^error: import stopped: less than 999999999 MiB are free on the disk of /m);
    const many = await run(["--max-events", "2"]);
    assert.equal(many.code, 1);
    assert.match(many.stderr, /^error: import stopped: the source sends more than 2 events; --max-events N/m);
    assert.equal((await run(["--max-events", "all"])).code, 2);
    assert.doesNotMatch((await run(["--max-events", "3"])).stderr, /import stopped/);

    const bounds = new Bounds({ folder: dataPath, minFreeMb: 999_999_999, maxEvents: Infinity });
    bounds.take(1 << 24);
    await assert.rejects(bounds.look(), /less than/);
    assert.throws(() => bounds.take(1), /less than/, "what was found while nobody waited ends the next");
  }));
