import assert from "node:assert/strict";
import fc from "fast-check";
import { ByteReader, varintBytes } from "../../lib/negentropy/bytes.ts";
import { type Range, RangeReader, RangeWriter } from "../../lib/negentropy/message.ts";
import { initiate, reconcile, respond } from "../../lib/negentropy/mod.ts";
import { finish, setOf } from "./support.ts";

const MAX = 2n ** 64n - 1n;
const hex = (text: string) => Uint8Array.fromHex(text.replaceAll(" ", ""));

Deno.test("R-19 a varint reads back as written; other spellings and larger ones are none", () => {
  fc.assert(
    fc.property(fc.oneof(fc.bigInt({ min: 0n, max: MAX }), fc.bigInt({ min: 0n, max: 300n })), (value) => {
      const reader = new ByteReader(varintBytes(value));
      assert.equal(reader.varint(), value);
      assert.equal(reader.left, 0);
    }),
  );
  for (const text of ["", "80", "8000", "8001", "ff", "82ffffffffffffffff7f", "ff".repeat(40)]) {
    assert.equal(new ByteReader(hex(text)).varint(), undefined, text);
  }
});

Deno.test("R-23 every malformed message is a value that says why", () => {
  const set = setOf([{ id: "ab".repeat(32), createdAt: 7 }]);
  const cases: readonly (readonly [string, string])[] = [
    ["", "empty"],
    ["00", "version"],
    ["61 80", "varint"],
    ["61 8001 00 00", "varint"],
    ["61 00", "varint"],
    ["61 01 21", "bound"],
    ["61 01 20 00", "truncated"],
    ["61 01 ffffffff7f", "bound"],
    ["61 81ffffffffffffffff7f 00 00 02 00 00", "timestamp"],
    ["61 05 01ff 00 01 01fe 00", "order"],
    ["61 00 01ff 00 00 00 00", "order"],
    ["61 00 00 00 02 00 00", "timestamp"],
    ["61 00 00", "varint"],
    ["61 00 00 03", "mode"],
    ["61 00 00 81ffffffffffffffff7f", "mode"],
    ["61 00 00 01 00", "truncated"],
    ["61 00 00 02", "varint"],
    ["61 00 00 02 01 00", "truncated"],
    ["61 00 00 02 81ffffffffffffffff7f", "truncated"],
    ["61 00 00 02 ffffff7f", "truncated"],
  ];
  for (const [text, malformed] of cases) {
    assert.deepEqual(finish(respond(set, hex(text))), { malformed }, text);
    assert.deepEqual(finish(reconcile(set, hex(text))), { malformed }, text);
  }
  assert.deepEqual(finish(reconcile(set, hex("62"))), { malformed: "version" });
});

Deno.test("R-19 empty ranges, also after infinity, are in order", () => {
  const set = setOf([]);
  for (const text of ["61", "61 05 00 00 01 00 00", "61 00 00 00 00 00 00", "61 00 00 02 00 00 00 02 00"]) {
    assert.ok(finish(respond(set, hex(text))) instanceof Uint8Array, text);
  }
});

Deno.test("R-19 ranges read back as written", () => {
  const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
  const payload = fc.oneof(
    fc.constant({ mode: "skip" as const }),
    fc.record({ mode: fc.constant("fingerprint" as const), fingerprint: bytes(16) }),
    fc.record({
      mode: fc.constant("ids" as const),
      ids: fc.constantFrom(0, 1, 200).chain((n) => bytes(n * 32)),
    }),
  );
  const step = fc.tuple(fc.bigInt({ min: 1n, max: 2n ** 50n }), fc.uint8Array({ maxLength: 32 }), payload);
  fc.assert(
    fc.property(fc.array(step, { maxLength: 8 }), (steps) => {
      let timestamp = 0n;
      const ranges = steps.map(([offset, prefix, rest]): Range => {
        timestamp += offset;
        return { ...rest, bound: { timestamp, prefix } };
      });
      const writer = new RangeWriter();
      for (const range of ranges) writer.write(range);
      const reader = new RangeReader(writer.view().slice(1));
      for (const range of ranges) assert.deepEqual(reader.next(), range);
      assert.equal(reader.next(), undefined);
    }),
  );
});

Deno.test("R-23 no bytes make the parser throw or answer beyond its frame", () => {
  const items = Array.from({ length: 500 }, (_, n) => ({
    id: (n * 7_919 % 65_536).toString(16).padStart(4, "0").repeat(16),
    createdAt: n >> 2,
  }));
  const set = setOf(items);
  const real = [
    initiate(set),
    initiate(setOf(items.filter((_, n) => n % 3 === 0))),
    initiate(setOf(items.slice(0, 9))),
  ];
  const random = fc.uint8Array({ maxLength: 300 }).map((bytes) => Uint8Array.of(0x61, ...bytes));
  const mutated = fc.tuple(
    fc.constantFrom(...real),
    fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 6 }),
    fc.nat(),
  )
    .map(([message, changes, cut]) => {
      const copy = message.slice(0, cut % 4 === 0 ? cut % message.length : undefined);
      for (const [at, byte] of changes) if (copy.length > 0) copy[at % copy.length] = byte;
      return copy;
    });
  fc.assert(
    fc.property(fc.oneof(random, mutated), (message) => {
      const answer = finish(respond(set, message, 4_096));
      if (answer instanceof Uint8Array) assert.ok(answer.length <= 4_096);
      else assert.equal(typeof answer.malformed, "string");
      const findings = finish(reconcile(set, message, 4_096));
      if (!("malformed" in findings)) assert.ok((findings.next?.length ?? 0) <= 4_096);
    }),
    { numRuns: 3_000 },
  );
});
