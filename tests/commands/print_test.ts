import assert from "node:assert/strict";
import { OPTION_NAMES } from "../../lib/config/mod.ts";
import { optionRow } from "../../lib/config/options.ts";
import { programCommand } from "../support/server_process.ts";
import { withTempDirectory } from "../support/temp.ts";

interface Output {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The shape of `--check-config --format json`. */
interface Report {
  readonly ok: boolean;
  readonly program: Readonly<Record<string, string>>;
  readonly checks: readonly { readonly id: string; readonly status: string; readonly message: string }[];
  readonly options: readonly {
    readonly name: string;
    readonly flag: string;
    readonly env: string;
    readonly value: string | null;
    readonly source: string;
    readonly source_detail?: string;
    readonly redacted: boolean;
    readonly active: boolean;
    readonly reloadable: boolean;
  }[];
  readonly permissions: readonly string[];
}

/** Runs the program itself in `cwd`; without `grants` under all permissions. */
async function run(
  cwd: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Output> {
  const { command, args: own } = programCommand();
  const inherited = Object.fromEntries(
    ["PATH", "HOME", "DENO_DIR"].flatMap((name) => {
      const value = Deno.env.get(name);
      return value === undefined ? [] : [[name, value]];
    }),
  );
  const { code, stdout, stderr } = await new Deno.Command(command, {
    args: [...own, ...args],
    cwd,
    clearEnv: true,
    env: { ...inherited, ...env },
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

async function check(
  cwd: string,
  args: readonly string[] = [],
  env = {},
): Promise<Report & { code: number }> {
  const { code, stdout } = await run(cwd, ["--check-config", "--format", "json", ...args], env);
  return { ...JSON.parse(stdout), code };
}

Deno.test("C-33 the report for programs is one JSON object with every option and its source, and holds no secret", () =>
  withTempDirectory(async (cwd) => {
    const secret = "1".repeat(64);
    await Deno.writeTextFile(`${cwd}/.env`, "NGIT_DOMAIN=git.example.org\n\nNGIT_RELAY_NAME=From file\n");
    const env = { NGIT_RELAY_OWNER_NSEC: secret, NGIT_BIND_ADDRESS: "127.0.0.1:0" };
    const args = ["--no-metrics-enabled", "--event-blacklist=" + "2".repeat(64)];
    const output = await run(cwd, ["--check-config", "--format=json", ...args], env);
    const report = JSON.parse(output.stdout) as Report;
    assert.deepEqual([report.ok, output.code], [true, 0], output.stdout);
    assert.deepEqual(Object.keys(report.program), ["name", "version", "commit", "deno"]);
    assert.deepEqual(report.options.map((option) => option.env), [...OPTION_NAMES]);
    const of = (name: string) => report.options.find((option) => option.env === name)!;
    const sources = {
      NGIT_METRICS_ENABLED: ["false", "cli", undefined],
      NGIT_BIND_ADDRESS: ["127.0.0.1:0", "env", undefined],
      NGIT_DOMAIN: ["git.example.org", "dotenv", ".env:1"],
      NGIT_RELAY_NAME: ["From file", "dotenv", ".env:3"],
      NGIT_RELAY_ICON_URL: ["https://git.example.org/icon.png", "derived", undefined],
      NGIT_MAX_CONNECTIONS: [null, "default", undefined],
    };
    for (const [name, expected] of Object.entries(sources)) {
      const { value, source, source_detail } = of(name);
      assert.deepEqual([value, source, source_detail], expected, name);
    }
    assert.deepEqual([of("NGIT_RELAY_NAME").name, of("NGIT_RELAY_NAME").flag], [
      "relay-name",
      "--relay-name",
    ]);
    assert.deepEqual([of("NGIT_RELAY_OWNER_NSEC").redacted, of("NGIT_RELAY_NAME").redacted], [true, false]);
    assert.deepEqual([of("NGIT_METRICS_TOP_N_REPOS").active, of("NGIT_RELAY_NAME").active], [false, true]);
    assert.deepEqual([of("NGIT_RELAY_NAME").reloadable, of("NGIT_DOMAIN").reloadable], [true, false]);
    assert.ok(!(output.stdout + output.stderr).includes(secret));
    assert.ok(report.checks.every(({ status }) => ["pass", "warn", "fail", "skip"].includes(status)));
    assert.ok(
      report.permissions.some((flag) => flag.startsWith("--allow-run=/")),
      report.permissions.join(" "),
    );
    assert.match(output.stderr, /^warn permissions: broader than needed/m);
  }));

Deno.test("C-33 faults keep the JSON report whole: usage is a failed check and the exit code 1", () =>
  withTempDirectory(async (cwd) => {
    const report = await check(cwd, ["--nonsense", "--max-subscriptions=0", "--bind-address=127.0.0.1:0"]);
    assert.deepEqual([report.ok, report.code], [false, 1]);
    const failed = report.checks.filter(({ status }) => status === "fail").map(({ message }) => message);
    assert.match(failed.join("\n"), /'--nonsense'.*\n.*NGIT_MAX_SUBSCRIPTIONS/);
    const wrong = await run(cwd, ["--check-config", "--format=xml"]);
    assert.deepEqual([wrong.code, /expected one of: table, json/.test(wrong.stdout)], [1, true]);
    assert.equal((await run(cwd, ["--format=json"])).code, 2);
  }));

Deno.test("C-38 the printed defaults with only the domain filled in load to the default configuration", () =>
  withTempDirectory(async (cwd) => {
    const { code, stdout, stderr } = await run(cwd, ["--print-default-env"], { NGIT_RELAY_NAME: "unseen" });
    assert.deepEqual([code, stderr], [0, ""]);
    assert.match(stdout, /^(?:#.*\n|\n)*NGIT_DOMAIN=\n/);
    assert.ok(!stdout.includes("unseen"));
    const filled = stdout.replace(/^NGIT_DOMAIN=$/m, "NGIT_DOMAIN=git.example.org");
    const values = async (text: string, args: readonly string[]) => {
      await Deno.writeTextFile(`${cwd}/.env`, text);
      const report = await check(cwd, args);
      return report.options.map(({ env, value, active }) => ({ env, value, active }));
    };
    const plain = await values("", ["--domain=git.example.org"]);
    assert.deepEqual(await values(filled, []), plain);
    // What is shown as the default is the default: every line that has a value may be made effective.
    assert.deepEqual(await values(filled.replace(/^#(NGIT_[A-Z0-9_]+=.+)$/gm, "$1"), []), plain);
    for (const name of OPTION_NAMES.filter((name) => !optionRow(name).hidden)) {
      assert.match(stdout, new RegExp(`^#?${name}=`, "m"), name);
    }
  }));
