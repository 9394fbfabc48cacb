import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import fc from "fast-check";
import { END } from "../../lib/negentropy/bound.ts";
import { RangeWriter } from "../../lib/negentropy/message.ts";
import { type Findings, FRAME_LIMIT, reconcile, respond, type SetItem } from "../../lib/negentropy/mod.ts";
import { finish, reconcileSets, setOf, wellFormed } from "./support.ts";

/** The n-th id of a seed. */
const idOf = (seed: string, n: number) => createHash("sha256").update(`${seed} ${n}`).digest("hex");

/** Where an item of a generated case is. */
type Place = "ours" | "theirs" | "both";

function check(items: readonly (SetItem & { place: Place })[], limits: readonly [number, number]) {
  const at = (...places: Place[]) => items.filter(({ place }) => places.includes(place));
  const ids = (list: readonly SetItem[]) => list.map(({ id }) => id).sort();
  const outcome = reconcileSets(setOf(at("ours", "both")), setOf(at("theirs", "both")), limits);
  assert.deepEqual([outcome.have, outcome.need], [ids(at("ours")), ids(at("theirs"))]);
  return outcome;
}

Deno.test("R-19 reconciling equals set difference: many small sets", () => {
  const digits = fc.array(fc.constantFrom("0", "1", "f"), { minLength: 3, maxLength: 3 });
  const item = fc.record({
    // Few times and ids that share long prefixes, so that bounds have to tell them apart.
    id: fc.tuple(digits, fc.constantFrom("0", "f", "7"), digits).map(([head, middle, tail]) =>
      head.join("") + middle.repeat(58) + tail.join("")
    ),
    createdAt: fc.constantFrom(0, 1, 2, 1_700_000_000, 1_700_000_001, Number.MAX_SAFE_INTEGER),
    place: fc.constantFrom<Place>("ours", "theirs", "both", "both"),
  });
  const items = fc.uniqueArray(item, { maxLength: 400, size: "max", selector: ({ id }) => id });
  const limit = fc.constantFrom(0, 4_096, FRAME_LIMIT);
  fc.assert(
    fc.property(items, limit, limit, (all, ours, theirs) => void check(all, [ours, theirs])),
    { numRuns: 150, seed: 77 },
  );
});

Deno.test("R-19 reconciling equals set difference: sets of every size around the number of buckets", () => {
  for (let size = 0; size <= 70; size++) {
    for (const place of ["ours", "theirs", "both"] as const) {
      const items = Array.from({ length: size }, (_, n) => ({
        id: idOf(`size ${size}`, n),
        createdAt: 1_700_000_000 + (n >> 2),
        place: n % 9 === 0 ? place : "both" as const,
      }));
      check(items, [0, 0]);
    }
  }
});

Deno.test("R-21 100,000 items with frame limits on both sides", () => {
  const items = Array.from({ length: 100_000 }, (_, n) => ({
    id: idOf("large", n),
    createdAt: 1_600_000_000 + Math.floor(n / 3),
    place: n % 97 === 0 ? "ours" as const : n % 89 === 0 ? "theirs" as const : "both" as const,
  }));
  const { largest } = check(items, [FRAME_LIMIT, FRAME_LIMIT]);
  assert.ok(largest.initiator <= FRAME_LIMIT && largest.responder <= FRAME_LIMIT, JSON.stringify(largest));
});

Deno.test("R-21 a range that no longer fits is covered by the fingerprint that closes the message", () => {
  const items = Array.from({ length: 220 }, (_, n) => ({ id: idOf("rest", n), createdAt: n }));
  const [ours, theirs] = [setOf([]), setOf(items)];
  // What an initiator sends whose own frame was full before its last, empty range: 120 ids nearly
  // fill the answer, so the 16 fingerprints of the other range have no room.
  const writer = new RangeWriter();
  const nothing = new Uint8Array(0);
  writer.write({ mode: "ids", bound: { timestamp: 120n, prefix: nothing }, ids: nothing });
  writer.write({ mode: "fingerprint", bound: END, fingerprint: ours.fingerprint(0, 0) });
  const need: string[] = [];
  for (let message: Uint8Array | undefined = writer.view(); message;) {
    const reply: Uint8Array = wellFormed(finish(respond(theirs, message, 4_096)));
    const findings: Findings = wellFormed(finish(reconcile(ours, reply, 4_096)));
    need.push(...findings.need);
    message = findings.next;
  }
  assert.deepEqual(need.sort(), items.map(({ id }) => id).sort());
});
