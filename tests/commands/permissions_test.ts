import assert from "node:assert/strict";
import { dirname, resolve } from "node:path";
import { RelayClient } from "../support/relay_client.ts";
import { git } from "../support/git_client.ts";
import { installedSecp256k1 } from "../support/secp256k1.ts";
import { programCommand, ServerProcess } from "../support/server_process.ts";
import { eventually, withTempDirectory } from "../support/temp.ts";
import { hosted, isServed } from "../scenarios/support.ts";

const LEAST = { command: resolve(import.meta.dirname!, "../support/least_privilege.sh"), args: [] };

/** The printed line begins with `deno`: let it be the one that runs the tests. */
const PATH = `${dirname(Deno.execPath())}:${Deno.env.get("PATH")}`;

/** Output of `--print-permissions` and of the check, for a configuration. */
async function printed(
  cwd: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<string> {
  const { command, args: own } = programCommand();
  const { stdout, stderr } = await new Deno.Command(command, {
    args: [...own, "--print-permissions", ...args],
    cwd,
    env,
  }).output();
  return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
}

Deno.test("C-41 a server under exactly the printed permissions takes pushes, serves clones, and another one follows it", () =>
  withTempDirectory(async (directory) => {
    const first = await ServerProcess.start({
      dataPath: `${directory}/first`,
      program: LEAST,
      env: { PATH, NGIT_SYNC_ENABLE: "false" },
    });
    const relay = await RelayClient.connect(first.wsUrl);
    try {
      const { owner, url, work } = await hosted({ directory, server: first, relay }, "least");
      await git(directory, "clone", "-q", url, `${directory}/clone`);
      assert.equal(
        await git(`${directory}/clone`, "rev-parse", "HEAD"),
        await git(work, "rev-parse", "HEAD"),
      );
      const second = await ServerProcess.start({
        dataPath: `${directory}/second`,
        program: LEAST,
        env: {
          PATH,
          NGIT_SYNC_BOOTSTRAP_RELAY_URL: first.wsUrl,
          NGIT_ARCHIVE_ALL: "true",
          NGIT_ALLOW_PRIVATE_ADDRESSES: "true",
          NGIT_TEST: "1",
        },
      });
      const follower = await RelayClient.connect(second.wsUrl);
      try {
        const [announcement] = await relay.query({ kinds: [30617] });
        await eventually("it followed", () => isServed(follower, announcement!.id));
        const copy = second.cloneUrl(owner.npub, "least");
        assert.match(
          await git(directory, "ls-remote", copy),
          new RegExp(await git(work, "rev-parse", "HEAD")),
        );
      } finally {
        await follower.close();
        assert.equal(await second.stop(), 0, second.log);
      }
      assert.ok(!/NotCapable|Requires \w+ access/.test(first.log + second.log), first.log + second.log);
    } finally {
      await relay.close();
      assert.equal(await first.stop(), 0, first.log);
    }
  }));

Deno.test("C-41 what is printed follows the configuration", () =>
  withTempDirectory(async (cwd) => {
    const key = { NGIT_RELAY_OWNER_NSEC: "1".repeat(64) };
    const table: readonly (readonly [string[], Record<string, string>, RegExp, RegExp])[] = [
      [["--no-sync-enable"], key, /--allow-net=127\.0\.0\.1:7334 /, /--allow-net |--deny-net|1{64}/],
      [["--no-sync-enable", "--min-free-disk-mb=0"], key, /--allow-sys=[a-zA-Z,]+ /, /statfs/],
      [["--domain=git.example.org"], key, /--allow-net .*--deny-net=10\.0\.0\.0\/8,/, /127\.0\.0\.0\/8/],
      [["--domain=localhost:7334"], key, /--deny-net=169\.254\.169\.254 /, /10\.0\.0\.0/],
      [["--git-data-path=/srv/a b,c"], key, /'--allow-write=\/srv\/a b,,c,/, /--allow-write=\/srv\/a b,c/],
      [["--relay-owner-nsec-file=/k/key"], {}, /--allow-read=[^ ]*,\/k\/key[, ]/, /--allow-write=[^ ]*\/k/],
      [[], {}, new RegExp(`--allow-write=${cwd} .*|still to be made`), /--allow-write=[^ ]*data/],
      [[], { ...key, NOTIFY_SOCKET: "/run/n" }, /--allow-ffi=[^ ]*libsql[^ ]*,\/[^ ]*libc/, /\\0/],
      [
        ["--database-url=http://db.example", "--bind-address=0.0.0.0:7334", "--domain=git.example.org"],
        key,
        /--allow-sys=networkInterfaces,uid,statfs /,
        /libsql/,
      ],
      [[], key, new RegExp(installedSecp256k1 ?? ""), /secp256k1\.so,/],
      [["--secp256k1-library=off"], key, /--allow-ffi=/, /secp256k1\.so/],
      [["--max-subscriptions=0"], key, /^error: invalid value '0'/, /deno run/],
    ];
    for (const [args, env, expected, absent] of table) {
      const text = await printed(cwd, args, env);
      assert.match(text, expected, String(args));
      assert.doesNotMatch(text, absent, String(args));
    }
  }));
