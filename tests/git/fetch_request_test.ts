import assert from "node:assert/strict";
import { type FetchRequest, readFetchRequest, RequestRoom } from "../../lib/git/fetch_request.ts";
import { encodePkt, joinBytes } from "../../lib/git/pkt_line.ts";
import { dice } from "./random_repository.ts";

const A = "a".repeat(40);
const B = "b".repeat(40);
const FLUSH = "0000";
const DELIMITER = "0001";
/** Lines to send: those of four characters that are special packets go as they are. */
type Lines = readonly string[];
const V2: Lines = ["command=fetch", "agent=git/2", "object-format=sha1", DELIMITER];
const V0 = `want ${A} side-band-64k ofs-delta agent=git/2`;

function encode(lines: Lines): Uint8Array {
  const raw = new Set([FLUSH, DELIMITER, "0002", "zzzz"]);
  return joinBytes(lines.map((line) => raw.has(line) ? new TextEncoder().encode(line) : encodePkt(line)));
}

/** Reads `body` in pieces of at most `most` bytes; what was taken has to be the body from its start. */
async function read(
  version: 0 | 1 | 2,
  body: Uint8Array,
  most: number,
  room = new RequestRoom(1 << 20),
): Promise<FetchRequest | undefined> {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < body.length; at += most) pieces.push(body.subarray(at, at + most));
  const rest = ReadableStream.from(pieces.slice(1)).getReader();
  const { bytes: taken, request } = await readFetchRequest(version, pieces[0]!, rest, room);
  assert.deepEqual(taken, body.subarray(0, taken.length));
  if (request) assert.equal(taken.length, body.length);
  await rest.cancel();
  return request;
}

const UNDERSTOOD: readonly (readonly [0 | 1 | 2, Lines, readonly string[], boolean])[] = [
  [2, [...V2, "ofs-delta", `want ${A}\n`, `want ${B}`, "done", FLUSH], [A, B], true],
  [2, [...V2, `want ${A}`, "deepen 1", "filter blob:none", "done", FLUSH], [A], true],
  [2, [...V2, `want ${A}`, `have ${B}`, FLUSH], [A], false],
  [2, [...V2, `want ${A}`, `shallow ${B}`, "done", FLUSH], [A], false],
  [0, [V0, `want ${B}\n`, FLUSH, "done\n"], [A, B], true],
  [1, [V0, "deepen 1", FLUSH, "done"], [A], true],
  [0, [V0, FLUSH, `have ${B}`, FLUSH, "done"], [A], false],
];

const LEFT_TO_GIT: readonly (readonly [0 | 2, Lines])[] = [
  [2, [...V2, `want ${A}`, "done"]],
  [2, [...V2, `want ${A}`, FLUSH]],
  [2, [...V2, "done", FLUSH]],
  [2, [...V2, `want ${A}`, "done", FLUSH, FLUSH]],
  [2, [...V2, `want ${A}`, "done", DELIMITER, FLUSH]],
  [2, [...V2, `want ${A}`, "done", "0002"]],
  [2, [...V2, "want-ref refs/heads/main", `want ${A}`, "done", FLUSH]],
  [2, [...V2, `want ${A.toUpperCase()}`, "done", FLUSH]],
  [2, [...V2, `want ${A} `, "done", FLUSH]],
  [2, [...V2, `want ${A}\0x`, "done", FLUSH]],
  [2, ["command=ls-refs", DELIMITER, `want ${A}`, "done", FLUSH]],
  [2, ["agent=git/2", "object-format=sha1", "command=fetch", DELIMITER, `want ${A}`, "done", FLUSH]],
  [2, ["zzzz"]],
  [0, [V0, FLUSH]],
  [0, [V0, FLUSH, `have ${B}`, FLUSH]],
  [0, [`want ${A} ofs-delta`, FLUSH, "done"]],
  [0, [`want ${A}`, FLUSH, "done"]],
  [0, [V0, FLUSH, "done", FLUSH]],
  [0, [V0, `want ${B} side-band-64k`, FLUSH, "done"]],
];

