import assert from "node:assert/strict";
import { dirname } from "node:path";
import { type BackupOptions, type BackupResult, runBackup } from "../../lib/commands/backup/run.ts";
import { noProgress } from "../../lib/commands/progress.ts";
import { encodeNpub } from "../../lib/nostr/mod.ts";
import { openStore } from "../../lib/store/mod.ts";
import { systemClock } from "../../lib/world/mod.ts";
import { git, newWorkTree } from "../support/git_client.ts";
import { silentLog } from "../support/silent_log.ts";
import { withTempDirectory } from "../support/temp.ts";
import { announced, hosted, scene } from "../scenarios/support.ts";
import { copyTree, runProgram } from "./support.ts";

const exists = async (path: string) => await Deno.lstat(path).then(() => true, () => false);

Deno.test("a tar backup unpacks to what a directory backup holds, and passes restore-check", () =>
  scene(async (stage) => {
    const { directory } = stage;
    const { owner } = await hosted(stage, "one");
    await announced(stage, "waiting");
    const dataPath = `${directory}/data`;
    for (const name of ["copy", "copy.tar.gz"]) {
      const run = await runProgram(["backup", "--to", `${directory}/out/${name}`], { dataPath });
      assert.equal(run.code, 0, run.stderr);
    }
    assert.deepEqual(
      (await Array.fromAsync(Deno.readDir(`${directory}/out`))).map(({ name }) => name).sort(),
      ["copy", "copy.tar.gz"],
    );
    await Deno.mkdir(`${directory}/unpacked`);
    const { code } = await new Deno.Command("tar", {
      args: ["-xzf", `${directory}/out/copy.tar.gz`, "-C", `${directory}/unpacked`],
    }).output();
    assert.equal(code, 0);
    assert.deepEqual(await namesBelow(`${directory}/unpacked`), await namesBelow(`${directory}/out/copy`));
    const check = await runProgram(["restore-check", `${directory}/unpacked`, "--full"], { dataPath });
    assert.equal(check.code, 0, check.stdout);
    assert.match(check.stdout, /3 events?|2 events/);
    const repository = `${directory}/unpacked/git/${owner.npub}/one.git`;
    assert.equal(
      await git(repository, "rev-parse", "HEAD"),
      await git(`${directory}/data/git/${owner.npub}/one.git`, "rev-parse", "HEAD"),
    );
  }));

Deno.test("a backup shares files with the data where it can, and with --copy it does not", () =>
  scene(async (stage) => {
    const { directory } = stage;
    const { owner } = await hosted(stage, "one");
    const dataPath = `${directory}/data`;
    const packs = `git/${owner.npub}/one.git/objects/pack`;
    const [pack] = (await Array.fromAsync(Deno.readDir(`${dataPath}/${packs}`))).map(({ name }) => name);
    const inode = async (root: string) => (await Deno.stat(`${root}/${packs}/${pack}`)).ino;
    await runProgram(["backup", "--to", `${directory}/linked`], { dataPath });
    await runProgram(["backup", "--to", `${directory}/copied`, "--copy"], { dataPath });
    assert.equal(await inode(`${directory}/linked`), await inode(dataPath));
    assert.notEqual(await inode(`${directory}/copied`), await inode(dataPath));
    assert.equal(await exists(`${dataPath}/git/.backup-running`), false);
  }));

Deno.test("a repository that cannot be read is left out, listed, and makes the exit code 1", () =>
  scene(async (stage) => {
    const { directory } = stage;
    const { owner } = await hosted(stage, "good");
    const bad = await hosted(stage, "bad");
    const dataPath = `${directory}/data`;
    const head = `${dataPath}/git/${bad.owner.npub}/bad.git/HEAD`;
    await Deno.remove(head);
    await Deno.mkdir(head);
    const run = await runProgram(["backup", "--to", `${directory}/copy`], { dataPath });
    assert.equal(run.code, 1);
    assert.match(run.stdout, new RegExp(`UNREADABLE ${bad.owner.npub}/bad.git: `));
    assert.equal(await exists(`${directory}/copy/git/${bad.owner.npub}/bad.git`), false);
    assert.equal(await exists(`${directory}/copy/git/${owner.npub}/good.git/HEAD`), true);
    const check = await runProgram(["restore-check", `${directory}/copy`], { dataPath });
    assert.equal(check.code, 1);
    assert.match(check.stdout, /has to be fetched from elsewhere:\n {2}npub1\S+\/bad: everything, /);
    await git(directory, "clone", "-q", "--bare", bad.work, `copy/git/${bad.owner.npub}/bad.git`);
    assert.equal((await runProgram(["restore-check", `${directory}/copy`], { dataPath })).code, 0);
  }));

