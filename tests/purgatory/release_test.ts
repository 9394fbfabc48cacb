import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { release } from "../../lib/purgatory/mod.ts";
import { announce, declare, newSigner } from "../support/keys.ts";
import { DOMAIN, type Engine, engine, engineIn } from "../support/engine.ts";
import { commitFile, git, newWorkTree, refsOf } from "../support/git_client.ts";
import { withTempDirectory } from "../support/temp.ts";
import { VirtualClock } from "../support/virtual_clock.ts";

async function hostedRepository(
  { directory, submit, push }: Engine,
  identifier = "repo",
  maintainers: string[] = [],
) {
  const owner = newSigner();
  const work = await newWorkTree(`${directory}/work`);
  await submit(announce(owner, identifier, { domain: DOMAIN, maintainers, created_at: 1_700_000_000 }));
  await submit(
    declare(owner, identifier, await refsOf(work), { head: "refs/heads/main", created_at: 1_700_000_000 }),
  );
  strictEqual(await push(work, owner.pubkey, identifier, ["refs/heads/main"]), "");
  return { owner, work, repository: { owner: owner.pubkey, identifier } };
}

Deno.test("P-63 releasing twice notifies nobody and changes no ref the second time", () =>
  engine(async (world) => {
    const { repository } = await hostedRepository(world);
    const before = await world.repositories.readRefs(repository);
    const heard = world.notified.length;
    await release(world.parts, { identifier: "repo" });
    strictEqual(world.notified.length, heard);
    deepStrictEqual(await world.repositories.readRefs(repository), before);
  }));

Deno.test("R-44 R-45 C-42 what waits is not served once a reloaded list refuses it, whoever brings its git data", async () => {
  for (const list of ["repository", "author"]) {
    await engine(async (world) => {
      const owner = newSigner();
      const work = await newWorkTree(`${world.directory}/work`);
      const announcement = announce(owner, "repo", { domain: DOMAIN });
      const state = declare(owner, "repo", await refsOf(work), { head: "refs/heads/main" });
      for (const event of [announcement, state]) await world.submit(event);
      await world.reload(
        list === "repository"
          ? { repositoryBlacklist: [{ kind: "identifier", identifier: "repo" }] }
          : { eventBlacklist: new Set([owner.pubkey]) },
      );
      const path = world.repositories.path({ owner: owner.pubkey, identifier: "repo" });
      await git(work, "push", "-q", path, `main:refs/heads/main`);
      const request = { identifier: "repo", receivedBy: owner.pubkey };
      await release(world.parts, request);
      for (const event of [announcement, state]) ok(!await world.isServed(event.id), list);
      await world.reload({});
      await release(world.parts, request);
      for (const event of [announcement, state]) ok(await world.isServed(event.id), list);
    });
  }
});

Deno.test("P-25 R-59 G-54 G-36 a state whose data is here is served at once; refs and HEAD follow, refs/nostr stays", () =>
  engine(async (world) => {
    const { owner, work, repository } = await hostedRepository(world);
    const main = (await refsOf(work))["refs/heads/main"]!;
    await git(
      work,
      "push",
      "-q",
      world.repositories.path(repository),
      `main:refs/nostr/${"a".repeat(64)}`,
      "main:refs/heads/stray",
    );
    const state = declare(owner, "repo", { "refs/heads/trunk": main, "refs/tags/v1": main }, {
      head: "refs/heads/trunk",
    });
    deepStrictEqual(await world.submit(state), {
      id: state.id,
      accepted: true,
      result: "saved",
      message: "",
    });
    const { refs, head } = await world.repositories.readRefs(repository);
    deepStrictEqual([...refs.keys()].sort(), [
      "refs/heads/trunk",
      `refs/nostr/${"a".repeat(64)}`,
      "refs/tags/v1",
    ]);
    strictEqual(head, "refs/heads/trunk");
  }));