Deno.test("requests for whole packs are understood, in whatever pieces they come", async () => {
  for (const [version, lines, wants, isClone] of UNDERSTOOD) {
    for (const most of [1, 7, 1_000]) {
      const request = await read(version, encode(lines), most);
      assert.deepEqual([request?.wants, request?.isClone], [wants, isClone], lines.join());
    }
  }
});

Deno.test("what is cut, malformed, or brings no whole pack in a side-band is left to git", async () => {
  for (const [version, lines] of LEFT_TO_GIT) {
    for (const most of [1, 1_000]) {
      assert.equal(await read(version, encode(lines), most), undefined, lines.join());
    }
  }
  const long = encode([...V2, ...Array<string>(22_000).fill(`want ${A}`), "done", FLUSH]);
  assert.ok(await read(2, long, 60_000) === undefined);
});

Deno.test("equal lines mean equal requests: only what clients say about themselves is left out", async () => {
  const linesOf = async (version: 0 | 2, lines: Lines) =>
    JSON.stringify((await read(version, encode(lines), 1_000))?.lines);
  const tail = [`want ${A}`, "done", FLUSH];
  const first = await linesOf(2, [...V2, ...tail]);
  assert.equal(await linesOf(2, ["command=fetch", "session-id=1", DELIMITER, ...tail]) === first, false);
  const other = ["command=fetch", "object-format=sha1", "session-id=1", "agent=x", DELIMITER, ...tail];
  assert.equal(await linesOf(2, other), first);
  const all = new Set([first]);
  for (const extra of ["thin-pack", "include-tag", "deepen 1", "deepen 2", "filter tree:0", `have ${B}`]) {
    all.add(await linesOf(2, [...V2, extra, ...tail]));
  }
  assert.equal(all.size, 7);
  const v0 = await linesOf(0, [V0, FLUSH, "done"]);
  assert.equal(await linesOf(0, [`want ${A} side-band-64k ofs-delta agent=y`, FLUSH, "done"]), v0);
  assert.notEqual(await linesOf(0, [`want ${A} side-band-64k`, FLUSH, "done"]), v0);
});

Deno.test("damaged requests are understood as what they say or not at all", async () => {
  const roll = dice(7);
  const bodies = UNDERSTOOD.map(([version, lines]) => [version, encode(lines)] as const);
  for (let n = 0; n < 2_000; n++) {
    const [version, original] = bodies[n % bodies.length]!;
    const body = original.slice(0, roll(4) === 0 ? 1 + roll(original.length) : original.length);
    for (let hits = roll(3); hits > 0; hits--) body[roll(body.length)] = roll(256);
    const request = await read(version, body, 1 + roll(100));
    assert.ok(!request || request.wants.every((oid) => /^[0-9a-f]{40}$/.test(oid)));
  }
});

Deno.test("large requests that come slowly take a bounded room together; small ones are always understood", async () => {
  const room = new RequestRoom(1 << 20);
  const haves = Array.from({ length: 10_000 }, (_, n) => `have ${n.toString(16).padStart(40, "0")}`);
  const first = encode([...V2, `want ${A}`, ...haves]);
  const begin = () => {
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
    const read = readFetchRequest(2, first, readable.getReader(), room);
    return { read, end: () => ReadableStream.from([encode(["done", FLUSH])]).pipeTo(writable) };
  };
  const slow = [begin(), begin()];
  const { bytes, request } = await begin().read;
  assert.deepEqual([bytes, request], [first, undefined], "left to git at once");
  assert.ok(await read(2, encode([...V2, `want ${A}`, "done", FLUSH]), 1_000, room));
  for (const { read, end } of slow) {
    await end();
    assert.equal((await read).request?.isClone, false);
  }
  assert.ok(room.take(1 << 20), "all is given back");
});
