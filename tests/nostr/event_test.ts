import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import fc from "fast-check";
import {
  compareNewestFirst,
  decodeNpub,
  encodeIdentifier,
  encodeNpub,
  eventHash,
  identifierProblem,
  isValidRefName,
  matchesFilter,
  parseCoordinate,
  parseEvent,
  parseFilter,
  serialiseEvent,
} from "../../lib/nostr/mod.ts";
import { newSigner } from "../support/keys.ts";

const event = newSigner().sign({ kind: 1, tags: [["t", "x"]], content: "hello" });

Deno.test("a signed event passes the shape check and hashes to its id; extra fields are not kept", () => {
  const parsed = parseEvent({ ...event, extra: 1 });
  ok(parsed.ok);
  strictEqual(eventHash(parsed.event), event.id);
  deepStrictEqual(Object.keys(JSON.parse(serialiseEvent(parsed.event))), [
    "id",
    "pubkey",
    "created_at",
    "kind",
    "tags",
    "content",
    "sig",
  ]);
});

Deno.test("IO-1 malformed events are refused with the id as sent, when it is one", () => {
  const broken: [unknown, boolean][] = [
    [{ ...event, kind: -1 }, true],
    [{ ...event, kind: 65_536 }, true],
    [{ ...event, kind: 1.5 }, true],
    [{ ...event, created_at: "1" }, true],
    [{ ...event, created_at: 1.5 }, true],
    [{ ...event, tags: [[]] }, true],
    [{ ...event, tags: [["a", 1]] }, true],
    [{ ...event, sig: event.sig.toUpperCase() }, true],
    [{ ...event, pubkey: "x" }, true],
    [{ ...event, content: null }, true],
    [{ ...event, id: "ABC" }, false],
    [{ ...event, id: event.id.toUpperCase() }, false],
    [null, false],
    [[event], false],
    ["x", false],
  ];
  for (const [value, hasId] of broken) {
    const parsed = parseEvent(value);
    ok(!parsed.ok);
    strictEqual(parsed.id, hasId ? event.id : undefined);
  }
});

Deno.test("the event shape check never throws, whatever JSON arrives", () => {
  fc.assert(fc.property(fc.jsonValue(), (value) => void parseEvent(value)));
  fc.assert(fc.property(fc.jsonValue(), (value) => void parseFilter(value)));
});

Deno.test("R-15 G-41 one order of versions: newer first, ties by lowest id", () => {
  const version = (id: string, created_at: number) => ({ id, created_at });
  const sorted = [version("b", 1), version("a", 1), version("c", 2)].sort(compareNewestFirst);
  deepStrictEqual(sorted.map(({ id }) => id), ["c", "a", "b"]);
});

Deno.test("R-14 filters tell upper-case from lower-case tags and look at the first value only", () => {
  const matches = (filter: unknown, tags: string[][]) => {
    const parsed = parseFilter(filter);
    ok(typeof parsed !== "string", String(parsed));
    return matchesFilter(parsed, { ...event, tags });
  };
  ok(matches({ "#e": ["x"] }, [["e", "x"]]));
  ok(!matches({ "#E": ["x"] }, [["e", "x"]]));
  ok(!matches({ "#e": ["y"] }, [["e", "x", "y"]]));
  ok(!matches({ "#e": [] }, [["e", "x"]]));
  ok(!matches({ ids: [] }, []));
  ok(matches({ unknown: 1, since: event.created_at, until: event.created_at }, []));
});

Deno.test("filters with thousands of values or wrong types are refused with a sentence", () => {
  const bad = [
    1,
    null,
    [],
    { ids: ["x"] },
    { authors: "a" },
    { kinds: ["1"] },
    { kinds: [1.5] },
    { limit: -1 },
    { since: "0" },
    { "#e": [1] },
    { kinds: Array(5_001).fill(1) },
  ];
  for (const filter of bad) ok(typeof parseFilter(filter) === "string", JSON.stringify(filter).slice(0, 80));
});

Deno.test("P-55 coordinates are split at the first two colons", () => {
  const pubkey = "a".repeat(64);
  deepStrictEqual(parseCoordinate(`30617:${pubkey}:a:b`), { kind: 30617, pubkey, identifier: "a:b" });
  deepStrictEqual(parseCoordinate(`10317:${pubkey}`), { kind: 10317, pubkey, identifier: "" });
  for (const text of ["", "30617", `x:${pubkey}:a`, `70000:${pubkey}:a`, "30617:abc:a"]) {
    strictEqual(parseCoordinate(text), undefined);
  }
});

Deno.test("npubs are canonical: lower-case bech32 of 32 bytes and nothing else", () => {
  const npub = encodeNpub(event.pubkey);
  strictEqual(decodeNpub(npub), event.pubkey);
  for (
    const text of [
      npub.toUpperCase(),
      event.pubkey,
      `nostr:${npub}`,
      npub.slice(0, -1),
      npub.slice(0, -1) + (npub.endsWith("q") ? "p" : "q"),
      "",
    ]
  ) {
    strictEqual(decodeNpub(text), undefined);
  }
});

Deno.test("identifiers survive encoding in a URL, and the refused ones are refused", () => {
  fc.assert(fc.property(fc.string({ unit: "grapheme", minLength: 1 }), (text) => {
    if (identifierProblem(text)) return;
    const encoded = encodeIdentifier(text);
    ok(/^[A-Za-z0-9\-_.~%]+$/.test(encoded));
    strictEqual(decodeURIComponent(encoded), text);
  }));
});

Deno.test("ref names follow git-check-ref-format", () => {
  for (
    const name of [
      "refs/heads/main",
      "refs/heads/a/b",
      "refs/tags/v1.0",
      "refs/heads/ü",
      "refs/heads/-x",
      "refs/heads/@",
    ]
  ) ok(isValidRefName(name), name);
  const refused = [
    "main",
    "",
    "/a/b",
    "refs/heads/",
    "refs//heads",
    "refs/heads/a..b",
    "refs/heads/a b",
    "refs/heads/a~",
    "refs/heads/a^",
    "refs/heads/a:b",
    "refs/heads/a?",
    "refs/heads/a*",
    "refs/heads/[",
    "refs/heads/a\\b",
    "refs/heads/.a",
    "refs/heads/a.lock",
    "refs/heads/a.lock/b",
    "refs/heads/a.",
    "refs/heads/@{x",
    "refs/heads/a\x7f",
    `refs/heads/${"x".repeat(256)}`,
  ];
  for (const name of refused) ok(!isValidRefName(name), name);
});
