import assert from "node:assert/strict";
import fc from "fast-check";
import { createLogger, type LogFields, type Logger, parseLogFilter } from "../../lib/observe/mod.ts";
import type { Clock } from "../../lib/world/mod.ts";

const CLOCK: Clock = { now: () => 1_700_000_000_123, monotonic: () => 0, sleep: () => Promise.resolve() };
const TIME = "2023-11-14T22:13:20.123Z";

function logging(
  format: "text" | "json",
  filter = "trace",
): { readonly log: Logger; readonly lines: string[] } {
  const parsed = parseLogFilter(filter);
  assert.ok(parsed.ok);
  const lines: string[] = [];
  return {
    log: createLogger({ filter: parsed.filter, format, write: (line) => lines.push(line), clock: CLOCK }),
    lines,
  };
}

function written(format: "text" | "json", message: string, fields: LogFields): string {
  const { log, lines } = logging(format);
  log.target("git").info(message, fields);
  assert.equal(lines.length, 1);
  return lines[0]!;
}

Deno.test("text records: time, level, target, message and fields, values quoted when they contain blanks", () => {
  assert.equal(
    written("text", "push accepted", {
      repo: "my repo",
      bytes: 12,
      ok: true,
      error: undefined,
      empty: "",
      q: 'a"b',
    }),
    `${TIME} INFO git: push accepted repo="my repo" bytes=12 ok=true empty="" q="a\\"b"`,
  );
});

Deno.test("M-20 JSON records parse, have their required fields and cannot be forged", () => {
  const identifier = "x\n\u001b[31m2024 ERROR git: forged\u0085\u202e\u007f";
  const line = written("json", "state accepted", { repo: identifier, level: "fake" });
  // deno-lint-ignore no-control-regex -- the point is that there are none
  assert.doesNotMatch(line, /[\x00-\x1f\x7f-\x9f\u202e]/);
  const record = JSON.parse(line);
  assert.deepEqual(record, {
    ts: TIME,
    level: "info",
    target: "git",
    msg: "state accepted",
    repo: identifier,
    field_level: "fake",
  });
  const text = written("text", "state accepted", { repo: identifier });
  assert.match(text, /repo="x\\u000a\\u001b\[31m2024 ERROR git: forged\\u0085\\u202e\\u007f"$/);
});

Deno.test("M-20 property: any text gives one line of printable characters in both forms", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), fc.string({ unit: "binary" }), (message, value) => {
    for (const format of ["text", "json"] as const) {
      const line = written(format, message, { repo: value });
      // deno-lint-ignore no-control-regex -- the point is that there are none
      assert.doesNotMatch(line, /[\x00-\x1f\x7f-\x9f\u2028\u2029]/);
      if (format === "json") assert.equal(typeof JSON.parse(line).msg, "string");
    }
  }));
});

Deno.test("values are cut to 512 characters", () => {
  const record = JSON.parse(written("json", "x", { reason: "r".repeat(600), stack: "s".repeat(600) }));
  assert.equal(record.reason.length, 512);
  assert.equal(record.stack.length, 600);
});

Deno.test("M-21 lines that tools look for are whole in text and in the JSON message", () => {
  const fields = {
    repo: "demo",
    npub: "npub1xyz",
    event_id: "0123456789ab...",
    kind: 30618,
    source: "direct",
    reason: "git data not received within 30 minutes",
  };
  const expected =
    "[PURGATORY_EXPIRED] repo=demo npub=npub1xyz event_id=0123456789ab... kind=30618 source=direct " +
    'reason="git data not received within 30 minutes"';
  assert.equal(written("text", "[PURGATORY_EXPIRED]", fields), `${TIME} INFO git: ${expected}`);
  assert.equal(JSON.parse(written("json", "[PURGATORY_EXPIRED]", fields)).msg, expected);
  assert.match(
    written("text", "[PARSE_FAIL]", { kind: 30617, reason: "x" }),
    /git: \[PARSE_FAIL\] kind=30617 reason="x"$/,
  );
});

Deno.test("filters: one level, levels per module, and silence", () => {
  const emitted = (filter: string) => {
    const { log, lines } = logging("text", filter);
    for (const target of ["git", "http"]) {
      log.target(target).debug("d");
      log.target(target).warn("w");
    }
    log.error("e");
    return lines.map((line) => line.split(" ").slice(1).join(" "));
  };
  assert.deepEqual(emitted("warn"), ["WARN git: w", "WARN http: w", "ERROR ngit_grasp: e"]);
  assert.deepEqual(emitted("git=DEBUG,off"), ["DEBUG git: d", "WARN git: w"]);
  assert.deepEqual(emitted("ngit_grasp=error,ngit_grasp::http=debug"), [
    "DEBUG http: d",
    "WARN http: w",
    "ERROR ngit_grasp: e",
  ]);
});

Deno.test("filters: faults are refused and foreign modules ignored with one warning", () => {
  for (const text of ["loud", "git=loud", "info,debug", "", ",", "git=info=x", "="]) {
    assert.equal(parseLogFilter(text).ok, false, text);
  }
  const parsed = parseLogFilter("hyper=warn,tokio=off,info");
  assert.ok(parsed.ok);
  assert.equal(parsed.warnings.length, 1);
});
