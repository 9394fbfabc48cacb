import assert from "node:assert/strict";
import { claimDirectories, lockDataDirectory } from "../../lib/store/mod.ts";
import { withDirectory } from "./fixtures.ts";

Deno.test("C-26 a data directory in use is refused naming its pid, until that process is gone", () =>
  withDirectory(async (_path, directory) => {
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "-A",
        "--config",
        "deno.json",
        new URL("./lock_process.ts", import.meta.url).pathname,
        directory,
      ],
      stdout: "piped",
    }).spawn();
    const reader = child.stdout.getReader();
    await reader.read();
    await assert.rejects(lockDataDirectory(directory, Deno.pid), {
      message: `data directory ${directory} is in use by pid ${child.pid}`,
    });
    child.kill("SIGKILL");
    await child.status;
    await reader.cancel();
    const lock = await lockDataDirectory(directory, Deno.pid);
    await assert.rejects(lockDataDirectory(directory, Deno.pid), {
      message: `data directory ${directory} is in use by pid ${Deno.pid}`,
    });
    await lock.release();
    await lock.release();
    await (await lockDataDirectory(directory, Deno.pid)).release();
  }));

Deno.test("a data directory that cannot be written is refused naming the option, the path and the user", () =>
  withDirectory(async (_path, directory) => {
    // Root may write anywhere, but not to a directory as if it were a file.
    await Deno.mkdir(`${directory}/.ngit-grasp.lock`);
    const config = {
      usesTemporaryGitData: false,
      gitDataPath: directory,
      relayDataPath: directory,
      databaseBackend: "memory",
    } as const;
    await assert.rejects(
      claimDirectories(config, []),
      (error: Error) =>
        error.message.startsWith(`NGIT_GIT_DATA_PATH ${directory} is not writable by uid ${Deno.uid()}: `),
    );
  }));
