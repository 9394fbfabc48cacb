import assert from "node:assert/strict";
import { commitFile, git, tryGit } from "../support/git_client.ts";
import { gitEnvironment } from "../../lib/git/settings.ts";
import { readGitFailure } from "../../lib/hunt/git_failure.ts";
import { engine } from "../support/engine.ts";
import { declare, newSigner } from "../support/keys.ts";
import { announced, hunting, T, tree } from "./hunt_support.ts";
import { withRemote } from "./remote_support.ts";

const result = (stderr: string) => ({ code: 128, stdout: new Uint8Array(), stderr, stopped: undefined });

Deno.test("what a server says is never taken for a fault of this machine", () => {
  const said = [
    "fatal: remote error: upload-pack: No space left on device",
    "remote: error: unable to create temporary file\nfatal: early EOF",
    "remote: Disk quota exceeded\nfatal: unable to access 'http://x.org/r/': The requested URL returned error: 500",
  ];
  for (const stderr of said) {
    const failure = readGitFailure(result(stderr));
    assert.equal(failure.type === "failed" && failure.result, "network", stderr);
  }
  const ours = readGitFailure(result("error: unable to write file: No space left on device"));
  assert.equal(ours.type === "failed" && ours.result, "local");
});

Deno.test("a server with cut-off history: nothing is called obtained that is not complete here", () =>
  withRemote(async ({ peer, tree, fetch, refs, path, directory }) => {
    const { path: work, commits } = await tree("full", ["1", "2", "3"]);
    await git(
      work,
      "clone",
      "-q",
      "--bare",
      "--depth",
      "1",
      `file://${work}/.git`,
      `${directory}/peers/cut.git`,
    );
    const tip = commits[2]!;
    const outcome = await fetch(peer().url("cut.git"), [tip]);
    const { result, obtained, absent } = outcome;
    assert.deepEqual([result, [...obtained], [...absent]], ["nothing", [], [tip]], outcome.text);
    const old = await fetch(peer({ protocol0: true }).url("cut.git"), [tip]);
    assert.deepEqual([old.result, old.obtained.size], ["network", 0]);
    assert.deepEqual(await refs(), {});
    assert.notEqual((await tryGit(path, "cat-file", "-e", commits[0]!)).code, 0);
  }));

Deno.test("a server that provokes a fault here does not keep the others from being asked", () =>
  engine((world) =>
    hunting(world, async ({ remote, pass }) => {
      const owner = newSigner();
      const { path, refs } = await tree(world, "work");
      const [bad, good] = ["https://bad.org/r", "https://good.org/r"] as const;
      remote.answers.set(bad, () => Promise.resolve({ result: "local", text: "unable to create a ref" }));
      remote.trees.set(good, path);
      await world.sync(announced(owner, [bad, good]));
      await world.sync(declare(owner, "repo", refs, { created_at: T }));
      await pass(500);
      assert.deepEqual(remote.asked.map(({ url }) => url), [bad, good]);
    })
  ));

Deno.test("free space that cannot be measured ends the fetch, not the process", () =>
  withRemote(async ({ peer, tree, fetch }) => {
    const { commits } = await tree("a", ["1"]);
    const hanging = peer({
      answer: (request) =>
        request.method !== "POST"
          ? undefined
          : new Promise<Response>((resolve) =>
            request.signal.addEventListener("abort", () => resolve(new Response()))
          ),
    });
    const { result } = await fetch(hanging.url("a/.git"), commits);
    assert.equal(result, "local");
  }, { hasSpace: () => Promise.reject(new Error("statfs: input/output error")) }));

