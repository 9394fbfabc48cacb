import assert from "node:assert/strict";
import { loadConfig } from "../../lib/config/mod.ts";
import { DEFAULT_BOUNDS } from "../../lib/relay/ports.ts";
import { withTempDirectory } from "../support/temp.ts";

const SHIPPED = new URL("../../docs/deploy/", import.meta.url).pathname;
const MAX_EXPOSURE = 2.5;

interface Output {
  readonly code: number;
  readonly text: string;
}

async function run(command: string, ...args: string[]): Promise<Output> {
  const { code, stdout, stderr } = await new Deno.Command(command, { args, stdin: "null" }).output();
  return { code, text: [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes)).join("\n") };
}

const hasSystemd = await run("systemd-analyze", "--version").then(({ code }) => code === 0, () => false);

/** Work with the tools of systemd, which look at files and need no systemd that runs. */
function withSystemd(work: () => Promise<void>) {
  return async (t: Deno.TestContext) => {
    if (hasSystemd) await work();
    else await t.step({ name: "skipped: systemd-analyze is missing", ignore: true, fn: () => {} });
  };
}

/** The unit as shipped, with a program that exists in place of ours. */
async function unitWithProgram(directory: string): Promise<string> {
  const path = `${directory}/ngit-grasp.service`;
  const text = await Deno.readTextFile(`${SHIPPED}ngit-grasp.service`);
  await Deno.writeTextFile(path, text.replaceAll("/usr/local/bin/ngit-grasp", "/bin/true"));
  return path;
}

Deno.test(
  "M-33 the exposure of the shipped unit is at most 2.5",
  withSystemd(async () => {
    const { code, text } = await run(
      "systemd-analyze",
      "security",
      "--offline=true",
      `${SHIPPED}ngit-grasp.service`,
    );
    assert.equal(code, 0, text);
    const exposure = Number(/Overall exposure level for \S+: ([\d.]+)/.exec(text)?.[1]);
    assert.ok(exposure <= MAX_EXPOSURE, text);
  }),
);

Deno.test(
  "M-33 the shipped unit has no unknown word",
  withSystemd(() =>
    withTempDirectory(async (directory) => {
      const { code, text } = await run("systemd-analyze", "verify", await unitWithProgram(directory));
      assert.equal(code, 0, text);
      assert.doesNotMatch(text, /ngit-grasp\.service/, text);
    })
  ),
);

Deno.test(
  "the user and the owners of the configuration are made by the shipped files",
  withSystemd(() =>
    withTempDirectory(async (root) => {
      await Deno.mkdir(`${root}/etc/ngit-grasp`, { recursive: true });
      await Deno.writeTextFile(`${root}/etc/ngit-grasp/env`, "", { mode: 0o644 });
      await Deno.writeTextFile(`${root}/etc/ngit-grasp/relay-owner.nsec`, "", { mode: 0o644 });
      const users = await run("systemd-sysusers", `--root=${root}`, `${SHIPPED}sysusers.d/ngit-grasp.conf`);
      assert.equal(users.code, 0, users.text);
      const passwd = await Deno.readTextFile(`${root}/etc/passwd`);
      const [, uid, gid] = /^ngit-grasp:x:(\d+):(\d+):.*:\/var\/lib\/ngit-grasp:.*nologin$/m.exec(passwd)!
        .map(Number);
      if (Deno.uid() !== 0) return; // giving files away needs root
      const made = await run(
        "systemd-tmpfiles",
        `--root=${root}`,
        "--create",
        `${SHIPPED}tmpfiles.d/ngit-grasp.conf`,
      );
      assert.equal(made.code, 0, made.text);
      const state = async (path: string) => {
        const { mode, uid: owner, gid: group } = await Deno.stat(root + path);
        return [(mode! & 0o777).toString(8), owner, group];
      };
      assert.deepEqual(await state("/etc/ngit-grasp"), ["750", 0, gid]);
      assert.deepEqual(await state("/etc/ngit-grasp/env"), ["640", 0, gid]);
      assert.deepEqual(await state("/etc/ngit-grasp/relay-owner.nsec"), ["600", 0, 0]);
      assert.deepEqual(await state("/var/lib/ngit-grasp"), ["750", uid, gid]);
    })
  ),
);

Deno.test("M-33 the unit reloads, checks before it starts and outlives the time a stop may take", async () => {
  const unit = await Deno.readTextFile(`${SHIPPED}ngit-grasp.service`);
  const value = (name: string) => new RegExp(`^${name}=(.*)$`, "m").exec(unit)?.[1];
  assert.match(value("ExecStartPre")!, /--check-config --allow-running$/);
  assert.equal(value("ExecReload"), "/bin/kill -HUP $MAINPID");
  assert.equal(value("KillMode"), "mixed");
  assert.ok(Number(value("TimeoutStopSec")) > 30);
  assert.equal(value("MemoryDenyWriteExecute"), undefined);
});

Deno.test("the shipped sample of a configuration is right as it is, but for the name", async () => {
  const loaded = await loadConfig({
    args: ["--env-file", `${SHIPPED}env`],
    env: {},
    readTextFile: (path) => Deno.readTextFile(path),
    cwd: "/",
  });
  assert.ok(loaded.ok);
  assert.deepEqual(loaded.warnings, []);
  assert.equal(loaded.config.domain, "git.example.org");
});

Deno.test("M-34 an idle WebSocket is pinged long before nginx would close it", async () => {
  const site = await Deno.readTextFile(`${SHIPPED}nginx.conf`);
  const pingSecs = DEFAULT_BOUNDS.idleTimeoutSecs / 2;
  for (const name of ["proxy_read_timeout", "proxy_send_timeout"]) {
    const seconds = Number(new RegExp(`^ *${name} (\\d+)s;$`, "m").exec(site)?.[1]);
    assert.ok(seconds >= 3600 && seconds > 10 * pingSecs, name);
  }
});
