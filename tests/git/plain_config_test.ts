import assert from "node:assert/strict";
import { isPlainConfig } from "../../lib/git/plain_config.ts";

const CORE = "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = true\n";

const CASES: readonly (readonly [isPlain: boolean, what: string, text: string])[] = [
  [true, "nothing", ""],
  [true, "what git init writes", CORE],
  [true, "what this server adds", `${CORE}[uploadpack]\n\tallowTipSHA1InWant = true\n\tallowFilter = true\n`],
  [
    true,
    "what ngit-relay adds",
    `${CORE}[http]\n\treceivepack = true\n[uploadpack]\n\tallowUnreachable = true\n`,
  ],
  [
    true,
    "a mirror",
    `${CORE}[remote "origin"]\n\turl = https://x.example/y\n\tfetch = +refs/*:refs/*\n\tmirror = true\n`,
  ],
  [true, "comments and other cases", "# a\n; b\n[CORE]\n  Bare\n"],
  [true, "values in quotes", '[gc]\n\tpruneExpire = "2 weeks ago"\n'],
  [false, "a format of the future", "[core]\n\trepositoryformatversion = 99\n"],
  [false, "a value that is neither true nor false", "[core]\n\tbare = maybe\n"],
  [false, "a quote without end", '[gc]\n\tpruneExpire = "2 weeks\n'],
  [false, "an escape git does not know", "[http]\n\tx = a\\q\n"],
  [
    false,
    "another object format",
    "[core]\n\trepositoryformatversion = 1\n[extensions]\n\tobjectformat = sha256\n",
  ],
  [false, "refs kept elsewhere", "[extensions]\n\trefstorage = reftable\n"],
  [false, "hidden refs", "[transfer]\n\thideRefs = refs/tags\n"],
  [false, "hidden refs of one service", "[uploadpack]\n\thideRefs = refs/tags\n"],
  [false, "a capability", "[uploadpack]\n\tallowRefInWant = true\n"],
  [false, "a session id", "[transfer]\n\tadvertiseSID = true\n"],
  [false, "signed pushes", "[receive]\n\tcertNonceSeed = x\n"],
  [false, "no atomic pushes", "[receive]\n\tadvertiseAtomic = false\n"],
  [false, "HEAD without commits unsaid", "[lsrefs]\n\tunborn = ignore\n"],
  [false, "another file", "[include]\n\tpath = other\n"],
  [false, "another file under a condition", '[includeIf "gitdir:/"]\n\tpath = other\n'],
  [false, "a work tree elsewhere", "[core]\n\tworktree = /x\n"],
  [false, "a promisor", '[remote "origin"]\n\tpromisor = true\n'],
  [false, "a key in the line of its section", "[core] bare = true\n"],
  [false, "a value on two lines", "[http]\n\tx = a\\\n[uploadpack]\n"],
  [false, "a section that is none", "[core\n\tbare = true\n"],
  [false, "a key without a section", "bare = true\n"],
];

Deno.test("G-69 only configuration that cannot show in an advertisement is plain", () => {
  for (const [expected, what, text] of CASES) assert.equal(isPlainConfig(text), expected, what);
});