Deno.test("a server is never asked for a list of refs that git would read without end", () =>
  withRemote(async ({ peer, tree, fetch }) => {
    const { commits } = await tree("a", ["1", "2"]);
    const bodies: string[] = [];
    const refusing = peer({
      answer: (request, path) => {
        if (request.method !== "POST" || request.headers.get("git-protocol") !== "version=2") {
          return undefined;
        }
        return request.text().then((body) => {
          bodies.push(body);
          const text = `ERR upload-pack: Server does not allow request for unadvertised object ${commits[0]}`;
          return new Response((text.length + 4).toString(16).padStart(4, "0") + text, {
            headers: { "content-type": path.replace(/.*\//, "application/x-") + "-result" },
          });
        });
      },
    });
    const { obtained } = await fetch(refusing.url("a/.git"), commits);
    assert.ok(bodies.length > 0 && bodies.every((body) => body.includes("command=fetch")), bodies.join("\n"));
    assert.deepEqual(obtained, new Set(commits), "by the old protocol");
  }));

Deno.test("a child that talks to strangers cannot take all memory", () => {
  const options = { searchPath: "/bin", homePath: "/", settings: [] };
  assert.equal(gitEnvironment({ ...options, allowProtocol: "http:https" }).GIT_ALLOC_LIMIT, "1g");
  assert.equal(gitEnvironment(options).GIT_ALLOC_LIMIT, undefined);
});

Deno.test("all branches of a server are those it listed before, however many it names later", () =>
  withRemote(async ({ peer, tree, fetch, path, refs }) => {
    const { path: work, commits } = await tree("a", ["1", "2"]);
    await git(work, "checkout", "-q", "-b", "listed", commits[0]!);
    const wanted = await commitFile(work, "wanted", "x");
    await commitFile(work, "tip", "y");
    const inner = peer({ protocol0: true, settings: ["uploadpack.allowAnySHA1InWant=false"] });
    const listing = await (await globalThis.fetch(inner.url("a/.git/info/refs?service=git-upload-pack")))
      .text();
    await git(work, "checkout", "-q", "-b", "unlisted", commits[0]!);
    const other = await commitFile(work, "unlisted", "z");
    const lying = peer({
      protocol0: true,
      settings: ["uploadpack.allowAnySHA1InWant=false"],
      answer: () =>
        lying.requests.length > 1 ? undefined : new Response(listing, {
          headers: { "content-type": "application/x-git-upload-pack-advertisement" },
        }),
    });
    const { obtained } = await fetch(lying.url("a/.git"), [wanted]);
    assert.deepEqual([...obtained], [wanted]);
    assert.notEqual((await tryGit(path, "cat-file", "-e", other)).code, 0);
    assert.deepEqual(Object.keys(await refs()), [`refs/purgatory/keep/${wanted}`]);
  }));

/** Ends the fetch if nothing else does. */
let looks = 0;

Deno.test("a server that turns dumb after the first answer is bounded too, and nothing of it is left", () =>
  withRemote(async ({ peer, tree, fetch, path, directory }) => {
    const { path: work, commits } = await tree("a", ["1"]);
    await git(work, "gc", "-q");
    await git(work, "update-server-info");
    const noise = new Uint8Array(65_536);
    const endless = () =>
      new Response(new ReadableStream({ pull: (controller) => controller.enqueue(noise) }));
    const turning = peer({
      answer: (_request, path) => {
        if (turning.requests.length === 1) return undefined;
        if (path.endsWith(".pack")) return endless();
        const file = `${directory}/peers${path.replace(/\?.*/, "")}`;
        return Deno.readFile(file).then(
          (bytes) => new Response(bytes),
          () => new Response("", { status: 404 }),
        );
      },
    });
    const outcome = await fetch(turning.url("a/.git"), commits);
    assert.ok(turning.requests.some((line) => line.endsWith(".pack")), turning.requests.join("\n"));
    assert.deepEqual([outcome.result, outcome.obtained.size], ["too_large", 0]);
    const left = (await Array.fromAsync(Deno.readDir(`${path}/objects/pack`))).map(({ name }) => name);
    assert.deepEqual(left, []);
  }, { maxBytes: 1 << 20, hasSpace: () => Promise.resolve(++looks < 12) }));