Deno.test("R-65 G-42 a state without refs is served and deletes nothing", () =>
  engine(async (world) => {
    const { owner, repository } = await hostedRepository(world);
    const before = await world.repositories.readRefs(repository);
    const empty = declare(owner, "repo", {});
    strictEqual((await world.submit(empty)).message, "");
    ok(await world.isServed(empty.id));
    deepStrictEqual(await world.repositories.readRefs(repository), before);
  }));

Deno.test("IO-13 a state without HEAD never leaves HEAD dangling", () =>
  engine(async (world) => {
    const { owner, work, repository } = await hostedRepository(world);
    const main = (await refsOf(work))["refs/heads/main"]!;
    await world.submit(declare(owner, "repo", { "refs/heads/zeta": main, "refs/heads/master": main }));
    strictEqual((await world.repositories.readRefs(repository)).head, "refs/heads/master");
  }));

Deno.test("P-56 G-56 a maintainer's later announcement is filled from the sibling repository and promoted", () =>
  engine(async (world) => {
    const bob = newSigner();
    const { owner, repository } = await hostedRepository(world, "repo", [bob.pubkey]);
    const joint = announce(bob, "repo", { domain: DOMAIN, maintainers: [owner.pubkey] });
    ok((await world.submit(joint)).accepted);
    ok(await world.isServed(joint.id), "T2: the owner's state is here already");
    const [mine, theirs] = [
      await world.repositories.readRefs(repository),
      await world.repositories.readRefs({ ...repository, owner: bob.pubkey }),
    ];
    deepStrictEqual(theirs, mine);
  }));

Deno.test("P-57 a stranger announcing the same identifier gets no objects, even when listing the owner", () =>
  engine(async (world) => {
    const { owner } = await hostedRepository(world);
    const stranger = newSigner();
    const foreign = announce(stranger, "repo", { domain: DOMAIN });
    match((await world.submit(foreign)).message, /^purgatory:/);
    ok(!await world.isServed(foreign.id));
    deepStrictEqual([
      ...(await world.repositories.readRefs({ owner: stranger.pubkey, identifier: "repo" })).refs,
    ], []);
    ok(owner.pubkey !== stranger.pubkey);
  }));

Deno.test("P-60 a repository that cannot take the copy stays behind; the sweep completes it later", () =>
  engine(async (world) => {
    const bob = newSigner();
    const { owner, work, repository } = await hostedRepository(world, "repo", [bob.pubkey]);
    await world.submit(announce(bob, "repo", { domain: DOMAIN, maintainers: [owner.pubkey] }));
    const bobs = { ...repository, owner: bob.pubkey };
    const path = world.repositories.path(bobs);
    await Deno.writeTextFile(`${path}/refs/heads/main.lock`, "");
    const tip = await commitFile(work, "later.txt", "later\n");
    const state = declare(owner, "repo", { "refs/heads/main": tip });
    await world.submit(state);
    strictEqual(await world.push(work, owner.pubkey, "repo", ["refs/heads/main"]), "");
    ok(await world.isServed(state.id));
    ok((await world.repositories.readRefs(bobs)).refs.get("refs/heads/main") !== tip);
    await Deno.remove(`${path}/refs/heads/main.lock`);
    world.clock.jump(61_000);
    await world.sweep.expire();
    strictEqual((await world.repositories.readRefs(bobs)).refs.get("refs/heads/main"), tip);
  }));

