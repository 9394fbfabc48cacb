import assert from "node:assert/strict";
import { pushTo, urlOf } from "../scenarios/contribution_support.ts";
import { declareAll, hosted } from "../scenarios/support.ts";
import { commitFile, git, newWorkTree, tryGit } from "../support/git_client.ts";
import { newSigner } from "../support/keys.ts";
import { RelayClient } from "../support/relay_client.ts";
import type { ServerProcess } from "../support/server_process.ts";
import { eventually } from "../support/temp.ts";
import { withServer } from "./reload_support.ts";

/** Repositories whose traffic is exported; a rendering is shared for a second. */
async function topRepositories(server: ServerProcess): Promise<number> {
  const text = await (await fetch(`${server.httpUrl}/metrics`)).text();
  return text.split("\n").filter((line) => line.startsWith("ngit_git_top_repos_bytes{")).length;
}

Deno.test("C-29 C-42 three exported repositories of four, as started and as reloaded; the disk threshold and the size of a push follow", () =>
  withServer(["NGIT_METRICS_TOP_N_REPOS=3"], async ({ directory, server, client: relay, reload }) => {
    const stage = { directory, server, relay };
    const repositories = [];
    for (const name of ["a", "b", "c", "d"]) repositories.push(await hosted(stage, name));
    await eventually("three are exported", async () => await topRepositories(server) === 3);
    await reload(["NGIT_METRICS_TOP_N_REPOS=4", "NGIT_MIN_FREE_DISK_MB=1000000000"]);
    await eventually("four are exported", async () => await topRepositories(server) === 4);

    const [repository] = repositories;
    await commitFile(repository!.work, "more.txt", "more\n");
    await declareAll(relay, repository!, "purgatory:");
    const push = () => tryGit(repository!.work, "push", repository!.url, "HEAD:refs/heads/main");
    assert.match((await push()).stderr, /server storage is full/);
    await reload(["NGIT_MAX_PUSH_BYTES=10"]);
    const refused = await push();
    assert.ok(refused.code !== 0 && /exceeds maximum|too large|413/.test(refused.stderr), refused.stderr);
    await reload(["NGIT_MAX_PUSH_BYTES=0"]);
    assert.equal((await push()).code, 0);
  }));

Deno.test("packs kept for clones give way where the disk is full", () =>
  withServer([], async ({ directory, server, client: relay, reload }) => {
    const repository = await hosted({ directory, server, relay }, "a");
    const kept = async () => {
      const entries = await Array.fromAsync(Deno.readDir(`${directory}/git/.pack-cache`)).catch(() => []);
      return entries.filter(({ name }) => name.endsWith(".pack")).length;
    };
    await eventually("a pack is kept", async () => {
      await git(directory, "clone", "-q", "--bare", repository.url, crypto.randomUUID());
      return await kept() > 0;
    });
    await reload(["NGIT_MIN_FREE_DISK_MB=1000000000"]);
    await commitFile(repository.work, "more.txt", "more\n");
    await declareAll(relay, repository, "purgatory:");
    const { stderr } = await tryGit(repository.work, "push", repository.url, "HEAD:refs/heads/main");
    assert.match(stderr, /server storage is full/);
    assert.equal(await kept(), 0);
  }));

Deno.test("C-42 limits of contributors' repositories follow a SIGHUP", () =>
  withServer(["NGIT_GRASP06_ENABLE=true"], async ({ directory, server, reload }) => {
    const work = await newWorkTree(`${directory}/contributor`);
    const commit = await git(work, "rev-parse", "HEAD");
    const id = (number: number) => number.toString(16).padStart(64, "0");
    const on = "NGIT_GRASP06_ENABLE=true";
    const push = async (number: number, name = `r${number}`) =>
      await pushTo(work, urlOf(server, newSigner(new Uint8Array(32).fill(9)), name), id(number), commit);
    assert.equal((await push(1)).code, 0);
    await reload([on, "NGIT_GRASP06_MAX_BYTES_PER_SUBMITTER=1"]);
    assert.match((await push(2)).stderr, /storage for contributions of this submitter is full \(1 bytes\)/);
    await reload([on, "NGIT_GRASP06_MAX_TOTAL_BYTES=2"]);
    assert.match((await push(3)).stderr, /storage for contributions is full \(2 bytes\)/);
    await reload([on, "NGIT_GRASP06_MAX_PUSH_BYTES=10"]);
    assert.ok((await push(4)).code !== 0);
    await reload([on, "NGIT_GRASP06_MAX_REFS_PER_PUSH=1"]);
    const two = await tryGit(
      work,
      "push",
      urlOf(server, newSigner(), "two"),
      ...[5, 6].map((number) => `${commit}:refs/nostr/${id(number)}`),
    );
    assert.ok(two.code !== 0, two.stderr);
    await reload([on, "NGIT_GRASP06_PUSHES_PER_MINUTE=2"]);
    assert.match((await push(7)).stderr, /too many pushes|rate/i);
    await reload([on]);
    assert.equal((await push(8)).code, 0);
  }));

Deno.test("C-42 the threshold that flags an address follows a SIGHUP", () =>
  withServer([], async ({ server, reload }) => {
    await reload(["NGIT_METRICS_CONNECTION_PER_IP_ABUSE_THRESHOLD=2"]);
    const second = await RelayClient.connect(server.wsUrl);
    await eventually(
      "the address is flagged",
      () => /Potential abuse detected.*"threshold":2/.test(server.log),
    );
    await second.close();
  }));
