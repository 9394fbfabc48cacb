import assert from "node:assert/strict";
import { resolve } from "node:path";
import { markBackup, runningBackup } from "../../lib/git/mod.ts";
import { systemClock } from "../../lib/world/mod.ts";
import { withTempDirectory } from "../support/temp.ts";
import { VirtualClock } from "../support/virtual_clock.ts";

Deno.test("a backup is known to run while its process lives, at most for a day, and one at a time", () =>
  withTempDirectory(async (root) => {
    const clock = new VirtualClock();
    assert.equal(await runningBackup(root, clock), undefined);
    const unmark = await markBackup(root, clock);
    assert.deepEqual(await runningBackup(root, clock), { pid: Deno.pid, startedAt: clock.now() });
    assert.equal(await markBackup(root, clock), undefined);
    await unmark!();
    assert.equal(await runningBackup(root, clock), undefined);
    const leftovers = [
      `${Deno.pid} ${clock.now() - 86_400_000}\n`,
      `4194303 ${clock.now()}\n`,
      "nonsense",
      "",
    ];
    for (const text of leftovers) {
      await Deno.writeTextFile(`${root}/.backup-running`, text);
      assert.equal(await runningBackup(root, clock), undefined, text);
      await (await markBackup(root, clock))!();
    }
  }));

Deno.test("a backup counts as running for a server that may run nothing but git, and so cannot ask", () =>
  withTempDirectory(async (root) => {
    await markBackup(root, systemClock);
    const here = import.meta.dirname!;
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--no-prompt",
        "--quiet",
        "--no-check",
        "--config",
        resolve(here, "../../deno.json"),
        `--allow-read=${root}`,
        "--allow-run=git",
        resolve(here, "backup_marker_process.ts"),
        root,
      ],
    }).output();
    assert.equal(new TextDecoder().decode(stdout), "true\n");
  }));
