import assert from "node:assert/strict";
import { readPreflight } from "../../lib/hunt/preflight.ts";

const line = (text: string) => (text.length + 4).toString(16).padStart(4, "0") + text;
const ref = (index: number) => line(`${index.toString(16).padStart(40, "0")} refs/heads/b${index}\n`);

function refsIn(body: string): ReadonlyMap<string, string> | undefined {
  const read = readPreflight({
    ok: true,
    status: 200,
    headers: new Headers({ "content-type": "application/x-git-upload-pack-advertisement" }),
    body: new TextEncoder().encode(body),
    url: "https://x.org/r.git/info/refs?service=git-upload-pack",
  }, 0);
  assert.ok(read.ok);
  return read.refs;
}

Deno.test("an advertisement is read line by line, up to its end or the first bad line", () => {
  const service = line("# service=git-upload-pack\n") + "0000";
  const head = line(`${"a".repeat(40)} HEAD\0symref=HEAD:refs/heads/main agent=x\n`);
  const found = refsIn(service + head + ref(1) + "0000" + ref(2));
  assert.deepEqual([...found!.keys()], ["refs/heads/b1"]);
  assert.equal(refsIn(service + line("version 2\n") + line("agent=x\n") + "0000"), undefined);
  assert.equal(refsIn(line("version 2\n") + "0000"), undefined);
  for (const bad of ["", "zzzz", "0003", "00", "fffe", line(""), "\n".repeat(1_000)]) {
    assert.equal(refsIn(service + ref(1) + bad + "0000")?.size, 1, bad);
  }
});

Deno.test("of an advertisement as large as allowed only so much is read as the event loop can afford", () => {
  const refs = Array.from({ length: 60_000 }, (_, index) => ref(index));
  assert.ok(refsIn(refs.join(""))!.size <= 50_000);
  assert.equal(refsIn("\n".repeat(1 << 20))?.size, 0);
  assert.equal(refsIn("0004".repeat(1 << 18))?.size, 0);
});
