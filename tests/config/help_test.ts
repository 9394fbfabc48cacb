import assert from "node:assert/strict";
import { helpText, OPTION_NAMES, parseCommandLine, versionText } from "../../lib/config/mod.ts";
import { updateReference } from "../../lib/config/reference.ts";

Deno.test("C-39 --help lists every option but hidden ones, with variable and default, within 100 columns", () => {
  const help = helpText();
  for (const name of OPTION_NAMES) assert.equal(help.includes(`[env: ${name}]`), name !== "NGIT_TEST", name);
  assert.match(help, /--max-subid-length <N>\n[^-]*\[env: NGIT_MAX_SUBID_LENGTH\]\s+\[default: 250\]/);
  assert.ok(help.split("\n").every((line) => line.length <= 100));
});

Deno.test("C-40 --version starts with name and semantic version", () => {
  assert.match(versionText(3), /^ngit-grasp \d+\.\d+\.\d+\ndeno /);
  assert.match(versionText(3), /database schema 3\n$/);
});

Deno.test("commands are recognised wherever their flag stands", () => {
  assert.equal(parseCommandLine([]).kind, "serve");
  assert.equal(parseCommandLine(["serve", "--test"]).kind, "serve");
  for (const args of [["-h"], ["--log-ip=none", "--help"], ["help", "serve"], ["--nonsense", "--help"]]) {
    assert.equal(parseCommandLine(args).kind, "help");
  }
  for (const args of [["-V"], ["serve", "--version"]]) assert.equal(parseCommandLine(args).kind, "version");
  const check = parseCommandLine(["--check-config", "--strict", "--allow-running", "--domain=x.example"]);
  assert.ok(
    check.kind === "check-config" && check.strict && check.allowRunning && check.problems.length === 0,
  );
});

Deno.test("the reference page is what the option table says (UPDATE_DOCS=1 writes it)", async () => {
  const path = new URL("../../docs/configuration.md", import.meta.url);
  const page = await Deno.readTextFile(path);
  const updated = updateReference(page);
  assert.ok(updated !== undefined, "the page has lost its marks");
  if (Deno.env.get("UPDATE_DOCS") === "1") await Deno.writeTextFile(path, updated);
  else assert.equal(page, updated);
});
