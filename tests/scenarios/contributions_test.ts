import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { newSigner } from "../support/keys.ts";
import { commitFile, git, tryGit } from "../support/git_client.ts";
import { RelayClient } from "../support/relay_client.ts";
import { ServerProcess } from "../support/server_process.ts";
import { eventually } from "../support/temp.ts";
import { contribution, contributionsOnDisk, ON, propose, pushTo, urlOf } from "./contribution_support.ts";
import { hosted, isServed, publish, remoteRefs, scene } from "./support.ts";

const SERVICES = ["info/refs?service=git-upload-pack", "info/refs?service=git-receive-pack"];

/** The status of a request whose answer every web page may read. */
async function status(url: string, method = "GET", body?: string): Promise<number> {
  const response = await fetch(url, { method, ...(body !== undefined && { body }) });
  await response.body?.cancel();
  strictEqual(response.headers.get("access-control-allow-origin"), "*", `${method} ${url}`);
  return response.status;
}

async function supportedGrasps(httpUrl: string): Promise<string[]> {
  const response = await fetch(httpUrl, { headers: { accept: "application/nostr+json" } });
  return (await response.json()).supported_grasps;
}

Deno.test("X-1 H-36 R-72 switched off: 404 with CORS for every method, no advertisement, no relaxation", () =>
  scene(async ({ server, relay, directory }) => {
    const signer = newSigner();
    const url = urlOf(server, signer);
    for (const path of [...SERVICES, "info/refs", ""]) {
      strictEqual(await status(`${url}/${path}`), 404, path);
      strictEqual(await status(`${url}/${path}`, "HEAD"), 404, path);
    }
    for (const service of ["git-upload-pack", "git-receive-pack"]) {
      strictEqual(await status(`${url}/${service}`, "POST", "0000"), 404);
    }
    strictEqual(await status(`${url}/info/refs`, "OPTIONS"), 204);
    ok(!(await supportedGrasps(server.httpUrl)).includes("GRASP-06"));
    const refused = await relay.publish(propose(server, signer, "1".repeat(40)));
    match(refused.message, /^blocked: PR event must reference an accepted/);
    deepStrictEqual(await contributionsOnDisk(directory), []);
  }));

Deno.test("X-2 X-3 X-4 X-6 X-12 every well-formed path is an empty repository, and reading leaves nothing behind", () =>
  contribution(async ({ server, directory, work }) => {
    strictEqual((await supportedGrasps(server.httpUrl)).at(-1), "GRASP-06");
    const signer = newSigner();
    const url = urlOf(server, signer, "my repo ✓");
    for (const version of [0, 1, 2]) {
      const copy = `${directory}/copy-${version}`;
      const cloned = await tryGit(directory, "-c", `protocol.version=${version}`, "clone", "-q", url, copy);
      strictEqual(cloned.code, 0, cloned.stderr);
      strictEqual(await git(copy, "for-each-ref"), "");
    }
    for (const path of SERVICES) {
      const response = await fetch(`${url}/${path}`);
      strictEqual(response.status, 200);
      match(await response.text(), /report-status|symref|capabilities\^\{\}|agent=/);
      strictEqual(await status(`${url}/${path}`, "HEAD"), 200);
    }
    const fetched = await tryGit(work, "fetch", url, "1".repeat(40));
    match(fetched.stderr, /not our ref|remote error/);
    strictEqual(await status(`${url}/git-receive-pack`, "POST", "0000"), 200);
    strictEqual(await status(`${url}/info/refs`, "OPTIONS"), 204);
    for (
      const path of [
        `/prs/${signer.pubkey}/x.git/info/refs?service=git-upload-pack`,
        `/prs/${signer.npub.slice(0, -1)}q/x.git/info/refs?service=git-upload-pack`,
        `/prs/${signer.npub}/x/info/refs?service=git-upload-pack`,
        `/prs/${signer.npub}/.git/info/refs?service=git-upload-pack`,
        `/prs/${signer.npub}/x.git`,
        `/prs/${signer.npub}/x.git/`,
        `/prs/${signer.npub}/x.git/HEAD`,
        `/prs/${signer.npub}/x.git/info/refs`,
        `/prs/${signer.npub}`,
        "/prs/",
      ]
    ) {
      strictEqual(await status(server.httpUrl + path), 404, path);
    }
    strictEqual(await status(`${server.httpUrl}/prs/${signer.npub}/%zz.git/info/refs`), 400);
    deepStrictEqual(await contributionsOnDisk(directory), []);
  }));

