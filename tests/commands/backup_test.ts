import assert from "node:assert/strict";
import { commitFile, git, refsOf, tryGit } from "../support/git_client.ts";
import { declare } from "../support/keys.ts";
import { RelayClient } from "../support/relay_client.ts";
import { ServerProcess } from "../support/server_process.ts";
import { eventually } from "../support/temp.ts";
import { type Hosted, hosted, pushAll, type Scene, scene } from "../scenarios/support.ts";
import { copyTree, runProgram } from "./support.ts";

Deno.test("M-32 a backup under continuous pushes passes restore-check, and every branch in the stored states resolves", () =>
  scene(async (stage) => {
    const { directory, server } = stage;
    const repositories = await Promise.all(["one", "two", "three"].map((name) => hosted(stage, name)));
    const pushing = new AbortController();
    const counts = repositories.map(() => 0);
    const pushers = repositories.map((repository, index) =>
      keepPushing(stage, repository, pushing.signal, () => counts[index]!++)
    );
    await eventually("every repository was pushed to", () => counts.every((count) => count > 0));
    const dataPath = `${directory}/data`;
    const backup = await runProgram(["backup", "--to", `${directory}/copy`, "--format", "json"], {
      dataPath,
    });
    const before = [...counts];
    await eventually("pushes went on", () => counts.every((count, index) => count > before[index]!));
    pushing.abort();
    await Promise.all(pushers);
    assert.equal(backup.code, 0, backup.stderr);
    const manifest = JSON.parse(backup.stdout);
    assert.equal(manifest.git.repositories, 3);
    assert.deepEqual(manifest.git.unreadable, []);
    assert.ok(manifest.database.events >= 6);

    const check = await runProgram(["restore-check", `${directory}/copy`, "--full"], { dataPath });
    assert.equal(check.code, 0, check.stdout + check.stderr);
    await restore(`${directory}/copy`, `${directory}/restored`);
    const live = await runProgram(["restore-check"], { dataPath: `${directory}/restored` });
    assert.equal(live.code, 0, live.stdout + live.stderr);
    const restored = await ServerProcess.start({
      dataPath: `${directory}/restored`,
      env: { NGIT_DOMAIN: server.domain, NGIT_SYNC_ENABLE: "false" },
    });
    try {
      await everyBranchResolves(restored, repositories, directory);
    } finally {
      await restored.stop();
    }
  }));

/** The steps of docs/backup.md. */
async function restore(backup: string, dataPath: string): Promise<void> {
  await Deno.mkdir(dataPath);
  await copyTree(`${backup}/git`, dataPath);
  await copyTree(`${backup}/relay`, dataPath);
  const { code } = await new Deno.Command("find", {
    args: [`${dataPath}/git`, `${dataPath}/relay`, "-type", "d", "-exec", "chmod", "750", "{}", "+"],
  }).output();
  assert.equal(code, 0);
}

/** Commits, declares and pushes until told to stop. */
async function keepPushing(
  stage: Scene,
  hosted: Hosted,
  signal: AbortSignal,
  pushed: () => void,
): Promise<void> {
  for (let n = 1; !signal.aborted; n++) {
    await commitFile(hosted.work, `file-${n}`, `${n}\n`.repeat(1_000));
    if (n % 3 === 0) await git(hosted.work, "branch", `topic-${n}`);
    const state = declare(hosted.owner, hosted.identifier, await refsOf(hosted.work), {
      head: "refs/heads/main",
      created_at: Math.floor(Date.now() / 1000) - 90 + n,
    });
    await stage.relay.publish(state);
    await pushAll(hosted);
    pushed();
  }
}

async function everyBranchResolves(
  server: ServerProcess,
  repositories: readonly Hosted[],
  directory: string,
): Promise<void> {
  const relay = await RelayClient.connect(server.wsUrl);
  const states = await relay.query({ kinds: [30618] });
  await relay.close();
  assert.equal(states.length, repositories.length);
  for (const { owner, identifier } of repositories) {
    const state = states.find(({ pubkey, tags }) => pubkey === owner.pubkey && tags[0]?.[1] === identifier)!;
    const url = server.cloneUrl(owner.npub, identifier);
    const listed = await git(directory, "ls-remote", url, "refs/heads/*");
    const branches = state.tags.filter(([name]) => name?.startsWith("refs/heads/"));
    assert.ok(branches.length > 0);
    assert.deepEqual(
      listed.split("\n").toSorted(),
      branches.map(([name, oid]) => `${oid}\t${name}`).toSorted(),
    );
    const clone = await tryGit(directory, "clone", "-q", url, `clone-${identifier}`);
    assert.equal(clone.code, 0, clone.stderr);
  }
}
