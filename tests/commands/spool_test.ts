import { Bounds } from "../../lib/commands/import/bounds.ts";
import assert from "node:assert/strict";
import { spoolLines } from "../../lib/commands/import/file_source.ts";
import { linesOf } from "../../lib/commands/import/lines.ts";
import { RANKS, Spool } from "../../lib/commands/import/spool.ts";
import { noProgress } from "../../lib/commands/progress.ts";
import { event } from "../store/fixtures.ts";
import { withTempDirectory } from "../support/temp.ts";

async function* chunks(text: string | Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  const bytes = typeof text === "string" ? new TextEncoder().encode(text) : text;
  for (let at = 0; at < bytes.length; at += size) yield await Promise.resolve(bytes.slice(at, at + size));
}

/** Everything a spool gives out, in order, each settled. */
function drain(spool: Spool, most = Infinity): number[] {
  const kinds: number[] = [];
  for (const rank of RANKS) {
    for (const [next] of spool.open(rank, 1)) {
      if (!next || kinds.length === most) break;
      const { kind, created_at } = JSON.parse(next.text);
      kinds.push(kind * 1_000 + created_at % 1_000);
      spool.settle([next.number]);
    }
  }
  return kinds;
}

Deno.test("M-37 the order of an import: announcements, states, deletions, the rest, each by time; it goes on where it stopped", () =>
  withTempDirectory(async (directory) => {
    const drafts: [kind: number, second: number][] = [
      [1, 3],
      [5, 2],
      [30618, 9],
      [1621, 1],
      [30617, 8],
      [5, 1],
      [30618, 4],
      [30617, 7],
      [1, 1],
    ];
    const spool = new Spool(`${directory}/spool.db`);
    const lines = drafts.map(([kind, second]) =>
      JSON.stringify(event({ kind, created_at: 1_000_000 + second }))
    );
    lines[1] = `["EVENT",${lines[1]}]`;
    lines[2] = `["EVENT","sub",${lines[2]}]`;
    const text = [...lines, lines[0], "nonsense", "[]", '{"id":"a"}', "  "].join("\n");
    const bounds = new Bounds({ folder: directory, minFreeMb: 0, maxEvents: Infinity });
    const tally = await spoolLines(chunks(text, 7), spool, noProgress, bounds);
    assert.deepEqual([tally.read, tally.repeated, tally.bad], [9, 1, 3]);
    assert.deepEqual(tally.shown.map(({ line }) => line), [11, 12, 13]);
    spool.filled("here");
    const expected = [30617007, 30617008, 30618004, 30618009, 5001, 5002, 1001, 1621001, 1003];
    const first = drain(spool, 4);
    spool.close();
    const again = new Spool(`${directory}/spool.db`);
    assert.deepEqual([again.source, again.count, again.settledCount], ["here", 9, 4]);
    const sorted = (kinds: number[]) => kinds.map((kind, at) => at < 6 ? kind : kind % 1_000);
    assert.deepEqual(sorted([...first, ...drain(again)]), sorted(expected));
    again.clear();
    assert.deepEqual([again.source, again.count], [undefined, 0]);
    again.close();
  }));

Deno.test("M-37 an altered copy of an event does not hide the true one", () =>
  withTempDirectory((directory) => {
    const spool = new Spool(`${directory}/spool.db`);
    const truth = event({ kind: 1621, content: "as signed" });
    assert.equal(spool.add(JSON.stringify({ ...truth, content: "altered" })), "added");
    assert.equal(spool.add(JSON.stringify(truth)), "added");
    assert.equal(spool.add(JSON.stringify({ ...truth, relay: "extra", id: truth.id })), "repeated");
    spool.close();
    return Promise.resolve();
  }));

Deno.test("lines are bounded, may end anywhere, and have to be UTF-8", async () => {
  const long = "x".repeat(5 << 20);
  const read = async (text: string | Uint8Array, size: number) =>
    (await Array.fromAsync(linesOf(chunks(text, size)))).map((line) =>
      "text" in line ? `${line.number} ${line.text}` : `${line.number}: ${line.problem}`
    );
  for (const size of [1, 3, 100]) {
    assert.deepEqual(await read("a\n\r\n\nb€\r\nc", size), ["1 a", "4 b€", "5 c"]);
  }
  assert.deepEqual(await read(`${long}\nb\n`, 65_536), ["1: longer than 4 MiB", "2 b"]);
  assert.deepEqual(await read(new Uint8Array([255, 10, 98]), 10), ["1: not UTF-8", "2 b"]);
  assert.deepEqual(await read("", 10), []);
});
