import assert from "node:assert/strict";
import { createGit, type Git, type GitChild } from "../../lib/git/mod.ts";
import { joinBytes } from "../../lib/git/pkt_line.ts";
import { ZERO_OID } from "../../lib/nostr/mod.ts";
import { systemClock } from "../../lib/world/mod.ts";
import { git as runGit, newWorkTree } from "../support/git_client.ts";
import { eventually, withTempDirectory } from "../support/temp.ts";
import { pretendGit } from "./pretend_git.ts";
import { childrenOf, commands } from "./push_wire.ts";

const SEARCH_PATH = "/usr/local/bin:/usr/bin:/bin";
const REAL_GIT = `PATH=${SEARCH_PATH} exec git "$@"`;
/** How a child gets its process group: by setsid(1), and by the runtime where that is not installed. */
const WAYS = ["setsid", "runtime"] as const;

/** Git with `script` as its program, started in one of the two ways. */
async function gitIn(way: typeof WAYS[number], directory: string, script: string): Promise<Git> {
  const searchPath = way === "setsid" ? SEARCH_PATH : `${directory}/empty`;
  const git = await createGit({
    binary: await pretendGit(directory, script),
    homePath: `${directory}/home`,
    clock: systemClock,
    limits: { maxPushBytes: 1 << 30 },
    searchPath,
  });
  const { program } = git as unknown as { program: { setsid: string | undefined } };
  if (way === "runtime") assert.equal(program.setsid, undefined);
  return git;
}

async function isRunning(pid: number): Promise<boolean> {
  const { stdout } = await new Deno.Command("ps", { args: ["-p", String(pid), "-o", "stat="] }).output();
  const state = new TextDecoder().decode(stdout).trim();
  // Whoever inherits a dead process may be slow to collect it.
  return state !== "" && !state.startsWith("Z");
}

async function ended(child: GitChild): Promise<void> {
  let isOver = false;
  child.ended.then(() => isOver = true);
  await eventually("the child has ended", () => isOver);
}

for (const way of WAYS) {
  Deno.test(`helpers that hold none of git's pipes end with it (group by ${way})`, () =>
    withTempDirectory(async (directory) => {
      const git = await gitIn(
        way,
        directory,
        `PATH=${SEARCH_PATH}\nsleep 1000 </dev/null >/dev/null 2>&1 &\necho $!\nwait`,
      );
      const child = git.spawn(["x"]);
      const reader = child.stdout.getReader();
      const helper = Number(new TextDecoder().decode((await reader.read()).value));
      assert.ok(helper > 0 && await isRunning(helper));
      child.kill();
      await ended(child);
      await eventually("the helper has ended", async () => !await isRunning(helper));
      await reader.cancel();
      await child.stdin.abort().catch(() => {});
    }));

  Deno.test(`G-60 index-pack ends with the receive-pack that started it (group by ${way})`, () =>
    withTempDirectory(async (directory) => {
      const git = await gitIn(way, directory, REAL_GIT);
      const [tree, repository] = [`${directory}/tree`, `${directory}/x.git`];
      await newWorkTree(tree, ["one"]);
      await runGit(directory, "init", "-q", "--bare", repository);
      const child = git.spawn(["receive-pack", "--stateless-rpc", repository]);
      const output = child.stdout.cancel();
      const input = child.stdin.getWriter();
      // A pack that announces an object and then waits: the input stays open, so only a signal ends git.
      const head = commands(`${ZERO_OID} ${await runGit(tree, "rev-parse", "main")} refs/heads/main`);
      await input.write(joinBytes([head, new TextEncoder().encode("PACK\0\0\0\x02\0\0\0\x01")]));
      let processes: number[] = [];
      await eventually("index-pack runs", async () => (processes = await childrenOf(Deno.pid)).length > 1);
      child.kill();
      await ended(child);
      for (const pid of processes) {
        await eventually(`process ${pid} has ended`, async () => !await isRunning(pid));
      }
      await input.abort().catch(() => {});
      await output;
    }));

  Deno.test(`a child killed at once ends at once (group by ${way})`, () =>
    withTempDirectory(async (directory) => {
      const git = await gitIn(way, directory, `PATH=${SEARCH_PATH} exec sleep 1000`);
      await Promise.all(Array.from({ length: 10 }, async () => {
        const result = await git.run(["x"], { timeoutMs: 1_000_000, signal: AbortSignal.abort() });
        assert.equal(result.stopped, "aborted");
        assert.equal(result.code, 128 + 15);
      }));
      assert.equal(git.running, 0);
    }));
}

Deno.test("background work ends with a server that is killed; where setpriv(1) cannot do that, git runs all the same", () =>
  withTempDirectory(async (directory) => {
    const root = new URL("../..", import.meta.url).pathname;
    const binary = await pretendGit(
      directory,
      `PATH=${SEARCH_PATH}\necho $$ > ${directory}/pid\nexec sleep 1000`,
    );
    const code = `import { createGit } from "${root}lib/git/mod.ts";
      import { systemClock as clock } from "${root}lib/world/mod.ts";
      const options = { homePath: "${directory}/home", clock, limits: { maxPushBytes: 0 } };
      const git = await createGit({ ...options, binary: "${binary}", searchPath: "${SEARCH_PATH}" });
      await git.run(["repack"], { timeoutMs: 600_000, isBackground: true });`;
    const server = new Deno.Command(Deno.execPath(), {
      args: ["eval", "--no-lock", "--quiet", "--config", `${root}deno.json`, code],
      env: { NO_COLOR: "1" },
      stdin: "null",
      stdout: "null",
      stderr: "inherit",
    }).spawn();
    let pid = 0;
    await eventually("git runs", async () => {
      pid = Number(await Deno.readTextFile(`${directory}/pid`).catch(() => "0"));
      return pid > 0;
    });
    assert.ok(await isRunning(pid));
    server.kill("SIGKILL");
    await server.status;
    await eventually("git has ended", async () => !await isRunning(pid));

    const tools = `${directory}/tools`;
    await Deno.mkdir(tools);
    await Deno.writeTextFile(`${tools}/setpriv`, "#!/bin/sh\nexit 1\n", { mode: 0o755 });
    const git = await createGit({
      binary: "git",
      homePath: `${directory}/home2`,
      clock: systemClock,
      limits: { maxPushBytes: 0 },
      searchPath: `${tools}:${SEARCH_PATH}`,
    });
    assert.equal((await git.run(["version"], { timeoutMs: 10_000, isBackground: true })).code, 0);
  }));