Deno.test("restore-check names refs whose objects are gone, refs that differ, and orphans; on live data too", () =>
  scene(async (stage) => {
    const { directory } = stage;
    const lossy = await hosted(stage, "lossy");
    const moved = await hosted(stage, "moved");
    const dataPath = `${directory}/data`;
    const whole = await runProgram(["restore-check", "--full"], { dataPath });
    assert.equal(whole.code, 0, whole.stdout + whole.stderr);
    await Deno.remove(`${dataPath}/git/${lossy.owner.npub}/lossy.git/objects/pack`, { recursive: true });
    await git(`${dataPath}/git/${moved.owner.npub}/moved.git`, "branch", "other", "main");
    const orphan = `${encodeNpub("5".repeat(64))}/orphan`;
    await copyTree(`${dataPath}/git/${moved.owner.npub}`, `${dataPath}/git/${orphan.split("/")[0]}`);
    await Deno.rename(
      `${dataPath}/git/${orphan.split("/")[0]}/moved.git`,
      `${dataPath}/git/${orphan}.git`,
    );
    const check = await runProgram(["restore-check", "--full", "--format", "json"], {
      dataPath,
      env: { NGIT_DOMAIN: stage.server.domain },
    });
    assert.equal(check.code, 1);
    const { results, toFetch } = JSON.parse(check.stdout);
    assert.deepEqual(toFetch, [
      { repository: `${lossy.owner.npub}/lossy`, missing: ["refs/heads/main"], elsewhere: [] },
    ]);
    const text = results.map(({ status, message }: Record<string, string>) => `${status} ${message}`).join(
      "\n",
    );
    assert.match(text, /FAIL 1 lack objects their state names: npub1\S+\/lossy/);
    assert.match(text, /warn 1 have refs that differ from their state: npub1\S+\/moved/);
    assert.match(text, new RegExp(`warn 1 without announcement: ${orphan}`));
    assert.match(text, /FAIL 1 of 3 broken: npub1\S+\/lossy\.git/);
  }));

Deno.test("what cannot be backed up is refused in one sentence, and nothing is left behind", () =>
  withTempDirectory(async (directory) => {
    const refused = async (to: string, databasePath?: string) => {
      const result = await backUp(directory, { to: `${directory}/${to}`, databasePath });
      return result.ok ? "made" : result.reason;
    };
    assert.match(await refused("x"), /^there is no git data at /);
    await Deno.mkdir(`${directory}/git`);
    assert.match(
      await refused("x", `${directory}/relay/relay.db`),
      /^there is no database at .*relay\.db$/,
    );
    await Deno.mkdir(`${directory}/taken`);
    assert.match(await refused("taken"), /taken exists/);
    await Deno.mkdir(`${directory}/cut.partial`);
    assert.match(await refused("cut"), /cut\.partial is left of a backup/);
    assert.match(await refused("git/inside"), / lies inside /);
    await Deno.writeTextFile(`${directory}/git/.backup-running`, `${Deno.pid} ${Date.now()}\n`);
    assert.match(await refused("z"), /^another backup of /);
    await Deno.writeTextFile(`${directory}/git/.backup-running`, `${Deno.pid} ${Date.now() - 90_000_000}\n`);
    assert.equal(await refused("z"), "made");
    assert.equal(await exists(`${directory}/git/.backup-running`), false);
  }));

Deno.test("the key is in a backup only when asked for, readable by its owner alone, and never printed", () =>
  withTempDirectory(async (dataPath) => {
    await Deno.mkdir(`${dataPath}/git`);
    const run = await runProgram(["backup", "--to", "copy", "--git-only", "--include-key"], { dataPath });
    assert.equal(run.code, 0, run.stderr);
    assert.equal((await Deno.stat(`${dataPath}/copy/.relay-owner.nsec`)).mode! & 0o777, 0o600);
    assert.match(await Deno.readTextFile(`${dataPath}/copy/.relay-owner.nsec`), /^nsec1/);
    assert.ok(!(run.stdout + run.stderr).includes("nsec1"));
    const check = await runProgram(["restore-check", "copy"], { dataPath });
    assert.equal(check.code, 0, check.stdout);
    assert.match(check.stdout, /skip +not included in this backup/);
  }));

Deno.test("a database on a server of its own is not part of a backup, and that is said", () =>
  withTempDirectory(async (dataPath) => {
    await Deno.mkdir(`${dataPath}/git`);
    const env = { NGIT_DATABASE_URL: "http://127.0.0.1:1" };
    const { code, stderr } = await runProgram(["backup", "--to", "copy"], { dataPath, env });
    assert.equal(code, 1);
    assert.match(stderr, /^error: the remote database is not included in a backup: .*--git-only here\n$/);
    const gitOnly = await runProgram(["backup", "--to", "copy", "--git-only"], { dataPath, env });
    assert.equal(gitOnly.code, 0, gitOnly.stderr);
  }));

Deno.test("a tar backup that failed or was killed leaves no copy of the database in the way of the next", () =>
  withTempDirectory(async (directory) => {
    const databasePath = `${directory}/relay/relay.db`;
    await Deno.mkdir(dirname(databasePath));
    await Deno.mkdir(`${directory}/git`);
    const limits = { defaultFilterLimit: 1, maxFilterLimit: 1 };
    const store = await openStore({
      location: databasePath,
      backend: "libsql",
      clock: systemClock,
      limits,
      log: silentLog,
    });
    await store.close();
    const to = `${directory}/out/copy.tar`;
    await Deno.mkdir(dirname(to));
    await Deno.writeTextFile(`${to}.partial.relay-relay.db.new`, "left over");
    assert.deepEqual((await backUp(directory, { to, databasePath })).ok, true);
    const left = await Array.fromAsync(Deno.readDir(dirname(to)));
    assert.deepEqual(left.map(({ name }) => name), ["copy.tar"]);
  }));