Deno.test("X-7 X-18 git first: accepted and listed, then the event is stored and broadcast at once", () =>
  contribution(async ({ server, relay, directory, signer, work, commit }) => {
    const url = urlOf(server, signer);
    const pr = propose(server, signer, commit);
    const live = await relay.subscribe({ kinds: [1618], limit: 0 });
    const pushed = await pushTo(work, url, pr.id, commit);
    strictEqual(pushed.code, 0, pushed.stderr);
    deepStrictEqual(await contributionsOnDisk(directory), [signer.pubkey, `${signer.pubkey}/repo.git`]);
    deepStrictEqual(await remoteRefs(work, url), { [`refs/nostr/${pr.id}`]: commit });
    ok(!await isServed(relay, pr.id));
    await publish(relay, pr, "");
    ok(await isServed(relay, pr.id));
    deepStrictEqual(relay.received(live).map(({ id }) => id), [pr.id]);
    await git(directory, "init", "-q", "--bare", "maintainer");
    await git(`${directory}/maintainer`, "fetch", "-q", url, commit);
    strictEqual(await git(`${directory}/maintainer`, "cat-file", "-t", commit), "commit");
  }));

Deno.test("X-13 X-17 X-19 X-24 event first: unseen until the push ends, then served; another commit is refused", () =>
  contribution(async ({ server, relay, signer, work, base, commit }) => {
    const url = urlOf(server, signer);
    const pr = propose(server, signer, commit);
    const live = await relay.subscribe({ kinds: [1618], limit: 0 });
    await publish(relay, pr, "purgatory: won't be served until git data arrives");
    ok(!await isServed(relay, pr.id));
    const refused = await pushTo(work, url, pr.id, base);
    strictEqual(refused.code, 1);
    match(refused.stderr, /GRASP-06: PR event .*\(purgatory\) specifies commit/);
    deepStrictEqual(await remoteRefs(work, url), {});
    ok(!await isServed(relay, pr.id));
    const pushed = await pushTo(work, url, pr.id, commit);
    strictEqual(pushed.code, 0, pushed.stderr);
    ok(await isServed(relay, pr.id));
    deepStrictEqual(relay.received(live).map(({ id }) => id), [pr.id]);
  }));

for (const order of ["event first", "git first"] as const) {
  Deno.test(`X-23 the maintainers' repository on this server shows the pull request, ${order}`, () =>
    contribution(async (stage) => {
      const { server, relay, directory, signer } = stage;
      const target = await hosted(stage, "repo");
      const fork = `${directory}/fork`;
      await git(directory, "clone", "-q", target.url, fork);
      const commit = await commitFile(fork, "fix.txt", "a fix\n");
      const pr = propose(server, signer, commit, { owner: target.owner });
      const push = async () =>
        strictEqual((await pushTo(fork, urlOf(server, signer), pr.id, commit)).code, 0);
      if (order === "git first") await push();
      await publish(relay, pr, order === "git first" ? "" : "purgatory:");
      if (order === "event first") await push();
      ok(await isServed(relay, pr.id));
      strictEqual((await remoteRefs(fork, target.url))[`refs/nostr/${pr.id}`], commit);
      await git(directory, "clone", "-q", target.url, "maintainer");
      await git(`${directory}/maintainer`, "fetch", "-q", "origin", `refs/nostr/${pr.id}`);
      strictEqual(await git(`${directory}/maintainer`, "log", "-1", "--format=%H", "FETCH_HEAD"), commit);
      await git(`${directory}/maintainer`, "fsck", "--connectivity-only");

      const next = await commitFile(fork, "more.txt", "after review\n");
      const update = propose(server, signer, next, { owner: target.owner, kind: 1619 });
      strictEqual((await pushTo(fork, urlOf(server, signer), update.id, next)).code, 0);
      await publish(relay, update, "");
      strictEqual((await remoteRefs(fork, target.url))[`refs/nostr/${update.id}`], next);
      strictEqual((await remoteRefs(fork, target.url))[`refs/nostr/${pr.id}`], commit);
    }));
}

