import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { createItemSet, type SetItem } from "../../lib/negentropy/mod.ts";
import { finish, setOf, stepped } from "./support.ts";

const idOf = (n: number) => createHash("sha256").update(`item ${n}`).digest("hex");

/** The fingerprint as NIP-77 words it, with big integers. */
function fingerprintByText(ids: readonly string[]): string {
  let sum = 0n;
  for (const id of ids) sum += BigInt("0x" + Uint8Array.fromHex(id).toReversed().toHex());
  const bytes = Uint8Array.fromHex((sum % 2n ** 256n).toString(16).padStart(64, "0")).toReversed();
  assert.ok(ids.length < 128 * 128);
  const count = ids.length < 128 ? [ids.length] : [0x80 | ids.length >> 7, ids.length & 0x7f];
  return createHash("sha256").update(bytes).update(Uint8Array.from(count)).digest("hex").slice(0, 32);
}

Deno.test("R-19 the fingerprint of every range equals the sum of its ids as the text words it", () => {
  const high = Array.from({ length: 40 }, (_, n) => "ff".repeat(31) + (n + 16).toString(16));
  const ids = [...Array.from({ length: 160 }, (_, n) => idOf(n)), ...high];
  const items = ids.map((id, n) => ({ id, createdAt: n }));
  const set = setOf(items);
  for (let lower = 0; lower <= ids.length; lower += 7) {
    for (let upper = lower; upper <= ids.length; upper += 3) {
      assert.equal(set.fingerprint(lower, upper).toHex(), fingerprintByText(ids.slice(lower, upper)));
    }
  }
});

Deno.test("a bound is found where the first item that does not stand before it is", () => {
  const items = [[5, "10"], [5, "11"], [5, "1f"], [7, "00"]] as const;
  const set = setOf(items.map(([createdAt, head]) => ({ createdAt, id: head.padEnd(64, "0") })));
  const at = (timestamp: bigint, prefix = "") =>
    set.lowerBound(0, { timestamp, prefix: Uint8Array.fromHex(prefix) });
  assert.deepEqual([at(0n), at(5n), at(5n, "10"), at(5n, "1000"), at(5n, "100001")], [0, 0, 0, 0, 1]);
  assert.deepEqual([at(5n, "12"), at(5n, "ff"), at(6n), at(7n), at(7n, "01"), at(2n ** 64n - 1n)], [
    2,
    3,
    3,
    3,
    4,
    4,
  ]);
  assert.equal(set.lowerBound(2, { timestamp: 0n, prefix: new Uint8Array(0) }), 2);
});

Deno.test("items that are not in order, or no items, are a bug of the caller", () => {
  const id = idOf(1);
  const wrong: SetItem[][] = [
    [{ id, createdAt: 2 }, { id, createdAt: 1 }],
    [{ id, createdAt: 1 }, { id, createdAt: 1 }],
    [{ id, createdAt: -1 }],
    [{ id, createdAt: 0.5 }],
    [{ id: id.slice(2), createdAt: 1 }],
    [{ id: id + "00", createdAt: 1 }],
  ];
  for (const items of wrong) assert.throws(() => finish(createItemSet(items)), RangeError);
});

Deno.test("200,000 items are taken in with a pause after each 4,096", () => {
  const items = Array.from({ length: 200_000 }, (_, n) => ({
    id: n.toString(16).padStart(64, "0"),
    createdAt: n >> 4,
  }));
  const { value, pauses } = stepped(createItemSet(items));
  assert.deepEqual([value.size, pauses], [200_000, Math.floor(200_000 / 4_096)]);
});
