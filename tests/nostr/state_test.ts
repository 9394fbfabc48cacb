import assert from "node:assert/strict";
import fc from "fast-check";
import { parseState } from "../../lib/nostr/mod.ts";
import { newSigner } from "../support/keys.ts";

const OID = "1".repeat(40);

/** Whether a state that declares these branches can ever be satisfied. */
function isSatisfiable(branches: readonly string[]): boolean {
  const tags = [["d", "x"], ...branches.map((name) => [`refs/heads/${name}`, OID])];
  const parsed = parseState(newSigner().sign({ kind: 30618, tags }));
  assert.ok(parsed.ok);
  return parsed.state.unsatisfiable === undefined;
}

Deno.test("a state with a ref that is also a directory of another one is found, whatever sorts between them", () => {
  assert.ok(!isSatisfiable(["a/b", "a-b", "a!", "a"]));
  assert.ok(isSatisfiable(["a-b", "a!", "ab/c", "ab-/c"]));
  const name = fc.array(fc.constantFrom("a", "a-", "a!", "b"), { minLength: 1, maxLength: 4 })
    .map((parts) => parts.join("/"));
  fc.assert(fc.property(fc.uniqueArray(name, { maxLength: 8 }), (names) => {
    const conflict = names.some((one) => names.some((other) => other.startsWith(`${one}/`)));
    assert.equal(isSatisfiable(names), !conflict);
  }));
});

Deno.test("thousands of refs of hundreds of components are one state like any other", () => {
  const deep = "/a".repeat(490);
  const names = Array.from({ length: 10_000 }, (_, i) => `${i}`.padStart(5, "0") + deep);
  assert.ok(isSatisfiable(names));
  assert.ok(!isSatisfiable([...names.slice(1), "00000/a"].concat("00000")));
});
