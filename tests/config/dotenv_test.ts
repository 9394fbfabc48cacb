import assert from "node:assert/strict";
import fc from "fast-check";
import { MAX_DOTENV_LENGTH, parseDotenv } from "../../lib/config/dotenv.ts";

function values(text: string, env: Record<string, string> = {}): Record<string, string> {
  const parsed = parseDotenv(text, env);
  assert.deepEqual(parsed.faults, []);
  return Object.fromEntries(parsed.entries.map((entry) => [entry.key, entry.value]));
}

Deno.test("C-6 .env values: quotes, escapes, comments, blanks and byte order mark", () => {
  const text = [
    "\ufeff# comment",
    "",
    "export A = plain value  # comment",
    "B='literal $A # \\n'",
    'C="line\\nbreak \\"quoted\\" \\$A $A ${A}" # comment',
    "D=#nothing",
    "E=a#b\tc",
    "F=",
    "G=Bob's relay",
    "H=$5 $",
  ].join("\r\n");
  assert.deepEqual(values(text), {
    A: "plain value",
    B: "literal $A # \\n",
    C: 'line\nbreak "quoted" $A plain value plain value',
    D: "",
    E: "a#b\tc",
    F: "",
    G: "Bob's relay",
    H: "$5 $",
  });
});

Deno.test("C-3 .env references prefer the environment, then earlier lines", () => {
  assert.deepEqual(values("A=file\nB=$A\nC=$UNKNOWN.\nD=${HOME}/x", { A: "env", HOME: "/root" }), {
    A: "file",
    B: "env",
    C: ".",
    D: "/root/x",
  });
});

Deno.test("C-5 .env faults name their line", () => {
  for (
    const line of [
      "no equals sign",
      "1A=x",
      "A='open",
      'A="open',
      'A="x"y',
      "A='x'#y",
      'A="\\q"',
      "A=${B",
      "A=${}",
      "export A",
    ]
  ) {
    const parsed = parseDotenv(`X=1\n${line}\nY=2`, {});
    assert.deepEqual(parsed.faults.map((fault) => fault.line), [2], line);
    assert.deepEqual(parsed.entries.map(({ key }) => key), ["X", "Y"]);
  }
});

Deno.test("the last duplicate of a .env key wins with a warning", () => {
  const parsed = parseDotenv("A=1\nB=2\nA=3\n", {});
  assert.deepEqual(parsed.entries.find((entry) => entry.key === "A"), { key: "A", value: "3", line: 3 });
  assert.deepEqual(parsed.warnings, ["A is set on line 1 and again on line 3; the last one is used"]);
});

Deno.test("a .env file is bounded in size, also after expansion", () => {
  assert.equal(parseDotenv("#".repeat(MAX_DOTENV_LENGTH + 1), {}).faults.length, 1);
  const doubling = [
    "A0=xxxxxxxxxxxxxxxx",
    ...Array.from({ length: 60 }, (_, index) => `A${index + 1}=$A${index}$A${index}`),
  ];
  assert.ok(parseDotenv(doubling.join("\n"), {}).faults.length > 0);
  assert.equal(parseDotenv("?\n".repeat(1_000), {}).faults.length, 20);
});

Deno.test("fuzz: the .env parser never throws and never invents text beyond its bound", () => {
  const piece = fc.oneof(
    fc.constantFrom("A=", "B=", "export ", "$A", "${A}", "${", "'", '"', "\\", "\n", "\r\n", "#", " ", "="),
    fc.string({ maxLength: 8, unit: "binary" }),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 60 }), fc.string(), (pieces, value) => {
      const text = pieces.join("");
      const parsed = parseDotenv(text, { A: value });
      const lines = text.split("\n").length;
      if (parsed.faults.some(({ line }) => line < 1 || line > lines)) return false;
      return parsed.entries.every((entry) => entry.value.length <= 2 * MAX_DOTENV_LENGTH);
    }),
    { numRuns: 500 },
  );
});

Deno.test("property: a quoted value survives a round trip", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (value) => {
      const quoted = value.replace(/["\\$]/g, "\\$&").replaceAll("\n", "\\n").replaceAll("\r", "\\r");
      return values(`A="${quoted}"`)["A"] === value;
    }),
    { numRuns: 300 },
  );
});
