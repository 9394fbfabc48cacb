import assert from "node:assert/strict";
import fc from "fast-check";
import { FetchOutputFilter } from "../../lib/git/fetch_output.ts";
import {
  encodePacket,
  encodePkt,
  flushPkt,
  joinBytes,
  type Packet,
  PktBuffer,
} from "../../lib/git/pkt_line.ts";
import { BAND } from "../../lib/git/side_band.ts";

const PATH = "/srv/git/secret";

function band(number: number, payload: Uint8Array | string): Uint8Array {
  const bytes = typeof payload === "string" ? new TextEncoder().encode(payload) : payload;
  return encodePkt(joinBytes([new Uint8Array([number]), bytes]));
}

/** What the filter passes of `output` when it arrives in pieces of `sizes` bytes, over and over. */
function passed(output: Uint8Array, sizes: readonly number[]): { text: Uint8Array; isWholePack: boolean } {
  const filter = new FetchOutputFilter([PATH]);
  const parts: Uint8Array[] = [];
  for (let at = 0, piece = 0; at < output.length; piece++) {
    const size = sizes[piece % sizes.length]!;
    parts.push(filter.push(output.slice(at, at + size)));
    at += size;
  }
  parts.push(filter.end());
  return { text: joinBytes(parts), isWholePack: filter.isWholePack };
}

interface Read {
  /** Everything but texts, in order. */
  readonly others: Packet[];
  readonly progress: string;
}

/** Apart, because texts are put together to whole lines, which may pass later than what follows them. */
function read(output: Uint8Array): Read {
  const buffer = new PktBuffer();
  buffer.push(output);
  const others: Packet[] = [];
  let progress = "";
  for (let packet = buffer.next(); packet !== undefined; packet = buffer.next()) {
    assert.notEqual(packet, "malformed");
    const { kind, payload } = packet as Extract<Packet, { kind: "data" }>;
    if (kind === "data" && payload[0] === BAND.progress) {
      progress += new TextDecoder().decode(payload.slice(1));
    } else others.push(packet as Packet);
  }
  return { others, progress };
}

Deno.test("G-68 packs pass as they are and texts without host paths, however git's output is cut", () => {
  const pack = fc.uint8Array({ maxLength: 3_000 }).map((bytes) => band(BAND.data, bytes));
  const text = fc.constantFrom("counting", " 50%\r", `lost ${PATH} it is`, "\n").map((text) =>
    band(BAND.progress, text)
  );
  const section = fc.constantFrom(
    encodePkt("packfile\n"),
    encodePkt("NAK\n"),
    encodePkt(""),
    encodePacket({ kind: "special", length: 1 }),
  );
  const sizes = fc.array(fc.constantFrom(1, 3, 4, 5, 6, 100, 1_000, 10_000), { minLength: 1, maxLength: 5 });
  fc.assert(fc.property(fc.array(fc.oneof(pack, pack, text, section)), sizes, (packets, sizes) => {
    const output = joinBytes([...packets, flushPkt()]);
    const { text, isWholePack } = passed(output, sizes);
    const [before, after] = [read(output), read(text)];
    assert.deepEqual(after.others, before.others);
    assert.equal(after.progress, before.progress.replaceAll(PATH, "<path>"));
    assert.equal(isWholePack, before.others.some((p) => p.kind === "data" && p.payload[0] === BAND.data));
  }));
});

Deno.test("a chunk that is all pack is passed on uncopied", () => {
  const filter = new FetchOutputFilter([]);
  const output = joinBytes([band(BAND.data, new Uint8Array(1_000)), band(BAND.data, new Uint8Array(2_000))]);
  for (const chunk of [output.subarray(0, 700), output.subarray(700, 2_500), output.subarray(2_500)]) {
    assert.equal(filter.push(chunk), chunk);
  }
});

Deno.test("only a pack from its beginning to its flush, in a side-band and without complaint, is whole", () => {
  const pack = band(BAND.data, "PACK and more");
  const cases: [expected: boolean, ...output: Uint8Array[]][] = [
    [true, encodePkt("packfile\n"), pack, flushPkt()],
    [true, encodePkt("NAK\n"), pack, pack, flushPkt()],
    [false, encodePkt("packfile\n"), pack],
    [false, encodePkt("packfile\n"), pack.subarray(0, 9)],
    [false, encodePkt("packfile\n"), pack, flushPkt(), pack.subarray(0, 3)],
    [false, encodePkt("packfile\n"), pack, band(BAND.error, "died"), flushPkt()],
    [false, encodePkt("ERR not our ref"), pack, flushPkt()],
    [false, encodePkt("NAK\n"), flushPkt()],
    [false, encodePkt("NAK\n"), new TextEncoder().encode("PACK without side-band"), flushPkt()],
  ];
  for (const [index, [expected, ...output]] of cases.entries()) {
    for (const sizes of [[1], [4, 5], [10_000]]) {
      const { text, isWholePack } = passed(joinBytes(output), sizes);
      assert.equal(isWholePack, expected, `case ${index}, pieces of ${sizes}`);
      if (expected) assert.deepEqual(text, joinBytes(output));
    }
  }
});
