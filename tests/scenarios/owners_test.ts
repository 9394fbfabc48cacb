import { deepStrictEqual, ok } from "node:assert/strict";
import { announce, declare, newSigner } from "../support/keys.ts";
import { commitFile, git, newWorkTree, refsOf } from "../support/git_client.ts";
import { announced, hosted, isServed, publish, pushAll, remoteRefs, scene } from "./support.ts";

Deno.test("P-57 R-64 two owners with the same identifier have independent repositories", () =>
  scene(async (stage) => {
    const { directory, relay } = stage;
    const first = await hosted(stage, "same");
    const second = await announced(stage, "same");
    deepStrictEqual(await remoteRefs(directory, second.url), {});
    const [served] = await relay.query({ kinds: [30617], "#d": ["same"] });
    deepStrictEqual(served!.pubkey, first.owner.pubkey);
    await commitFile(second.work, "other.txt", "independent\n");
    const head = await git(second.work, "rev-parse", "HEAD");
    await publish(relay, declare(second.owner, "same", { "refs/heads/main": head }), "purgatory:");
    await git(second.work, "push", "-q", second.url, "main");
    deepStrictEqual((await remoteRefs(directory, second.url))["refs/heads/main"], head);
    ok((await remoteRefs(directory, first.url))["refs/heads/main"] !== head);
    deepStrictEqual((await relay.query({ kinds: [30617], "#d": ["same"] })).length, 2);
  }));

Deno.test("R-57 IO-32 G-27 a maintainer's maintainer declares the state while the chain still waits", () =>
  scene(async ({ directory, server, relay }) => {
    const [alice, bob, carol] = [newSigner(), newSigner(), newSigner()];
    const { domain } = server;
    await publish(relay, announce(alice, "chain", { domain, maintainers: [bob.pubkey] }), "purgatory:");
    await publish(
      relay,
      announce(bob, "chain", { domain: "elsewhere.example", maintainers: [carol.pubkey] }),
      "",
    );

    const work = await newWorkTree(`${directory}/work`);
    await publish(
      relay,
      declare(carol, "chain", await refsOf(work), { head: "refs/heads/main" }),
      "purgatory:",
    );
    await pushAll({ work, url: server.cloneUrl(alice.npub, "chain") });
    deepStrictEqual((await relay.query({ kinds: [30617], "#d": ["chain"] })).length, 2);
    deepStrictEqual((await relay.query({ kinds: [30618], "#d": ["chain"] })).map(({ pubkey }) => pubkey), [
      carol.pubkey,
    ]);
    const missing = await fetch(`${server.cloneUrl(bob.npub, "chain")}/info/refs?service=git-upload-pack`);
    deepStrictEqual(missing.status, 404);
    await missing.body?.cancel();
  }));

Deno.test("IO-31 P-56 G-56 second maintainer: one push to the owner fills and promotes both repositories", () =>
  scene(async (stage) => {
    const { directory, server, relay } = stage;
    const repository = await hosted(stage, "team");
    const bob = newSigner();
    const now = Math.floor(Date.now() / 1000);
    const joint = { domain: server.domain, maintainers: [repository.owner.pubkey, bob.pubkey] };
    await publish(relay, announce(repository.owner, "team", { ...joint, created_at: now + 1 }), "");
    const bobs = announce(bob, "team", { ...joint, created_at: now + 1 });
    const { accepted } = await relay.publish(bobs);
    ok(accepted);
    await commitFile(repository.work, "by-bob.txt", "bob was here\n");
    const state = declare(bob, "team", await refsOf(repository.work), {
      head: "refs/heads/main",
      created_at: now + 2,
    });
    await publish(relay, state, "purgatory:");
    await pushAll(repository);
    ok(await isServed(relay, state.id));
    ok(await isServed(relay, bobs.id));
    deepStrictEqual(
      await remoteRefs(directory, server.cloneUrl(bob.npub, "team")),
      await remoteRefs(directory, repository.url),
    );
  }));

Deno.test("R-35 P-6 a replacement while waiting is what gets served after the push", () =>
  scene(async (stage) => {
    const { server, relay } = stage;
    const repository = await announced(stage, "swap");
    const newer = announce(repository.owner, "swap", {
      domain: server.domain,
      created_at: Math.floor(Date.now() / 1000) + 5,
    });
    await publish(relay, newer, "purgatory:");
    ok(!await isServed(relay, newer.id));
    await publish(relay, declare(repository.owner, "swap", await refsOf(repository.work)), "purgatory:");
    await pushAll(repository);
    deepStrictEqual((await relay.query({ kinds: [30617], "#d": ["swap"] })).map(({ id }) => id), [newer.id]);
  }));

Deno.test("R-37 a waiting repository whose owner withdraws the service is gone", () =>
  scene(async (stage) => {
    const repository = await announced(stage, "leave");
    const away = announce(repository.owner, "leave", {
      domain: "x.example",
      created_at: Math.floor(Date.now() / 1000) + 5,
    });
    ok(!(await stage.relay.publish(away)).accepted);
    const response = await fetch(`${repository.url}/info/refs?service=git-upload-pack`);
    deepStrictEqual(response.status, 404);
    await response.body?.cancel();
  }));
