import { ok, strictEqual } from "node:assert/strict";
import { programCommand, ServerProcess } from "../support/server_process.ts";
import { eventually, withTempDirectory } from "../support/temp.ts";

/** Runs `play` with a server process whose output nobody has to read. */
async function withProcess(
  directory: string,
  env: Readonly<Record<string, string>>,
  play: (child: Deno.ChildProcess) => Promise<void>,
): Promise<number> {
  const { command, args } = programCommand();
  const child = new Deno.Command(command, {
    args,
    cwd: directory,
    env: { NGIT_BIND_ADDRESS: "127.0.0.1:0", NGIT_RELAY_OWNER_NSEC: "1".repeat(64), ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  try {
    await child.stdout.cancel();
    await play(child);
    return (await child.status).code;
  } finally {
    try {
      child.kill("SIGKILL");
    } catch {
      // It has ended by itself.
    }
    await child.status;
  }
}

Deno.test("M-23 asked to stop it exits 0 although a stranger never finishes a request", () =>
  withTempDirectory(async (directory) => {
    const server = await ServerProcess.start({
      dataPath: directory,
      env: { NGIT_SHUTDOWN_TIMEOUT_SECS: "1" },
    });
    const stranger = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
    await stranger.write(new TextEncoder().encode("GET / HTTP/1.1\r\nHost: x\r\n"));
    await (await fetch(`${server.httpUrl}/healthz`)).body?.cancel();
    strictEqual(await server.stop(), 0, server.log);
    stranger.close();
    ok(!server.log.includes("unhandled fault"), server.log);
  }));

Deno.test("a log that nobody reads any more changes no answer", () =>
  withTempDirectory(async (directory) => {
    const env = { NGIT_LOG_LEVEL: "debug", NGIT_RELAY_DATA_PATH: `${directory}/relay` };
    const code = await withProcess(directory, env, async (child) => {
      const bound = () => Deno.readTextFile(`${directory}/relay/bound-address`).catch(() => "");
      await eventually("listening", async () => await bound() !== "");
      const url = `http://${(await bound()).trim()}/`;
      await eventually("answering", async () => {
        const response = await fetch(url);
        await response.body?.cancel();
        return response.status === 200;
      }, 5_000);
      child.kill("SIGTERM");
    });
    strictEqual(code, 0);
  }));

Deno.test("M-23 a second signal ends it at once, also while it is still starting", () =>
  withTempDirectory(async (directory) => {
    const slowGit = `${directory}/slow-git`;
    await Deno.writeTextFile(
      slowGit,
      `#!/bin/sh\n: > ${directory}/asked\nsleep 5; : > ${directory}/answered\n`,
      { mode: 0o755 },
    );
    const code = await withProcess(directory, { NGIT_GIT_BINARY: slowGit }, async (child) => {
      await eventually("starting", () => Deno.stat(`${directory}/asked`).then(() => true, () => false));
      child.kill("SIGTERM");
      child.kill("SIGINT");
    });
    strictEqual(code, 1);
    ok(!await Deno.stat(`${directory}/answered`).then(() => true, () => false), "it waited for git");
  }));
