import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { announce, declare, newSigner } from "../support/keys.ts";
import { commitFile, git, newWorkTree, refsOf, tryGit } from "../support/git_client.ts";
import { RelayClient } from "../support/relay_client.ts";
import { announced, declareAll, hosted, isServed, publish, pushAll, remoteRefs, scene } from "./support.ts";

Deno.test("R-24 R-25 R-33 P-1 P-2 P-3 IO-8 IO-15 first push: held, pushed, served, cloned", () =>
  scene(async (stage) => {
    const { directory, server, relay } = stage;
    const alice = newSigner();
    const work = await newWorkTree(`${directory}/work`, ["a.txt", "b.txt"]);
    await git(work, "tag", "-a", "v1", "-m", "one");
    await git(work, "branch", "dev");
    const url = server.cloneUrl(alice.npub, "first");

    const announcement = announce(alice, "first", { domain: server.domain });
    const { message } = await relay.publish(announcement);
    strictEqual(message, "purgatory: won't be served until git data arrives");
    ok(!await isServed(relay, announcement.id));
    const listing = await fetch(`${url}/info/refs?service=git-upload-pack`);
    strictEqual(listing.status, 200);
    await listing.body?.cancel();
    deepStrictEqual(await remoteRefs(directory, url), {});

    const watcher = await RelayClient.connect(server.wsUrl);
    const live = await watcher.subscribe({ kinds: [30617, 30618] });
    const refs = await refsOf(work);
    const state = declare(alice, "first", refs, { head: "refs/heads/main" });
    await publish(relay, state, "purgatory:");
    ok(!await isServed(relay, state.id));
    strictEqual(
      (await tryGit(work, "push", url, "refs/heads/*:refs/heads/*", "refs/tags/*:refs/tags/*")).code,
      0,
    );

    const served = await relay.query({ authors: [alice.pubkey], kinds: [30617, 30618] });
    deepStrictEqual(served.map(({ id }) => id).sort(), [announcement.id, state.id].sort());
    await watcher.waitFor(([type, , event]) => type === "EVENT" && (event as { id: string }).id === state.id);
    deepStrictEqual(watcher.received(live).map(({ kind }) => kind), [30617, 30618]);
    await watcher.close();

    const clone = `${directory}/clone`;
    strictEqual((await tryGit(directory, "clone", "-q", url, clone)).stderr, "");
    strictEqual(await git(clone, "symbolic-ref", "HEAD"), "refs/heads/main");
    await git(directory, "clone", "-q", "--mirror", url, `${directory}/mirror`);
    deepStrictEqual(await refsOf(`${directory}/mirror`), refs);
    strictEqual((await tryGit(`${directory}/mirror`, "fsck", "--full", "--strict")).code, 0);
  }));

Deno.test("IO-24 R-60 G-31 IO-19 later push: the old state stays served until data arrives, deletions follow the state", () =>
  scene(async (stage) => {
    const { directory, relay } = stage;
    const repository = await hosted(stage, "later");
    const { work, url } = repository;
    await git(work, "branch", "dev");
    await declareAll(relay, repository, "");
    deepStrictEqual(Object.keys(await remoteRefs(directory, url)).sort(), [
      "HEAD",
      "refs/heads/dev",
      "refs/heads/main",
    ]);

    const before = await remoteRefs(directory, url);
    await commitFile(work, "c.txt", "more\n");
    await git(work, "branch", "-D", "dev");
    const now = Math.floor(Date.now() / 1000);
    const stateId = await declareAll(relay, repository, "purgatory:", now + 1);
    deepStrictEqual(await remoteRefs(directory, url), before);
    ok(!await isServed(relay, stateId));
    await git(work, "push", "-q", url, "main", ":dev");
    ok(await isServed(relay, stateId));
    deepStrictEqual(Object.keys(await remoteRefs(directory, url)).sort(), ["HEAD", "refs/heads/main"]);

    const rename = declare(repository.owner, "later", {
      "refs/heads/trunk": await git(work, "rev-parse", "main"),
    }, {
      head: "refs/heads/trunk",
      created_at: now + 2,
    });
    await publish(relay, rename, "");
    match(await git(work, "ls-remote", "--symref", url, "HEAD"), /ref: refs\/heads\/trunk\tHEAD/);
  }));

Deno.test("IO-6 IO-23 the same state before and after the push is OK, and the push repeated succeeds", () =>
  scene(async (stage) => {
    const { relay } = stage;
    const repository = await announced(stage, "again");
    const state = declare(repository.owner, "again", await refsOf(repository.work), {
      head: "refs/heads/main",
    });
    await publish(relay, state, "purgatory:");
    await publish(relay, state, "duplicate: in purgatory");
    await pushAll(repository);
    await publish(relay, state, "duplicate:");
    await pushAll(repository);
    ok(await isServed(relay, state.id));
  }));

Deno.test("push first, state later: refused with the reason, then accepted", () =>
  scene(async (stage) => {
    const repository = await announced(stage, "order");
    const early = await tryGit(repository.work, "push", repository.url, "main");
    ok(early.code !== 0);
    match(
      early.stderr,
      /\[remote rejected\] main -> main \(authorisation failed: No state events in purgatory\)/,
    );
    await declareAll(stage.relay, repository, "purgatory:");
    await pushAll(repository);
  }));

Deno.test("R-30 G-11 identifiers with spaces, emoji and percent signs are announced, pushed and cloned", () =>
  scene(async (stage) => {
    const names = ["my repo", "ü☂", "a:b", "100%", "x.git", "x", "-n", ".hidden"];
    for (const name of names) {
      const repository = await hosted(stage, name);
      const clone = `${stage.directory}/clone-${names.indexOf(name)}`;
      await git(stage.directory, "clone", "-q", repository.url, clone);
      deepStrictEqual(await refsOf(clone), await refsOf(repository.work));
      const page = await fetch(repository.url);
      strictEqual(page.status, 200);
      await page.body?.cancel();
    }
  }));

Deno.test("R-34 IO-45 a newer announcement of a repository with data is served at once, unknown tags unchanged", () =>
  scene(async (stage) => {
    const { server, relay } = stage;
    const { owner } = await hosted(stage, "known");
    const extra = [["x-unknown", "a", "ü"], ["web"]];
    const newer = announce(owner, "known", {
      domain: server.domain,
      created_at: Math.floor(Date.now() / 1000) + 5,
      extraTags: extra,
    });
    await publish(relay, newer, "");
    const [served] = await relay.query({ kinds: [30617], authors: [owner.pubkey] });
    deepStrictEqual(served, newer);
  }));
