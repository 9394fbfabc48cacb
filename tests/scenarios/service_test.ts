import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { announce, declare, newSigner } from "../support/keys.ts";
import { commitFile, git, refsOf, tryGit } from "../support/git_client.ts";
import { RelayClient } from "../support/relay_client.ts";
import { ServerProcess } from "../support/server_process.ts";
import { withTempDirectory } from "../support/temp.ts";
import { announced, declareAll, hosted, isServed, publish, pushAll, remoteRefs, scene } from "./support.ts";

Deno.test("R-3 R-6 G-58 P-64 an accepted event is returned at once; sent again it is a duplicate nobody hears of", () =>
  scene(async (stage) => {
    const { relay, server } = stage;
    const { owner } = await hosted(stage, "x");
    const watcher = await RelayClient.connect(server.wsUrl);
    const live = await watcher.subscribe({ kinds: [1621] });
    const issue = newSigner().sign({ kind: 1621, tags: [["a", `30617:${owner.pubkey}:x`]] });
    deepStrictEqual(await relay.publish(issue), { accepted: true, message: "" });
    ok(await isServed(relay, issue.id));
    match((await relay.publish(issue)).message, /^duplicate:/);
    await watcher.query({ ids: [issue.id] });
    strictEqual(watcher.received(live).length, 1);
    await watcher.close();
  }));

Deno.test("IO-25 G-44 push options do not fail a push; P-82 refs/purgatory can neither be seen nor pushed", () =>
  scene(async (stage) => {
    const { relay, directory } = stage;
    const repository = await announced(stage, "options");
    await declareAll(relay, repository, "purgatory:");
    const { code, stderr } = await tryGit(repository.work, "push", "-o", "ci.skip", repository.url, "main");
    strictEqual(code, 0, stderr);
    const path = `${directory}/data/git/${repository.owner.npub}/options.git`;
    await git(path, "update-ref", "refs/purgatory/keep/x", (await refsOf(path))["refs/heads/main"]!);
    ok(!Object.keys(await remoteRefs(directory, repository.url)).some((name) => name.includes("purgatory")));
    ok((await tryGit(repository.work, "push", repository.url, "main:refs/purgatory/keep/y")).code !== 0);
  }));

Deno.test("G-63 two different states pushed at the same time: the newest wins", () =>
  scene(async (stage) => {
    const { relay, directory } = stage;
    const repository = await hosted(stage, "race");
    const { work, url, owner } = repository;
    const now = Math.floor(Date.now() / 1000);
    const tips = [await commitFile(work, "one", "1\n"), await commitFile(work, "two", "2\n")];
    for (const [index, tip] of tips.entries()) {
      await publish(
        relay,
        declare(owner, "race", { "refs/heads/main": tip }, {
          head: "refs/heads/main",
          created_at: now + index,
        }),
        "purgatory:",
      );
    }
    await Promise.all(tips.map((tip) => tryGit(work, "push", url, `${tip}:refs/heads/main`)));
    const listed = (await remoteRefs(directory, url))["refs/heads/main"];
    const [served] = await relay.query({ kinds: [30618], authors: [owner.pubkey] });
    strictEqual(served!.tags.find((tag) => tag[0] === "refs/heads/main")![1], listed);
    await tryGit(work, "push", url, `${tips[1]}:refs/heads/main`);
    strictEqual((await remoteRefs(directory, url))["refs/heads/main"], tips[1]);
  }));

Deno.test("IO-36 clones during pushes to the same repository all succeed with consistent refs", () =>
  scene(async (stage) => {
    const { relay, directory } = stage;
    const repository = await hosted(stage, "busy");
    const now = Math.floor(Date.now() / 1000);
    const pushes = (async () => {
      for (let round = 0; round < 3; round++) {
        await commitFile(repository.work, `file-${round}`, `${round}\n`);
        await declareAll(relay, repository, "purgatory:", now + round);
        await pushAll(repository);
      }
    })();
    const clones = Array.from(
      { length: 10 },
      (_, index) => tryGit(directory, "clone", "-q", repository.url, `${directory}/clone-${index}`),
    );
    for (const { code, stderr } of await Promise.all(clones)) strictEqual(code, 0, stderr);
    await pushes;
    for (let index = 0; index < 10; index++) {
      strictEqual((await tryGit(`${directory}/clone-${index}`, "fsck")).code, 0);
    }
  }));

