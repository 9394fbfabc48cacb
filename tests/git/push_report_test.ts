import assert from "node:assert/strict";
import { encodePkt, flushPkt, joinBytes } from "../../lib/git/pkt_line.ts";
import { addToReport, reasonLine, refusalBody, reportLines } from "../../lib/git/push_report.ts";
import { withoutHostPaths } from "../../lib/git/host_paths.ts";
import { BandText } from "../../lib/git/side_band.ts";

const commands = ["refs/heads/a", "refs/heads/b"].map((ref) => ({
  oldOid: "0".repeat(40),
  newOid: "a".repeat(40),
  ref,
}));
const reasons = new Map([["refs/heads/a", "authorisation failed: no"]]);
const text = "authorisation failed: whole";
const bytes = (value: string) => new TextEncoder().encode(value);

function body(...capabilities: string[]): string {
  return new TextDecoder().decode(
    refusalBody({ commands, capabilities: new Set(capabilities), text, reasons }),
  );
}

Deno.test("G-24 a refusal has the form the client asked for", () => {
  const report = joinBytes([
    encodePkt("unpack ok\n"),
    encodePkt("ng refs/heads/a authorisation failed: no\n"),
    encodePkt("ng refs/heads/b authorisation failed: refused because another ref in this push was refused\n"),
    flushPkt(),
  ]);
  const decoder = new TextDecoder();
  assert.equal(body("report-status"), decoder.decode(report));
  assert.equal(
    body("report-status-v2", "side-band-64k"),
    decoder.decode(joinBytes([
      encodePkt(`\x02grasp: ${text}\n`),
      encodePkt(joinBytes([new Uint8Array([1]), report])),
      flushPkt(),
    ])),
  );
  assert.equal(body("side-band-64k"), decoder.decode(joinBytes([encodePkt(`\x03${text}\n`), flushPkt()])));
  assert.equal(body(), decoder.decode(encodePkt(`ERR ${text}\n`)));
});

Deno.test("plain side-band packets have at most 1000 bytes", () => {
  const long = Array.from({ length: 50 }, (_, index) => ({ ...commands[0]!, ref: `refs/heads/${index}` }));
  const capabilities = new Set(["report-status", "side-band"]);
  const answer = new TextDecoder("latin1").decode(
    refusalBody({ commands: long, capabilities, text, reasons: new Map() }),
  );
  let offset = 0;
  while (offset < answer.length) {
    const length = parseInt(answer.slice(offset, offset + 4), 16);
    assert.ok(length <= 1000);
    offset += Math.max(length, 4);
  }
});

Deno.test("a reason is one line of at most 250 bytes", () => {
  assert.equal(reasonLine("a\r\nb\0c\x1b[31m"), "a b c [31m");
  const cut = reasonLine("ü☂".repeat(100));
  assert.ok(bytes(cut).length <= 250 && bytes(cut).length > 245 && cut.isWellFormed());
});

Deno.test("IO-18 no-ops are added to git's own report", () => {
  const report = reportLines(["ok refs/heads/x\n"]);
  assert.deepEqual(
    addToReport(report, [commands[0]!]),
    reportLines(["ok refs/heads/x\n", "ok refs/heads/a\n"]),
  );
  assert.deepEqual(addToReport(bytes("odd"), [commands[0]!]), bytes("odd"));
});

Deno.test("G-68 host paths are removed, other slashes stay", () => {
  const known = ["/srv/my data/git"];
  assert.equal(withoutHostPaths("fatal: '/srv/my data/git/x.git': no", known), "fatal: '<path>/x.git': no");
  assert.equal(withoutHostPaths("error: /var/lib/x: denied", known), "error: <path> denied");
  assert.equal(withoutHostPaths("open(/etc/passwd)", []), "open(<path>)");
  const harmless = "Counting 1/10, refs/heads/a, http://x/y, and/or";
  assert.equal(withoutHostPaths(harmless, known), harmless);
});

Deno.test("G-68 a path cut in two by git's packets is removed as well", () => {
  const filter = new BandText(["/srv/git"], 1000);
  const parts = [
    filter.push(2, bytes("error: /srv/")),
    filter.push(2, bytes("git/x.git bad\nnext")),
    filter.flush(),
  ];
  assert.equal(
    new TextDecoder().decode(joinBytes(parts)),
    new TextDecoder().decode(joinBytes([encodePkt("\x02error: <path>/x.git bad\n"), encodePkt("\x02next")])),
  );
});
