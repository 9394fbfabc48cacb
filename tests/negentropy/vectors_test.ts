import assert from "node:assert/strict";
import { initiate, reconcile, respond } from "../../lib/negentropy/mod.ts";
import { finish, reconcileSets, setOf, wellFormed } from "./support.ts";

interface Step {
  readonly role: "initiator" | "responder";
  readonly in: string | null;
  readonly out: string | null;
  readonly have?: readonly string[];
  readonly need?: readonly string[];
}

interface Vector {
  readonly name: string;
  readonly frame_limit_initiator: number;
  readonly frame_limit_responder: number;
  readonly initiator_items: readonly (readonly [number, string])[];
  readonly responder_items: readonly (readonly [number, string])[];
  readonly have: readonly string[];
  readonly need: readonly string[];
  readonly steps: readonly Step[];
}

const PATH = new URL("../vectors/negentropy.jsonl", import.meta.url);

const sorted = (ids: readonly string[] = []) => [...ids].sort();
const setOfPairs = (pairs: Vector["initiator_items"]) =>
  setOf(pairs.map(([createdAt, id]) => ({ createdAt, id })));

/**
 * Messages are equal byte for byte, but for the fingerprint that closes a full one: the recorded one
 * leaves out the items of the range that no longer fitted, although its range contains them. That
 * can hide items when the other side has none there, so ours follows the text of NIP-77.
 */
function comparable(hex: string | null | undefined, frameLimit: number): string | undefined {
  return frameLimit === 0 ? hex ?? undefined : hex?.replace(/(?<=000001)[0-9a-f]{32}$/, "");
}

for (const line of Deno.readTextFileSync(PATH).trimEnd().split("\n")) {
  const vector = JSON.parse(line) as Vector;
  const limits = [vector.frame_limit_initiator, vector.frame_limit_responder] as const;

  Deno.test(`R-19 recorded reconciliation: ${vector.name}`, () => {
    const ours = setOfPairs(vector.initiator_items);
    const theirs = setOfPairs(vector.responder_items);
    for (const step of vector.steps) {
      const message = Uint8Array.fromHex(step.in ?? "");
      if (step.role === "responder") {
        const reply = wellFormed(finish(respond(theirs, message, limits[1])));
        assert.equal(comparable(reply.toHex(), limits[1]), comparable(step.out, limits[1]));
      } else if (step.in === null) {
        assert.equal(initiate(ours).toHex(), step.out);
      } else {
        const findings = wellFormed(finish(reconcile(ours, message, limits[0])));
        assert.equal(comparable(findings.next?.toHex(), limits[0]), comparable(step.out, limits[0]));
        assert.deepEqual(sorted(findings.have), sorted(step.have));
        assert.deepEqual(sorted(findings.need), sorted(step.need));
      }
    }
    const { have, need } = reconcileSets(ours, theirs, limits);
    assert.deepEqual([have, need], [sorted(vector.have), sorted(vector.need)]);
  });
}
