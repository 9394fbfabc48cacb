import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { declare } from "../support/keys.ts";
import { commitFile, git } from "../support/git_client.ts";
import { declareAll, type Hosted, hosted, publish, pushAll, remoteRefs } from "../scenarios/support.ts";
import type { Page } from "./chromium.ts";
import { startClientSite } from "./client_site.ts";
import { type BrowserScene, browserTest } from "./support.ts";

/** A page of another origin with `options` (file system, transport, directory, url) ready for the client. */
async function clientPage({ browser }: BrowserScene, site: string, url: string): Promise<Page> {
  const page = await browser.newPage();
  await page.goto(site);
  await page.evaluate(
    `globalThis.options = { fs: memoryFs(), http: GitHttp, dir: "/work", url: ${JSON.stringify(url)} }, 0`,
  );
  return page;
}

/** A repository with two commits and a tag. */
async function twoCommits(stage: BrowserScene, identifier: string): Promise<Hosted> {
  const repository = await hosted(stage, identifier);
  await commitFile(repository.work, "second.txt", "second\n");
  await git(repository.work, "tag", "v1");
  await declareAll(stage.relay, repository, "purgatory:", Math.floor(Date.now() / 1000) - 50);
  await pushAll(repository);
  return repository;
}

const COMMIT = `(async () => {
  await options.fs.promises.writeFile("/work/from-browser.txt", String(Math.random()));
  await git.add({ ...options, filepath: "from-browser.txt" });
  const author = { name: "Bob", email: "bob@example.com" };
  return await git.commit({ ...options, message: "from the browser", author });
})()`;

/** The push; the text of the refusal when there is one. */
const PUSH = `git.push({ ...options, ref: "main", remoteRef: "refs/heads/main" }).then(
  (result) => JSON.stringify({ ok: result.ok, refs: result.refs }),
  (error) => "refused: " + error.message + " " + JSON.stringify(error.data ?? {}),
)`;

browserTest("IO-40 IO-38 a page of another origin clones, in full and with depth 1", async (stage) => {
  await using site = await startClientSite();
  const { work, url } = await twoCommits(stage, "cloned");
  const tip = await git(work, "rev-parse", "HEAD");
  for (const [depth, commits] of [[undefined, 2], [1, 1]] as const) {
    const page = await clientPage(stage, site.url, url);
    await page.evaluate(`git.clone({ ...options, depth: ${depth} })`);
    const log = await page.evaluate<{ oid: string }[]>("git.log(options).then((log) => log)");
    strictEqual(log.length, commits);
    strictEqual(log[0]!.oid, tip);
    strictEqual(await page.evaluate("git.currentBranch(options)"), "main");
    strictEqual(
      await page.evaluate("options.fs.promises.readFile('/work/second.txt', 'utf8')"),
      "second\n",
    );
    deepStrictEqual(page.problems, []);
  }
});

browserTest("IO-40 a page of another origin pushes; a refusal is shown with its reason", async (stage) => {
  await using site = await startClientSite();
  const { directory, relay } = stage;
  const { owner, identifier, work, url } = await twoCommits(stage, "pushed");
  const page = await clientPage(stage, site.url, url);
  await page.evaluate("git.clone(options)");
  const commit = await page.evaluate<string>(COMMIT);

  const refused = await page.evaluate<string>(PUSH);
  match(refused, /^refused: [\s\S]*refs\/heads\/main/);
  match(refused, /state/);
  const tag = await git(work, "rev-parse", "v1");
  strictEqual((await remoteRefs(directory, url))["refs/heads/main"], tag);

  const refs = { "refs/heads/main": commit, "refs/tags/v1": tag };
  await publish(relay, declare(owner, identifier, refs, { head: "refs/heads/main" }), "purgatory:");
  const accepted = await page.evaluate<string>(PUSH);
  strictEqual(JSON.parse(accepted).ok, true, accepted);
  strictEqual((await remoteRefs(directory, url))["refs/heads/main"], commit);
  deepStrictEqual(page.problems, []);
});

browserTest("IO-40 IO-39 G-5 a page of another origin reads NIP-11, errors and the relay", async (stage) => {
  await using site = await startClientSite();
  const { server } = stage;
  const page = await clientPage(stage, site.url, server.httpUrl);
  const information = await page.evaluate<Record<string, unknown>>(
    `fetch(options.url, { headers: { accept: "application/nostr+json" } }).then((answer) => answer.json())`,
  );
  ok(String(information.supported_grasps).includes("GRASP-01"));
  const missing = "/npub1unknown/x.git/info/refs?service=git-upload-pack";
  const status = (path: string, init = "{}") =>
    page.evaluate<number>(`fetch(options.url + "${path}", ${init}).then((answer) => answer.status)`);
  const preflighted = `{ headers: { "git-protocol": "version=2", authorization: "Basic eDp5" } }`;
  strictEqual(await status(missing, preflighted), 404);
  strictEqual(await status("/", `{ method: "POST", body: "x".repeat(70000) }`), 413);
  strictEqual(await status("/", `{ method: "POST", headers: { "x-requested-with": "x" } }`), 405);
  const reply = await page.evaluate<string>(`new Promise((resolve, reject) => {
    const socket = new WebSocket(options.url.replace("http", "ws"));
    socket.onopen = () => socket.send('["REQ","s",{"limit":1}]');
    socket.onmessage = ({ data }) => { resolve(data); socket.close(); };
    socket.onerror = () => reject(new Error("no connection"));
  })`);
  strictEqual(reply, '["EOSE","s"]');
});
