import assert from "node:assert/strict";
import { fsckAll } from "../../lib/commands/restore_check/fsck.ts";
import { noProgress } from "../../lib/commands/progress.ts";
import { createGit } from "../../lib/git/mod.ts";
import { systemClock } from "../../lib/world/mod.ts";
import { hosted, scene } from "../scenarios/support.ts";
import { commitFile, git, newWorkTree, tryGit } from "../support/git_client.ts";
import { withTempDirectory } from "../support/temp.ts";
import { copyTree, runProgram } from "./support.ts";

Deno.test("restore-check misses repositories that the manifest counts and no announcement names", () =>
  scene(async (stage) => {
    const { directory } = stage;
    const { owner } = await hosted(stage, "one");
    const dataPath = `${directory}/data`;
    const contributed = `${dataPath}/git/prs/${owner.pubkey}`;
    await Deno.mkdir(contributed, { recursive: true });
    await copyTree(`${dataPath}/git/${owner.npub}/one.git`, `${contributed}/one.git`);
    const copy = `${directory}/copy`;
    assert.equal((await runProgram(["backup", "--to", copy], { dataPath })).code, 0);
    assert.equal((await runProgram(["restore-check", copy], { dataPath })).code, 0);
    await Deno.remove(`${copy}/git/prs`, { recursive: true });
    const { code, stdout } = await runProgram(["restore-check", copy], { dataPath });
    assert.equal(code, 1);
    assert.match(stdout, /manifest +FAIL +1 repositories are here, and the manifest says 2\n/);
  }));

Deno.test("restore-check of a packed backup asks for it to be unpacked, and of a wrong path says that nothing is there", () =>
  withTempDirectory(async (directory) => {
    await Deno.writeTextFile(`${directory}/backup.tar.gz`, "packed");
    const failures = [
      ["backup.tar.gz", /FAIL +\/\S+\/backup\.tar\.gz is a file: unpack it, /],
      ["nothing", /FAIL +\/\S+\/nothing does not exist\n/],
      [".", /FAIL +\/\S+\/manifest\.json is missing: this is no backup, or an incomplete one\n/],
    ] as const;
    for (const [word, sentence] of failures) {
      const { code, stdout } = await runProgram(["restore-check", word], { dataPath: directory });
      assert.equal(code, 1);
      assert.match(stdout, sentence);
    }
  }));

Deno.test("a repository git cannot read is named as such by restore-check and why", () =>
  scene(async (stage) => {
    const dataPath = `${stage.directory}/data`;
    const { owner } = await hosted(stage, "one");
    const name = `${owner.npub}/one`;
    await Deno.writeTextFile(`${dataPath}/git/${name}.git/config`, "[cut");
    const check = await runProgram(["restore-check"], { dataPath });
    assert.equal(check.code, 1);
    assert.match(check.stdout, /FAIL +1 missing or unreadable: npub1\S+\/one\n/);
    assert.match(check.stdout, /npub1\S+\/one: everything, /);
    const [announcement] = await stage.relay.query({ kinds: [30617] });
    for (const word of [name, announcement!.id]) {
      const { stdout, stderr } = await runProgram(["why", word], { dataPath });
      assert.match(stdout, /no +git data +npub1\S+\/one is damaged: git cannot list its refs/, stderr);
    }
  }));

Deno.test("restore-check --full reads every pack: damaged bytes are found, odd old commits are none", () =>
  withTempDirectory(async (directory) => {
    const work = await newWorkTree(`${directory}/work`);
    await commitFile(work, "big", crypto.getRandomValues(new Uint8Array(20_000)));
    await commitFile(work, "last", "x");
    const commit = await git(work, "cat-file", "commit", "HEAD");
    await Deno.writeTextFile(
      `${directory}/odd`,
      commit.replace(/(author .*>) \d+ .*/, "$1 0001 +0000") + "\n",
    );
    const odd = await git(work, "hash-object", "-t", "commit", "-w", "--literally", `${directory}/odd`);
    await git(work, "update-ref", "refs/heads/odd", odd);
    const root = `${directory}/git`;
    const path = `${root}/npub1a/one.git`;
    await git(directory, "clone", "-q", "--bare", "--no-local", work, path);
    assert.notEqual((await tryGit(path, "fsck", "--full")).code, 0, "git does not mind");
    const runner = await createGit({
      binary: "git",
      homePath: `${directory}/home`,
      clock: systemClock,
      limits: { maxPushBytes: 0 },
    });
    assert.deepEqual((await fsckAll(runner, root, noProgress)).broken, []);
    for await (const { name } of Deno.readDir(`${path}/objects/pack`)) {
      if (!name.endsWith(".pack")) continue;
      const pack = `${path}/objects/pack/${name}`;
      const bytes = await Deno.readFile(pack);
      bytes.fill(0, bytes.length - 10_000, bytes.length - 5_000);
      await Deno.chmod(pack, 0o640);
      await Deno.writeFile(pack, bytes);
    }
    assert.deepEqual((await fsckAll(runner, root, noProgress)).broken, ["npub1a/one.git"]);
  }));
