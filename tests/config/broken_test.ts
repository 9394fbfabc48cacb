import assert from "node:assert/strict";
import { checkConfig, type CheckConfigInput } from "../../lib/commands/check_config.ts";
import { SCHEMA_VERSION } from "../../lib/store/mod.ts";
import { systemClock } from "../../lib/world/mod.ts";
import { withTempDirectory } from "../support/temp.ts";
import { at, MACHINE_CASES } from "./broken_machine.ts";
import { OPTION_CASES } from "./broken_options.ts";
import { type Case, KEY } from "./broken_support.ts";

interface Found {
  readonly id: string;
  readonly status: string;
  readonly message: string;
}

/** Runs the check in `cwd`; a key and a free port are given unless the case says otherwise. */
async function check(
  cwd: string,
  { args = [], env = {}, clock = systemClock }: Pick<Case, "args" | "env" | "clock">,
): Promise<{ readonly checks: readonly Found[]; readonly exitCode: number }> {
  const input: CheckConfigInput = {
    args: ["--check-config", "--format=json", ...args],
    env: {
      PATH: Deno.env.get("PATH"),
      NGIT_RELAY_OWNER_NSEC: KEY,
      ...(args.some((arg) => arg.startsWith("--bind")) ? {} : { NGIT_BIND_ADDRESS: "127.0.0.1:0" }),
      ...env,
    },
    cwd,
    readTextFile: Deno.readTextFile,
    schemaVersion: SCHEMA_VERSION,
    clock,
  };
  const { text, exitCode } = await checkConfig(input);
  // Tests may not have the permissions of a server.
  const checks = (JSON.parse(text).checks as Found[]).filter(({ id }) => id !== "permissions");
  return { checks, exitCode };
}

const OPTION_PARTS = ["options", "unknown", "domain", "key", "lists", "exclusions", "sync-url"];

for (const part of [...OPTION_PARTS, "machine"]) {
  const cases = part === "machine" ? MACHINE_CASES : OPTION_CASES.filter(({ id }) => id === part);
  Deno.test(`C-32 ${cases.length} broken configurations (${part}) are each found by their own check, and no other fails`, async () => {
    for (const broken of cases) {
      await withTempDirectory(async (cwd) => {
        await broken.prepare?.(cwd);
        if (broken.dotenv !== undefined) await Deno.writeTextFile(`${cwd}/.env`, broken.dotenv);
        const { checks, exitCode } = await check(cwd, broken);
        const status = broken.status ?? "fail";
        const own = checks.filter((found) => found.id === broken.id && found.status === status);
        assert.ok(
          own.some(({ message }) => broken.says.test(message)),
          `${broken.name}: ${JSON.stringify(checks)}`,
        );
        const failed = checks.filter((found) =>
          found.status === "fail" && found.id !== broken.id && found.id !== broken.also
        );
        assert.deepEqual(failed, [], broken.name);
        if (status === "fail") assert.equal(exitCode, 1, broken.name);
      });
    }
  });
}

Deno.test("C-32 all faults of one file and of the machine are reported at once", () =>
  withTempDirectory(async (cwd) => {
    const taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    try {
      await Deno.writeTextFile(`${cwd}/file`, "");
      await Deno.writeTextFile(`${cwd}/.relay-owner.nsec`, "garbage");
      const lines = [
        "this is no setting",
        "NGIT_DOMAIN=https://git.example.org",
        "NGIT_RELAY_NAME='open",
        "NGIT_MAX_SUBSCRIPTIONS=many",
        "NGIT_EVENT_BLACKLIST=foo,bar",
        "NGIT_ARCHIVE_READ_ONLY=true",
        "NGIT_GIT_DATA_PATH=file",
        "NGIT_GIT_BINARY=/none/git",
        "NGIT_MIN_FREE_DISK_MB=999999999",
        "NGIT_SYNC_BOOTSTRAP_RELAY_URL=ftp://a.example",
        `NGIT_BIND_ADDRESS=127.0.0.1:${(taken.addr as Deno.NetAddr).port}`,
      ];
      await Deno.writeTextFile(`${cwd}/.env`, lines.join("\n"));
      const given = {
        env: { NGIT_RELAY_OWNER_NSEC: "", NGIT_BIND_ADDRESS: "" },
        clock: at("2020-01-01T00:00:00Z"),
      };
      const { checks, exitCode } = await check(cwd, given);
      const failed = checks.filter(({ status }) => status === "fail").map(({ id, message }) =>
        `${id} ${message}`
      );
      for (
        const expected of [
          /^options \.env:1: expected KEY=VALUE/,
          /^options \.env:3: a quoted value is not closed/,
          /^options .*NGIT_MAX_SUBSCRIPTIONS.*\(from \.env:4\)/,
          /^domain .*git\.example\.org/,
          /^lists .*foo.*\(from \.env:5\)/,
          /^lists .*bar.*\(from \.env:5\)/,
          /^exclusions NGIT_ARCHIVE_READ_ONLY=true requires/,
          /^sync-url .*ftp:\/\/a\.example/,
          /^key Invalid nsec in relay owner key file/,
          /^git-data-path .*is not a directory/,
          /^git git not found/,
          /^port cannot listen on 127\.0\.0\.1:\d+: address in use/,
          /^disk .*minimum 999999999 MB/,
          /^clock /,
        ]
      ) {
        assert.ok(failed.some((line) => expected.test(line)), `${expected}\n${failed.join("\n")}`);
      }
      assert.equal(exitCode, 1);
    } finally {
      taken.close();
    }
  }));

Deno.test("C-32 a limit of open files below twice the connections is a warning, where it can be read", () =>
  withTempDirectory(async (cwd) => {
    const { checks } = await check(cwd, { env: { NGIT_MAX_CONNECTIONS: "1000000000" } });
    const found = checks.find(({ id }) => id === "limits")!;
    assert.match(`${found.status} ${found.message}`, /^warn .*2000000000 needed|^skip .*not readable/);
  }));
