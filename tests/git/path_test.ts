import assert from "node:assert/strict";
import fc from "fast-check";
import { parseGitPath } from "../../lib/git/path.ts";
import { encodeIdentifier, encodeNpub, identifierProblem } from "../../lib/nostr/mod.ts";
import { OWNER } from "./service.ts";

const NPUB = encodeNpub(OWNER);

function identifierOf(path: string): string | undefined {
  const parsed = parseGitPath(path);
  return parsed.ok ? parsed.ref.identifier : undefined;
}

Deno.test("G-11 every legal identifier is found through its encoded path", () => {
  for (const identifier of ["my repo", "ü☂", "a:b", "100%", "x.git", "-n", ".hidden", "x"]) {
    assert.equal(identifierOf(`/${NPUB}/${encodeIdentifier(identifier)}.git/info/refs`), identifier);
  }
  fc.assert(fc.property(fc.string({ unit: "binary", minLength: 1, maxLength: 60 }), (identifier) => {
    fc.pre(identifierProblem(identifier) === undefined);
    const parsed = parseGitPath(`/${NPUB}/${encodeIdentifier(identifier)}.git/git-upload-pack?x=1`);
    assert.deepEqual(parsed, { ok: true, ref: { owner: OWNER, identifier }, subpath: "git-upload-pack" });
  }));
});

Deno.test("G-12 paths that point elsewhere are no repository", () => {
  const bad = [
    `/${NPUB}/%2e%2e%2fother/x.git/info/refs`,
    `/${NPUB}/%2e%2e%2fx.git/info/refs`,
    `/${NPUB}/..%5cx.git/info/refs`,
    `/${NPUB}/x%00.git/info/refs`,
    `/${NPUB}/%2e%2e.git/info/refs`,
    `/${NPUB}/..git/info/refs`.replace("..git", "...git"),
    `/${NPUB}/.git/info/refs`,
    `/${OWNER}/x.git/info/refs`,
    `/${NPUB.toUpperCase()}/x.git/info/refs`,
    `/nostr:${NPUB}/x.git/info/refs`,
    `/${NPUB.replace("npub1", "%6epub1")}/x.git/info/refs`,
    `/${NPUB.slice(0, -1)}q/x.git/info/refs`,
    `/${NPUB}/x/info/refs`,
  ];
  for (const path of bad) {
    const parsed = parseGitPath(path);
    assert.equal(parsed.ok, false, path);
    assert.equal(!parsed.ok && parsed.status, 404, path);
  }
  // Encoded twice, it is a strange but harmless name.
  assert.equal(identifierOf(`/${NPUB}/%252e%252e%252fx.git/info/refs`), "%2e%2e%2fx");
});

Deno.test("broken percent-encoding is a bad request", () => {
  for (const name of ["%", "%zz", "%ff", "%ed%a0%80", "%c0%af"]) {
    assert.deepEqual(parseGitPath(`/${NPUB}/${name}.git/info/refs`), { ok: false, status: 400, git: true });
  }
});

Deno.test("G-13 an identifier may have 251 bytes, not 252", () => {
  assert.equal(identifierOf(`/${NPUB}/${"a".repeat(251)}.git/info/refs`)?.length, 251);
  assert.equal(identifierOf(`/${NPUB}/${"a".repeat(252)}.git/info/refs`), undefined);
});

Deno.test("only the exact endpoints have the form of a git path", () => {
  for (
    const path of ["/", "", "/a/b/c", `/${NPUB}/x.git/HEAD`, `/${NPUB}/x.git/`, `/${NPUB}/x.git/info/refs/`]
  ) {
    assert.deepEqual(parseGitPath(path), { ok: false, status: 404, git: false }, path);
  }
  assert.deepEqual(parseGitPath(`/${NPUB}/x.git`), {
    ok: true,
    ref: { owner: OWNER, identifier: "x" },
    subpath: "",
  });
});

Deno.test("no path makes the parser throw or name an illegal repository", () => {
  const segment = fc.oneof(
    fc.constantFrom(NPUB, "x.git", "..", "%2e%2e", "info", "refs", "%2F", ""),
    fc.string(),
  );
  fc.assert(fc.property(fc.array(segment, { maxLength: 6 }), (segments) => {
    const parsed = parseGitPath("/" + segments.join("/"));
    if (parsed.ok) assert.equal(identifierProblem(parsed.ref.identifier), undefined);
  }));
});