Deno.test("IO-42 started with only an environment and a memory database it answers, is killed and starts again", () =>
  withTempDirectory(async (directory) => {
    let port: number | undefined;
    const memory = (path: string) => ({ NGIT_DATABASE_BACKEND: "memory", NGIT_GIT_DATA_PATH: path });
    const neighbour = await ServerProcess.start({
      dataPath: `${directory}/data`,
      env: memory(`${directory}/second`),
    });
    for (let round = 0; round < 2; round++) {
      const env = {
        NGIT_DATABASE_BACKEND: "memory",
        NGIT_GIT_DATA_PATH: directory,
        NGIT_UNKNOWN_OPTION: "x",
      };
      const server = await ServerProcess.start({
        dataPath: `${directory}/data`,
        env,
        ...(port !== undefined && { port }),
      });
      port = server.port;
      const response = await fetch(`${server.httpUrl}/`);
      strictEqual(response.status, 200);
      await response.body?.cancel();
      await server.kill();
    }
    strictEqual(await neighbour.stop(), 0);
  }));

Deno.test("G-66 M-23 asked to stop during a push it finishes the push, exits 0, and loses nothing", () =>
  withTempDirectory(async (directory) => {
    const server = await ServerProcess.start({ dataPath: `${directory}/data` });
    const relay = await RelayClient.connect(server.wsUrl);
    const stage = { directory, server, relay };
    const repository = await announced(stage, "stop");
    await git(repository.work, "config", "core.compression", "0");
    await commitFile(repository.work, "big", crypto.getRandomValues(new Uint8Array(65_536)));
    const stateId = await declareAll(relay, repository, "purgatory:");
    const push = tryGit(repository.work, "push", repository.url, "main");
    await new Promise((resolve) => setTimeout(resolve, 30));
    strictEqual(await server.stop(), 0);
    const { code } = await push;
    await relay.close();
    const again = await ServerProcess.start({ dataPath: `${directory}/data`, port: server.port });
    const reader = await RelayClient.connect(again.wsUrl);
    if (code === 0) ok(await isServed(reader, stateId));
    else await pushAll({ ...repository, url: again.cloneUrl(repository.owner.npub, "stop") });
    ok(await isServed(reader, stateId));
    await reader.close();
    strictEqual(await again.stop(), 0);
  }));

Deno.test("IO-7 refusals are one ASCII line with a prefix, and say what is wrong", () =>
  scene(async ({ relay, server }) => {
    const signer = newSigner();
    const refused = [
      announce(signer, "x/y\u202e☂", { domain: server.domain }),
      announce(signer, "x", { domain: "☂.example\n" }),
      declare(signer, "ü", { "refs/heads/main": "1".repeat(40) }),
      signer.sign({ kind: 1 }),
    ];
    for (const event of refused) {
      const { accepted, message } = await relay.publish(event);
      ok(!accepted);
      match(message, /^(?:blocked|invalid|error|rate-limited): [\x20-\x7e]+$/);
    }
  }));

Deno.test("IO-30 a PR whose clone names another host is accepted when its repository is hosted here", () =>
  scene(async (stage) => {
    const { relay } = stage;
    const { owner } = await hosted(stage, "pr");
    const tags = [["a", `30617:${owner.pubkey}:pr`], ["c", "1".repeat(40)], [
      "clone",
      "https://elsewhere.example/x.git",
    ]];
    await publish(relay, newSigner().sign({ kind: 1618, tags }), "purgatory:");
  }));
