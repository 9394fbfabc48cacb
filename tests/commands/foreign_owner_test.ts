import assert from "node:assert/strict";
import { hosted, scene } from "../scenarios/support.ts";
import { runProgram } from "./support.ts";

const NOBODY = 65534;

Deno.test("commands that change data refuse root when the data are another user's, whose server could not start after them", () =>
  scene(async (stage) => {
    if (Deno.uid() !== 0) return; // giving files away needs root
    const dataPath = `${stage.directory}/data`;
    await hosted(stage, "theirs");
    await stage.server.stop();
    const events = `${stage.directory}/events.jsonl`;
    const run = (...args: string[]) => runProgram(args, { dataPath });
    assert.equal((await run("export", "--to", events)).code, 0);
    const changing = [["maintain", "purgatory_sweep"], ["cleanup-empty-repos"], ["import", "--from", events]];
    const lock = `${dataPath}/git/.ngit-grasp.lock`;
    await Deno.chown(lock, NOBODY, NOBODY);
    for (const args of changing) {
      const { code, stderr } = await run(...args);
      assert.equal(code, 1, args.join(" "));
      assert.match(stderr, /error: \S+\/git is the data of uid 65534: run this as that user, not as root /);
    }
    assert.equal((await run("import", "--from", events, "--dry-run")).code, 0, "it changes nothing");
    // Before the first start of a server there is no lock: the directory tells.
    await Deno.remove(lock);
    for (const args of changing) assert.equal((await run(...args)).code, 0, args.join(" "));
    await Deno.remove(lock);
    await Deno.chown(`${dataPath}/git`, NOBODY, NOBODY);
    for (const args of changing) assert.equal((await run(...args)).code, 1, args.join(" "));
  }));
