import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { announce, declare, newSigner } from "../support/keys.ts";
import { DOMAIN, engine } from "../support/engine.ts";
import { commitFile, git, newWorkTree, refsOf } from "../support/git_client.ts";

const T = 1_700_000_000;

Deno.test("R-32 two relays tags are read as one list", () =>
  engine(async ({ submit }) => {
    const owner = newSigner();
    const event = owner.sign({
      kind: 30617,
      tags: [["d", "x"], ["relays", "wss://elsewhere.example"], ["clone", `https://${DOMAIN}/x`], [
        "relays",
        `wss://${DOMAIN}`,
      ]],
    });
    match((await submit(event)).message, /^purgatory:/);
  }));

Deno.test("R-38 an older announcement without us neither evicts the waiting one nor is stored", () =>
  engine(async (world) => {
    const owner = newSigner();
    await world.submit(announce(owner, "x", { domain: DOMAIN, created_at: T }));
    const older = announce(owner, "x", { domain: "elsewhere.example", created_at: T - 1 });
    await world.submit(older);
    ok(!await world.isServed(older.id));
    ok(await world.repositories.exists({ owner: owner.pubkey, identifier: "x" }));
  }));

Deno.test("R-44 M-8 every kind of event by a blacklisted author is refused by name, deletions and 10317 included", () =>
  (() => {
    const outcast = newSigner();
    return engine(async ({ submit }) => {
      for (const kind of [1, 5, 10317, 30617, 30618, 1618]) {
        match(
          (await submit(outcast.sign({ kind, tags: [["d", "x"]] }))).message,
          new RegExp(`^blocked: Event author ${outcast.npub} is blacklisted$`),
        );
      }
    }, { eventBlacklist: new Set([outcast.pubkey]) });
  })());

Deno.test("P-42 a synced waiting state that a user submits becomes direct with a fresh 30 minutes", () =>
  engine(async (world) => {
    const owner = newSigner();
    await world.submit(announce(owner, "x", { domain: DOMAIN }));
    const state = declare(owner, "x", { "refs/heads/main": "1".repeat(40) });
    await world.sync(state);
    world.clock.jump(600_000);
    strictEqual((await world.submit(state)).message, "duplicate: in purgatory");
    const { waitingStates } = await world.store.readIdentifier("x");
    deepStrictEqual([waitingStates[0]!.source, waitingStates[0]!.deadlineAt], [
      "direct",
      world.clock.now() + 1_800_000,
    ]);
  }));

Deno.test("G-30 G-33 P-34 IO-20 tags with ^{} entries, rewritten history and stray branches follow the state", () =>
  engine(async (world) => {
    const owner = newSigner();
    const work = await newWorkTree(`${world.directory}/work`, ["a", "b"]);
    await world.submit(announce(owner, "x", { domain: DOMAIN }));
    await git(work, "tag", "-a", "v1", "-m", "one");
    const refs = await refsOf(work);
    const peeled = await git(work, "rev-parse", "v1^{}");
    await world.submit(
      declare(owner, "x", { ...refs, "refs/tags/v1^{}": peeled }, { head: "refs/heads/main", created_at: T }),
    );
    strictEqual(await world.push(work, owner.pubkey, "x", Object.keys(refs)), "");
    const repository = { owner: owner.pubkey, identifier: "x" };
    strictEqual(
      (await world.repositories.readRefs(repository)).refs.get("refs/tags/v1"),
      refs["refs/tags/v1"],
    );

    await git(work, "push", "-q", world.repositories.path(repository), "main:refs/heads/stray");
    await git(work, "reset", "-q", "--hard", "HEAD~1");
    const rewritten = await commitFile(work, "c", "rewritten\n");
    await world.submit(
      declare(owner, "x", { "refs/heads/main": rewritten }, { head: "refs/heads/main", created_at: T + 1 }),
    );
    const undeclared = await world.push(work, owner.pubkey, "x", ["refs/heads/main", "refs/tags/v1"]);
    match(undeclared, /refs\/tags\/v1 would exist/);
    strictEqual(await world.push(work, owner.pubkey, "x", ["refs/heads/main"]), "");
    deepStrictEqual([...(await world.repositories.readRefs(repository)).refs], [[
      "refs/heads/main",
      rewritten,
    ]]);
  }));

Deno.test("G-40 P-36 a repository that lost its data takes the served state's push again", () =>
  engine(async (world) => {
    const owner = newSigner();
    const work = await newWorkTree(`${world.directory}/work`);
    await world.submit(announce(owner, "x", { domain: DOMAIN, created_at: T }));
    await world.submit(declare(owner, "x", await refsOf(work), { created_at: T }));
    strictEqual(await world.push(work, owner.pubkey, "x", ["refs/heads/main"]), "");
    const repository = { owner: owner.pubkey, identifier: "x" };
    await Deno.remove(world.repositories.path(repository), { recursive: true });
    await world.repositories.ensure(repository);
    strictEqual(await world.push(work, owner.pubkey, "x", ["refs/heads/main"]), "");
    deepStrictEqual(
      Object.fromEntries((await world.repositories.readRefs(repository)).refs),
      await refsOf(work),
    );
  }));

Deno.test("G-55 HEAD on a new branch switches only when its data arrived", () =>
  engine(async (world) => {
    const owner = newSigner();
    const work = await newWorkTree(`${world.directory}/work`);
    const repository = { owner: owner.pubkey, identifier: "x" };
    await world.submit(announce(owner, "x", { domain: DOMAIN, created_at: T }));
    await world.submit(declare(owner, "x", await refsOf(work), { head: "refs/heads/main", created_at: T }));
    await world.push(work, owner.pubkey, "x", ["refs/heads/main"]);
    await git(work, "checkout", "-q", "-b", "next");
    await commitFile(work, "next", "next\n");
    await world.submit(
      declare(owner, "x", await refsOf(work), { head: "refs/heads/next", created_at: T + 1 }),
    );
    strictEqual((await world.repositories.readRefs(repository)).head, "refs/heads/main");
    strictEqual(await world.push(work, owner.pubkey, "x", ["refs/heads/next"]), "");
    strictEqual((await world.repositories.readRefs(repository)).head, "refs/heads/next");
  }));

Deno.test("IO-33 R-40 a linked maintainer hosting elsewhere is stored without repository, and its states count", () =>
  engine(async (world) => {
    const [owner, maintainer] = [newSigner(), newSigner()];
    await world.submit(announce(owner, "x", { domain: DOMAIN, maintainers: [maintainer.pubkey] }));
    const away = announce(maintainer, "x", { domain: "elsewhere.example" });
    deepStrictEqual((await world.submit(away)).message, "");
    ok(await world.isServed(away.id));
    ok(!await world.repositories.exists({ owner: maintainer.pubkey, identifier: "x" }));
    const work = await newWorkTree(`${world.directory}/work`);
    match((await world.submit(declare(maintainer, "x", await refsOf(work)))).message, /^purgatory:/);
    strictEqual(await world.push(work, owner.pubkey, "x", ["refs/heads/main"]), "");
  }));

Deno.test("NIP-70 a protected event is refused, since nobody can authenticate here", () =>
  engine(async ({ submit }) => {
    const { accepted, message } = await submit(newSigner().sign({ kind: 10317, tags: [["-"]] }));
    ok(!accepted);
    match(message, /^blocked: event marked as protected/);
  }));