Deno.test("P-61 a database that fails at the release loses nothing: a later sweep serves it, notified once", () =>
  engine(async (world) => {
    const owner = newSigner();
    const work = await newWorkTree(`${world.directory}/work`);
    const announcement = announce(owner, "repo", { domain: DOMAIN });
    const state = declare(owner, "repo", await refsOf(work));
    await world.submit(announcement);
    await world.submit(state);
    const commit = world.store.commit.bind(world.store);
    let failing = false;
    world.store.commit = (changes) =>
      failing && changes.insertEvents?.length ? Promise.reject(new Error("disk I/O error")) : commit(changes);
    failing = true;
    await world.push(work, owner.pubkey, "repo", ["refs/heads/main"]).catch(() => {});
    deepStrictEqual(world.notified, []);
    ok(!await world.isServed(state.id));
    failing = false;
    world.clock.jump(61_000);
    await world.sweep.expire();
    deepStrictEqual(world.notified.map(({ id }) => id), [announcement.id, state.id]);
  }));

Deno.test("P-62 a dirty mark makes the start release what was complete before the crash", () =>
  withTempDirectory(async (directory) => {
    const clock = new VirtualClock();
    const owner = newSigner();
    let state = "";
    await engineIn(directory, clock, async (world) => {
      const { work, repository } = await hostedRepository(world);
      const tip = await commitFile(work, "more.txt", "more\n");
      const declared = declare(owner, "other", { "refs/heads/main": tip });
      await world.submit(announce(owner, "other", { domain: DOMAIN }));
      await world.submit(declared);
      state = declared.id;
      const other = { owner: owner.pubkey, identifier: "other" };
      await git(work, "push", "-q", world.repositories.path(other), "main");
      ok(repository && !await world.isServed(state));
    });
    await engineIn(directory, clock, async (world) => ok(await world.isServed(state)));
  }));

Deno.test("P-44 R-88 a waiting state whose author becomes a maintainer later is applied to that owner too", () =>
  engine(async (world) => {
    const bob = newSigner();
    const { owner, work, repository } = await hostedRepository(world);
    const tip = await commitFile(work, "bob.txt", "bob\n");
    await world.submit(announce(bob, "repo", { domain: DOMAIN }));
    const state = declare(bob, "repo", { "refs/heads/main": tip });
    match((await world.submit(state)).message, /^purgatory:/);
    await world.submit(announce(owner, "repo", { domain: DOMAIN, maintainers: [bob.pubkey] }));
    strictEqual(await world.push(work, owner.pubkey, "repo", ["refs/heads/main"]), "");
    ok(await world.isServed(state.id));
    for (const key of [owner.pubkey, bob.pubkey]) {
      strictEqual(
        (await world.repositories.readRefs({ ...repository, owner: key })).refs.get("refs/heads/main"),
        tip,
      );
    }
  }));

Deno.test("M-24 a lock that a killed git child left behind does not keep a start from aligning the repository", () =>
  withTempDirectory(async (directory) => {
    const clock = new VirtualClock();
    const owner = newSigner();
    await engineIn(directory, clock, async (world) => {
      const work = await newWorkTree(`${directory}/locked`);
      await world.submit(announce(owner, "locked", { domain: DOMAIN }));
      await world.submit(declare(owner, "locked", await refsOf(work)));
      const repository = { owner: owner.pubkey, identifier: "locked" };
      const oid = (await refsOf(work))["refs/heads/main"]!;
      const decision = await world.gate.authorise(repository, [{
        ref: "refs/heads/main",
        oldOid: "0".repeat(40),
        newOid: oid,
      }]);
      ok(decision.ok);
      await git(work, "push", "-q", world.repositories.path(repository), "main:refs/keep/data");
      await Deno.mkdir(`${world.repositories.path(repository)}/refs/heads`, { recursive: true });
      await Deno.writeTextFile(`${world.repositories.path(repository)}/refs/heads/main.lock`, "");
    });
    const restarted = engineIn(directory, clock, async (world) => {
      strictEqual(
        (await world.repositories.readRefs({ owner: owner.pubkey, identifier: "locked" })).refs.has(
          "refs/heads/main",
        ),
        true,
      );
      strictEqual((await world.store.waitingCounts()).states, 0);
    });
    const ticking = setInterval(() => clock.advance(1_000), 20);
    await restarted.finally(() => clearInterval(ticking));
  }));

