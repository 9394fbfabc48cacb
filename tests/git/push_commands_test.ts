import assert from "node:assert/strict";
import fc from "fast-check";
import {
  encodePacket,
  encodePkt,
  flushPkt,
  joinBytes,
  type Packet,
  PktBuffer,
} from "../../lib/git/pkt_line.ts";
import { encodePushCommands, parsePushCommands, type PushRequest } from "../../lib/git/push_commands.ts";
import { isValidRefName, ZERO_OID } from "../../lib/nostr/mod.ts";

const A = "a".repeat(40);
const B = "b".repeat(40);

/** Parses a body that arrives in pieces of `size` bytes. */
async function parse(body: Uint8Array, size = 7): Promise<{ request: PushRequest; left: Uint8Array }> {
  let offset = 0;
  const reader = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (offset >= body.length) return controller.close();
      controller.enqueue(body.slice(offset, offset += size));
    },
  }, { highWaterMark: 0 }).getReader();
  const request = await parsePushCommands(reader);
  const parts: Uint8Array[] = [];
  for (let next = await reader.read(); !next.done; next = await reader.read()) parts.push(next.value);
  return { request, left: joinBytes(parts) };
}

function section(...lines: string[]): Uint8Array {
  return joinBytes([...lines.map((line) => encodePkt(line)), flushPkt()]);
}

async function refusalOf(...lines: string[]): Promise<string | undefined> {
  const { request } = await parse(section(...lines));
  return request.kind === "refused" ? request.text : undefined;
}

const oid = fc.string({ unit: fc.constantFrom(..."0123456789abcdef"), minLength: 40, maxLength: 40 });
const refName = fc.string({ minLength: 1, maxLength: 20 }).map((name) => `refs/heads/${name}`).filter(
  isValidRefName,
);

Deno.test("whatever packets are written are read back, in any pieces", () => {
  const packet = fc.oneof<fc.Arbitrary<Packet>[]>(
    fc.uint8Array({ maxLength: 300 }).map((payload) => ({ kind: "data", payload })),
    fc.constant({ kind: "flush" }),
    fc.integer({ min: 1, max: 3 }).map((length) => ({ kind: "special", length })),
  );
  fc.assert(fc.property(fc.array(packet), fc.integer({ min: 1, max: 50 }), (packets, size) => {
    const bytes = joinBytes(packets.map(encodePacket));
    const buffer = new PktBuffer();
    const read: unknown[] = [];
    for (let offset = 0; offset < bytes.length; offset += size) {
      buffer.push(bytes.subarray(offset, offset + size));
      for (let next = buffer.next(); next !== undefined; next = buffer.next()) read.push(next);
    }
    assert.deepEqual(read, packets);
    assert.equal(buffer.takeRest().length, 0);
  }));
});

Deno.test("a command section survives parsing and our own encoding, and the pack stays in the stream", async () => {
  const command = fc.record({ oldOid: oid, newOid: oid, ref: refName }, { noNullPrototype: true });
  await fc.assert(fc.asyncProperty(
    fc.uniqueArray(command, { selector: ({ ref }) => ref, minLength: 1, maxLength: 8 }),
    fc.uint8Array({ maxLength: 200 }),
    fc.integer({ min: 1, max: 400 }),
    async (commands, pack, size) => {
      const head = encodePushCommands({
        kind: "push",
        commands,
        capabilities: new Set(["report-status", "atomic"]),
        shallow: [A],
        rest: new Uint8Array(),
      }, commands);
      const { request, left } = await parse(joinBytes([head, pack]), size);
      assert.equal(request.kind, "push");
      if (request.kind !== "push") return;
      assert.deepEqual(request.commands, commands);
      assert.deepEqual([...request.capabilities], ["report-status", "atomic"]);
      assert.deepEqual(request.shallow, [A]);
      assert.deepEqual(joinBytes([request.rest, left]), pack);
    },
  ));
});

Deno.test("G-18 only exactly 0000 is a probe", async () => {
  assert.equal((await parse(flushPkt())).request.kind, "probe");
  assert.equal((await parse(flushPkt(), 1)).request.kind, "probe");
  assert.equal((await parse(new Uint8Array())).request.kind, "empty-body");
  const { request } = await parse(joinBytes([flushPkt(), flushPkt()]));
  assert.equal(request.kind === "refused" && request.text, "no ref updates found in push");
});

Deno.test("G-43 duplicate refs, certificates, other lines and 64-digit ids are refused", async () => {
  const line = `${ZERO_OID} ${A} refs/heads/x`;
  assert.equal(
    await refusalOf(`${line}\0 report-status`, `${A} ${B} refs/heads/x`),
    "the push names a ref twice",
  );
  assert.equal(await refusalOf("push-cert\0 report-status\n"), "signed pushes are not accepted");
  const unparsable = [
    `${A} refs/heads/x`,
    `${A}  ${B} refs/heads/x`,
    `${"a".repeat(64)} ${"b".repeat(64)} refs/heads/x\0 object-format=sha256`,
    `${A} ${B} `,
    `x${A} ${B} refs/heads/x`,
    "",
  ];
  for (const text of unparsable) assert.equal(await refusalOf(text), "malformed ref update in push", text);
  assert.equal(await refusalOf(line, `${line}2\0 atomic`), "malformed ref update in push");
  assert.equal(await refusalOf(`${line}\0 object-format=sha256`), "only the sha1 object format is accepted");
  for (const name of ["refs/heads/a b", "refs/heads/..", "refs/heads/x.lock", "refs/heads/x\n\n", "-n"]) {
    assert.equal(await refusalOf(`${A} ${B} ${name}`), "invalid ref name in push", name);
  }
  const latin1 = joinBytes([new TextEncoder().encode(`${A} ${B} refs/heads/`), new Uint8Array([0xff])]);
  const { request } = await parse(joinBytes([encodePkt(latin1), flushPkt()]));
  assert.equal(request.kind, "refused");
});

Deno.test("upper case ids are folded; the name is everything behind the second space", async () => {
  const { request } = await parse(section(`${A.toUpperCase()} ${B.toUpperCase()} refs/heads/ü\n`));
  assert.deepEqual(request.kind === "push" && request.commands, [{
    oldOid: A,
    newOid: B,
    ref: "refs/heads/ü",
  }]);
});

Deno.test("what is no pkt-line sequence, is cut off, or is too long gets a status", async () => {
  const status = async (body: Uint8Array | string) => {
    const { request } = await parse(typeof body === "string" ? new TextEncoder().encode(body) : body, 9_999);
    return request.kind === "malformed" ? request.status : request.kind;
  };
  for (const text of ["zzzz", "0001", "0002", "0003", "fff1", "00", "GET / HTTP/1.1"]) {
    assert.equal(await status(text), 400, text);
  }
  assert.equal(await status(encodePkt(`${A} ${B} refs/heads/x`)), 400);
  const many = Array.from({ length: 10_001 }, (_, index) => `${A} ${B} refs/heads/${index}`);
  assert.equal(await status(section(...many)), 413);
  assert.equal(await status(section(...Array.from({ length: 30_000 }, () => `shallow ${A}`))), 413);
});

Deno.test("no bytes make the parser throw", async () => {
  await fc.assert(fc.asyncProperty(fc.uint8Array({ maxLength: 500 }), fc.boolean(), async (bytes, framed) => {
    await parse(framed && bytes.length > 0 ? joinBytes([encodePkt(bytes), flushPkt()]) : bytes);
  }));
});
