import assert from "node:assert/strict";
import { git } from "../support/git_client.ts";
import { ServerProcess } from "../support/server_process.ts";
import { eventually } from "../support/temp.ts";
import { hosted, scene } from "../scenarios/support.ts";
import { runProgram } from "./support.ts";

Deno.test("M-28 M-31 M-41 jobs on demand refuse beside a running server or run beside it; damage is counted and still served", () =>
  scene(async (stage) => {
    const { directory, server } = stage;
    const dataPath = `${directory}/data`;
    const run = (...args: string[]) => runProgram(args, { dataPath });
    const { owner, identifier, work, url } = await hosted(stage, "damaged");
    const inUse = new RegExp(`data directory .* is in use by pid ${server.pid}`);

    for (const args of [["maintain", "db_maintenance"], ["cleanup-empty-repos", "--execute", "--yes"]]) {
      const refused = await run(...args);
      assert.equal(refused.code, 1, args.join(" "));
      assert.match(refused.stderr, inUse);
    }
    const sound = await run("maintain", "git_fsck", "--format", "json");
    assert.deepEqual([sound.code, JSON.parse(sound.stdout).damaged], [0, []]);

    const path = `${dataPath}/git/${owner.npub}/${identifier}.git`;
    const tree = await git(work, "rev-parse", "HEAD^{tree}");
    const packs = await Array.fromAsync(Deno.readDir(`${path}/objects/pack`));
    for (const { name } of packs.filter(({ name }) => name.endsWith(".pack"))) {
      const pack = `${directory}/${name}`;
      await Deno.rename(`${path}/objects/pack/${name}`, pack);
      await Deno.remove(`${path}/objects/pack/${name.replace(/pack$/, "idx")}`);
      await new Deno.Command("sh", { args: ["-c", `git -C '${path}' unpack-objects -q < '${pack}'`] })
        .output();
    }
    await Deno.remove(`${path}/objects/${tree.slice(0, 2)}/${tree.slice(2)}`);
    const beside = await run("maintain", "git_fsck");
    assert.equal(beside.code, 1);
    assert.match(beside.stdout, new RegExp(`1 damaged, 0 could not be checked\n  ${owner.npub}/damaged: `));
    assert.equal((await run("maintain", "report")).code, 0, "what ran beside the server is not recorded");

    await server.stop();
    const offline = await run("maintain", "git_fsck");
    assert.deepEqual([offline.code, offline.stdout], [
      1,
      "git_fsck: 1 checked, 1 damaged, 0 could not be checked\n",
    ]);
    const again = await ServerProcess.start({ dataPath, port: server.port });
    try {
      const metrics = await (await fetch(`${again.httpUrl}/metrics`)).text();
      assert.match(metrics, /^ngit_repo_fsck_failures 1$/m);
      assert.match(metrics, /^ngit_job_last_success_timestamp_seconds\{job="git_fsck"\} \d{10}/m);
      assert.match(await git(directory, "ls-remote", url), /refs\/heads\/main/);
      const report = await run("maintain", "report", "--format", "json");
      assert.equal(report.code, 1);
      const [repository] = JSON.parse(report.stdout).repositories;
      assert.match(repository.damage, new RegExp(tree));
      assert.deepEqual([repository.npub, repository.standing], [owner.npub, "announced"]);
      await eventually("the jobs of a start ran", async () => {
        const text = await (await fetch(`${again.httpUrl}/metrics`)).text();
        return /^ngit_job_runs_total\{job="deleted_retention",result="success"\} [1-9]/m.test(text);
      });
    } finally {
      await again.stop();
    }
  }));

Deno.test("maintain names its jobs, and a wrong path is not made into a new server", () =>
  scene(async ({ directory }) => {
    const dataPath = `${directory}/nothing`;
    await Deno.mkdir(dataPath);
    const unknown = await runProgram(["maintain", "gc"], { dataPath });
    assert.equal(unknown.code, 2);
    assert.match(unknown.stderr, /there is no job 'gc'; there are:\n(.*\n)+ {2}git_maintenance /);
    const nowhere = await runProgram(["cleanup-empty-repos"], { dataPath });
    assert.deepEqual([nowhere.code, nowhere.stderr], [
      1,
      `error: there are no repositories at ${dataPath}/git\n`,
    ]);
    assert.deepEqual(await Array.fromAsync(Deno.readDir(dataPath)), []);
  }));