Deno.test("M-24 P-62 a release beside a running push keeps the mark that makes the next start look again", () =>
  engine(async (world) => {
    const { owner, work, repository } = await hostedRepository(world);
    const tip = await commitFile(work, "next.txt", "next\n");
    await world.submit(declare(owner, "repo", { "refs/heads/main": tip }));
    const oldOid = (await world.repositories.readRefs(repository)).refs.get("refs/heads/main")!;
    const commands = [{ ref: "refs/heads/main", oldOid, newOid: tip }];
    const decision = await world.gate.authorise(repository, commands);
    ok(decision.ok);
    await world.submit(announce(owner, "repo", { domain: DOMAIN }));
    strictEqual((await world.store.dirtyMarks()).length, 1);
    await git(work, "push", "-q", world.repositories.path(repository), "main");
    await world.gate.settle(decision.grant, commands);
    deepStrictEqual(await world.store.dirtyMarks(), []);
  }));

Deno.test("many waiting states without data cost one look at a repository", () =>
  engine(async (world) => {
    const { owner, work, repository } = await hostedRepository(world);
    const main = (await refsOf(work))["refs/heads/main"]!;
    for (let number = 0; number < 10; number++) {
      const oid = number.toString().padStart(40, "a");
      await world.submit(
        declare(owner, "repo", { "refs/heads/main": oid }, { created_at: 1_700_000_001 + number }),
      );
    }
    let looks = 0;
    const { present, complete } = world.repositories;
    world.repositories.present = (...asked) => (looks++, present.apply(world.repositories, asked));
    world.repositories.complete = (...asked) => (looks++, complete.apply(world.repositories, asked));
    await release(world.parts, { identifier: "repo" });
    strictEqual(looks, 1);
    strictEqual((await world.repositories.readRefs(repository)).refs.get("refs/heads/main"), main);
  }));

Deno.test("a push to what its state declares looks for no other object, whoever declared the one before", () =>
  engine(async (world) => {
    const helper = newSigner();
    const { owner, work, repository } = await hostedRepository(world, "repo", [helper.pubkey]);
    let looks = 0;
    const { present, complete } = world.repositories;
    world.repositories.present = (...asked) => (looks++, present.apply(world.repositories, asked));
    world.repositories.complete = (...asked) => (looks++, complete.apply(world.repositories, asked));
    for (const [number, author] of [owner, helper, owner].entries()) {
      await commitFile(work, "more", `${number}`);
      const tip = (await refsOf(work))["refs/heads/main"]!;
      const created_at = 1_700_000_001 + number;
      const state = declare(author, "repo", { "refs/heads/main": tip }, { created_at });
      await world.submit(state);
      looks = 0;
      strictEqual(await world.push(work, owner.pubkey, "repo", ["refs/heads/main"]), "");
      strictEqual(looks, 0);
      ok(await world.isServed(state.id));
      strictEqual((await world.repositories.readRefs(repository)).refs.get("refs/heads/main"), tip);
    }
  }));

Deno.test("refs that a push moved to a state its author gave up meanwhile return to the state that governs", () =>
  engine(async (world) => {
    const helper = newSigner();
    const { work, repository } = await hostedRepository(world, "repo", [helper.pubkey]);
    const main = (await refsOf(work))["refs/heads/main"]!;
    await commitFile(work, "more", "2");
    const given = declare(helper, "repo", await refsOf(work), { created_at: 1_700_000_001 });
    await world.submit(given);
    await world.submit(declare(helper, "repo", {}, { created_at: 1_700_000_002 }));
    // The server was killed behind git and in front of what settles the push.
    await git(work, "push", "-q", world.repositories.path(repository), "main");
    await release(world.parts, { identifier: "repo", via: "startup" });
    strictEqual((await world.repositories.readRefs(repository)).refs.get("refs/heads/main"), main);
  }));
