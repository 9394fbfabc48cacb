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

const TOOLS = {
  pack: {
    summary: "pack everything",
    words: ["<FILE>", "[NAME]"],
    flags: {
      "--to": { value: "DIR", help: "Where to" },
      "--dry-run": { help: "Only say what would happen" },
    },
  },
} as const;

Deno.test("a sub-command takes its own words and flags beside the server's options", () => {
  const command = parseCommandLine(
    ["pack", "--to", "/x", "a.txt", "--domain", "x.example", "--dry-run", "--env-file=e"],
    TOOLS,
  );
  assert.ok(command.kind === "subcommand");
  assert.deepEqual([...command.words], ["a.txt"]);
  assert.deepEqual([...command.own], [["--to", "/x"], ["--dry-run", ""]]);
  assert.deepEqual([...command.flags], [["NGIT_DOMAIN", "x.example"]]);
  assert.equal(command.envFile, "e");
  assert.deepEqual(command.problems, []);
});

Deno.test("a sub-command refuses what it does not know, and what is missing", () => {
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [["pack"], /'pack' needs <FILE> \[NAME\]/],
    [["pack", "a", "b", "c"], /unexpected argument 'c'/],
    [["pack", "a", "--dry-rum"], /a similar one exists: '--dry-run'/],
    [["pack", "a", "--to"], /a value is required for '--to <DIR>'/],
    [["pack", "a", "--to=x", "--to=y"], /'--to' cannot be used more than once/],
    [["pack", "a", "--dry-run=1"], /--dry-run takes no value/],
    [["unpack"], /unexpected argument 'unpack' found; a similar one exists: 'pack'/],
    [["help", "pakc"], /unexpected argument 'pakc' found; a similar one exists: 'pack'/],
    [["help", "everything"], /unexpected argument 'everything' found$/],
  ];
  for (const [args, expected] of cases) {
    const command = parseCommandLine(args, TOOLS);
    assert.ok("problems" in command, String(args));
    assert.match(command.problems.map((problem) => problem.message).join("\n"), expected);
  }
});

Deno.test("C-39 every sub-command has a help text of its own", () => {
  for (const args of [["help", "pack"], ["pack", "--help"]]) {
    assert.deepEqual(parseCommandLine(args, TOOLS), { kind: "help", of: "pack" });
  }
  for (const args of [["help"], ["help", "serve"], ["help", "help"], ["help", "--help"]]) {
    assert.deepEqual(parseCommandLine(args, TOOLS), { kind: "help", of: undefined });
  }
  assert.match(helpText(undefined, TOOLS), /^ {2}pack +pack everything$/m);
  assert.match(helpText("pack", TOOLS), /^Usage: ngit-grasp pack <FILE> \[NAME\] \[OPTIONS\]$/m);
  assert.match(helpText("pack", TOOLS), /--to <DIR>\n +Where to\.\n {2}--dry-run\n/);
});

Deno.test("a flag with a choice of values takes one of them", () => {
  const table = { list: { summary: "list", flags: { "--format": { value: "text|json", help: "How" } } } };
  const problems = (...args: string[]) => {
    const command = parseCommandLine(["list", ...args], table);
    return command.kind === "subcommand" ? command.problems.map(({ message }) => message) : undefined;
  };
  assert.deepEqual(problems("--format", "json"), []);
  assert.deepEqual(problems("--format=xml"), ["invalid value 'xml' for '--format <text|json>'"]);
});