Deno.test("X-22 an event without a clone tag naming us is refused, and its stored copy keeps the push out", () =>
  contribution(async (stage) => {
    const { server, relay, directory, signer } = stage;
    const target = await hosted(stage, "repo");
    const clone = target.url;
    const unknown = propose(server, signer, "1".repeat(40), { clone });
    match((await relay.publish(unknown)).message, /^blocked: PR event must reference/);
    const main = await git(target.work, "rev-parse", "HEAD");
    const known = propose(server, signer, main, { owner: target.owner, clone });
    await publish(relay, known, "");
    const refused = await pushTo(target.work, urlOf(server, signer), known.id, main);
    match(refused.stderr, /GRASP-06: PR event .* has no `clone` tag naming this relay's/);
    deepStrictEqual(await contributionsOnDisk(directory), []);
  }));

Deno.test("X-20 push first, event with another commit: ref and directory go and the event waits", () =>
  contribution(async ({ server, relay, directory, signer, work, commit }) => {
    const pr = propose(server, signer, "1".repeat(40));
    strictEqual((await pushTo(work, urlOf(server, signer), pr.id, commit)).code, 0);
    await publish(relay, pr, "purgatory:");
    await eventually(
      "the directory is gone",
      async () => (await contributionsOnDisk(directory)).length === 0,
    );
    ok(!await isServed(relay, pr.id));
  }));

Deno.test("the author deletes a pull request: its ref, its copy and its repository go", () =>
  contribution(async (stage) => {
    const { server, relay, directory, signer } = stage;
    const target = await hosted(stage, "repo");
    const main = await git(target.work, "rev-parse", "HEAD");
    const pr = propose(server, signer, main, { owner: target.owner });
    strictEqual((await pushTo(target.work, urlOf(server, signer), pr.id, main)).code, 0);
    await publish(relay, pr, "");
    strictEqual((await remoteRefs(target.work, target.url))[`refs/nostr/${pr.id}`], main);
    await publish(relay, signer.sign({ kind: 5, tags: [["e", pr.id], ["k", "1618"]] }), "");
    ok(!await isServed(relay, pr.id));
    strictEqual((await remoteRefs(target.work, target.url))[`refs/nostr/${pr.id}`], undefined);
    await eventually(
      "the directory is gone",
      async () => (await contributionsOnDisk(directory)).length === 0,
    );
    deepStrictEqual(await remoteRefs(target.work, urlOf(server, signer)), {});
  }));

Deno.test("X-30 killed between push and event: the ref is still there and the event is served at once", () =>
  contribution(async ({ server, directory, signer, work, commit }) => {
    const pr = propose(server, signer, commit);
    strictEqual((await pushTo(work, urlOf(server, signer), pr.id, commit)).code, 0);
    await server.kill();
    await Deno.mkdir(`${directory}/data/git/prs/${newSigner().pubkey}`);
    const again = await ServerProcess.start({ dataPath: `${directory}/data`, port: server.port, env: ON });
    const relay = await RelayClient.connect(again.wsUrl);
    try {
      deepStrictEqual(await contributionsOnDisk(directory), [signer.pubkey, `${signer.pubkey}/repo.git`]);
      deepStrictEqual(await remoteRefs(work, urlOf(again, signer)), { [`refs/nostr/${pr.id}`]: commit });
      await publish(relay, pr, "");
      ok(await isServed(relay, pr.id));
    } finally {
      await relay.close();
      await again.stop();
    }
  }));

Deno.test("X-36 M-10 counters and pages of hosted repositories do not see contributors' ones", () =>
  contribution(async (stage) => {
    const { server, relay, signer, work, commit } = stage;
    const target = await hosted(stage, "repo");
    const pr = propose(server, signer, commit, { owner: target.owner });
    strictEqual((await pushTo(work, urlOf(server, signer), pr.id, commit)).code, 0);
    await publish(relay, pr, "");
    const metrics = await (await fetch(`${server.httpUrl}/metrics`)).text();
    match(metrics, /^ngit_repositories_total 1$/m);
    match(metrics, /^ngit_prs_repositories 1$/m);
    match(metrics, new RegExp(`repo="prs/${signer.npub}/repo"`));
    strictEqual(await status(`${server.httpUrl}/${signer.npub}/repo.git`), 404);
    strictEqual(await status(urlOf(server, signer)), 404);
  }));