Deno.test("a tar file with the key is readable by its owner alone", () =>
  withTempDirectory(async (directory) => {
    await Deno.mkdir(`${directory}/git`);
    const to = `${directory}/copy.tar`;
    assert.ok((await backUp(directory, { to, key: "nsec1secret\n" })).ok);
    assert.equal((await Deno.stat(to)).mode! & 0o777, 0o600);
  }));

Deno.test("a repository taken over with loose objects is in a backup", () =>
  withTempDirectory(async (directory) => {
    const path = "git/npub1a/one.git";
    await newBare(`${directory}/${path}`);
    for (const mayLink of [true, false]) {
      const to = `${directory}/copy-${mayLink}`;
      const result = await backUp(directory, { to, mayLink });
      assert.ok(result.ok);
      assert.deepEqual(result.manifest.git.unreadable, []);
      await git(`${to}/${path}`, "fsck", "--full", "--strict");
    }
  }));

Deno.test("the copy of a repository that borrows objects holds them itself", () =>
  withTempDirectory(async (directory) => {
    const lender = `${directory}/git/npub1a/lender.git`;
    await newBare(lender);
    const borrower = `${directory}/git/npub1a/borrower.git`;
    await git(directory, "clone", "-q", "--bare", "--shared", lender, borrower);
    const result = await backUp(directory, { to: `${directory}/copy` });
    assert.ok(result.ok);
    assert.deepEqual(result.manifest.git.unreadable, []);
    await Deno.rename(`${directory}/git`, `${directory}/gone`);
    await git(`${directory}/copy/git/npub1a/borrower.git`, "fsck", "--full");
  }));

Deno.test("what a push leaves for its moment is not in a copy", () =>
  withTempDirectory(async (directory) => {
    const path = `${directory}/git/npub1a/one.git`;
    await newBare(path);
    await git(path, "repack", "-q", "-a", "-d");
    const [pack] = (await Array.fromAsync(Deno.readDir(`${path}/objects/pack`))).map(({ name }) => name)
      .filter((name) => name.endsWith(".pack"));
    await Deno.writeTextFile(
      `${path}/objects/pack/${pack!.replace(/pack$/, "keep")}`,
      "receive-pack 1 on here\n",
    );
    assert.ok((await backUp(directory, { to: `${directory}/copy` })).ok);
    const copied = await Array.fromAsync(Deno.readDir(`${directory}/copy/git/npub1a/one.git/objects/pack`));
    assert.deepEqual(copied.filter(({ name }) => name.endsWith(".keep")), []);
  }));

Deno.test("a repository with links or pipes for files is left out and listed", () =>
  withTempDirectory(async (directory) => {
    const secret = `${directory}/secret`;
    await Deno.writeTextFile(secret, "a secret of the machine");
    const names = ["HEAD", "description", "refs/heads/link"];
    for (const [at, name] of names.entries()) {
      const path = `${directory}/git/npub1a/${at}.git`;
      await newBare(path);
      await Deno.remove(`${path}/${name}`).catch(() => {});
      await Deno.symlink(secret, `${path}/${name}`);
    }
    const piped = `${directory}/git/npub1a/9.git/objects/12`;
    await newBare(dirname(dirname(piped)));
    await Deno.mkdir(piped, { recursive: true });
    await new Deno.Command("mkfifo", { args: [`${piped}/${"3".repeat(38)}`] }).output();
    const result = await backUp(directory, { to: `${directory}/copy`, mayLink: false });
    assert.ok(result.ok);
    const reasons = result.manifest.git.unreadable.map(({ reason }) => reason.replace(/^.*git\//, ""));
    assert.deepEqual(reasons, [...names, `12/${"3".repeat(38)}`].map((name) => `${name} is no plain file`));
  }));

/** A bare repository with one commit. */
async function newBare(path: string): Promise<void> {
  const work = `${path}.work`;
  await newWorkTree(work);
  await git(work, "commit", "-q", "--allow-empty", "-m", "one");
  await git(work, "clone", "-q", "--bare", work, path);
  await Deno.remove(work, { recursive: true });
}

async function backUp(
  directory: string,
  options: Partial<BackupOptions> & { to: string },
): Promise<BackupResult> {
  return await runBackup({
    gitPath: `${directory}/git`,
    databasePath: undefined,
    key: undefined,
    mayLink: true,
    clock: systemClock,
    log: silentLog,
    progress: noProgress,
    ...options,
  });
}

async function namesBelow(root: string, folder = ""): Promise<string[]> {
  const names: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(`${root}/${folder}`)) {
    if (isDirectory) names.push(...await namesBelow(root, `${folder}${name}/`));
    else names.push(folder + name);
  }
  return names.sort();
}
