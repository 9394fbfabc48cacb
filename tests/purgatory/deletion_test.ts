import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { retiredRows } from "../support/held.ts";
import { announce, declare, newSigner } from "../support/keys.ts";
import { DOMAIN, engine, engineIn, RETENTION_MS } from "../support/engine.ts";
import { commitFile, git, newWorkTree, refsOf } from "../support/git_client.ts";
import { withTempDirectory } from "../support/temp.ts";
import { VirtualClock } from "../support/virtual_clock.ts";
import { accepted, address, remove, served, T, waiting } from "./deletion_support.ts";

Deno.test("R-80 P-19 the author's request by id or coordinate removes a waiting announcement and its repository", () =>
  engine(async (world) => {
    for (const byId of [true, false]) {
      const { owner, announcement, repository } = await waiting(world);
      await accepted(world, remove(owner, [byId ? ["e", announcement.id] : ["a", address(owner)]]));
      ok(!await world.repositories.exists(repository));
      match((await world.submit(announcement)).message, /^invalid: accepted deletion request/);
      match((await world.sync(announcement)).message, /^invalid: accepted deletion request/);
      ok(!await world.repositories.exists(repository));
    }
  }));

Deno.test("R-81 requests by other keys are stored and change nothing", () =>
  engine(async (world) => {
    const { owner, announcement, repository } = await waiting(world);
    await accepted(world, remove(newSigner(), [["e", announcement.id], ["a", address(owner)]]));
    ok(await world.repositories.exists(repository));
    strictEqual((await world.store.waitingCounts()).active, 1);
  }));

Deno.test("R-82 a coordinate request reaches versions up to its own time, inclusive", () =>
  engine(async (world) => {
    const { owner, repository } = await waiting(world, T + 500);
    await accepted(world, remove(owner, [["a", address(owner)]], T + 499));
    ok(await world.repositories.exists(repository));
    await accepted(world, remove(owner, [["a", address(owner)]], T + 500));
    ok(!await world.repositories.exists(repository));
    const newer = announce(owner, "repo", { domain: DOMAIN, created_at: T + 501 });
    match((await world.submit(newer)).message, /^purgatory:/);
  }));

Deno.test("R-83 P-38 a deleted waiting state authorises no push", () =>
  engine(async (world) => {
    for (const byId of [true, false]) {
      const { owner, work } = await waiting(world);
      const state = declare(owner, "repo", await refsOf(work), { created_at: T });
      await world.submit(state);
      await accepted(world, remove(owner, [byId ? ["e", state.id] : ["a", address(owner, 30618)]]));
      match(
        await world.push(work, owner.pubkey, "repo", ["refs/heads/main"]),
        /No state events in purgatory/,
      );
    }
  }));

Deno.test("P-39 a state deleted while its push runs: refs return to the governing state, or to what they were", () =>
  engine(async (world) => {
    for (const hasGoverning of [true, false]) {
      const { owner, work, repository } = await (hasGoverning ? served(world) : waiting(world));
      const before = (await world.repositories.readRefs(repository)).refs;
      const tip = await commitFile(work, "next.txt", "next\n");
      const state = declare(owner, "repo", { "refs/heads/main": tip }, { created_at: T + 10 });
      await world.submit(state);
      const commands = [{
        ref: "refs/heads/main",
        oldOid: before.get("refs/heads/main") ?? "0".repeat(40),
        newOid: tip,
      }];
      const decision = await world.gate.authorise(repository, commands);
      ok(decision.ok);
      await git(work, "push", "-q", world.repositories.path(repository), "main");
      await accepted(world, remove(owner, [["e", state.id]]));
      await world.gate.settle(decision.grant, commands);
      deepStrictEqual((await world.repositories.readRefs(repository)).refs, before);
      ok(!await world.isServed(state.id));
    }
  }));

Deno.test("R-84 P-46 a waiting PR is removed by its author; a placeholder by nobody", () =>
  engine(async (world) => {
    const { owner, work, repository } = await served(world);
    const author = newSigner();
    const commit = await commitFile(work, "pr.txt", "pr\n");
    const pr = author.sign({ kind: 1618, tags: [["a", address(owner)], ["c", commit]] });
    match((await world.submit(pr)).message, /^purgatory:/);
    await accepted(world, remove(author, [["e", pr.id]]));
    match((await world.submit(pr)).message, /accepted deletion request/);
    const ref = `refs/nostr/${"ab".repeat(32)}`;
    const commands = [{ ref, oldOid: "0".repeat(40), newOid: commit }];
    const decision = await world.gate.authorise(repository, commands);
    ok(decision.ok);
    await git(work, "push", "-q", world.repositories.path(repository), `${commit}:${ref}`);
    await world.gate.settle(decision.grant, commands);
    await accepted(world, remove(author, [["e", "ab".repeat(32)]]));
    ok(await world.store.placeholder("ab".repeat(32)));
  }));

Deno.test("R-85 P-10 deleting one owner's announcement keeps states another owner authorises", () =>
  engine(async (world) => {
    const first = await waiting(world);
    const second = await waiting(world);
    const states = [first, second].map(({ owner }) =>
      declare(owner, "repo", { "refs/heads/main": "1".repeat(40) })
    );
    for (const state of states) await world.submit(state);
    await accepted(world, remove(first.owner, [["a", address(first.owner)]], T + 10));
    const { waitingStates } = await world.store.readIdentifier("repo");
    deepStrictEqual(waitingStates.map(({ author }) => author), [second.owner.pubkey]);
  }));

Deno.test("R-86 deleting a served repository: not served, data held, brought back by a fresh announcement", () =>
  engine(async (world) => {
    const { owner, announcement, state, repository, work } = await served(world);
    const refs = (await world.repositories.readRefs(repository)).refs;
    await accepted(world, remove(owner, [["e", announcement.id]]));
    ok(!await world.isServed(announcement.id) && !await world.isServed(state.id));
    ok(!await world.repositories.exists(repository));
    match(
      await world.push(work, owner.pubkey, "repo", ["refs/heads/main"]).catch(String),
      /RepositoryError|No repository announcement/,
    );
    const fresh = announce(owner, "repo", { domain: DOMAIN, created_at: T + 2_000 });
    ok((await world.submit(fresh)).accepted);
    ok(await world.isServed(fresh.id) && await world.isServed(state.id));
    deepStrictEqual((await world.repositories.readRefs(repository)).refs, refs);
  }));

Deno.test("R-39 the owner of a served repository withdraws: retired, refused, not replayable, kept 90 days", () =>
  engine(async (world) => {
    const { owner, announcement, repository } = await served(world);
    const away = announce(owner, "repo", { domain: "elsewhere.example", created_at: T + 100 });
    strictEqual(
      (await world.submit(away)).message,
      "blocked: announcement no longer lists this service; hosting ended",
    );
    ok(!await world.isServed(announcement.id) && !await world.repositories.exists(repository));
    match((await world.submit(announcement)).message, /accepted deletion request/);
    const [retired] = await retiredRows(world.store, owner.pubkey, "repo");
    const path = `${world.repositories.root}/${retired!.directory}`;
    ok((await Deno.stat(path)).isDirectory);
    world.clock.jump(RETENTION_MS - 1);
    await world.sweep.discard();
    ok((await Deno.stat(path)).isDirectory);
    world.clock.jump(2);
    await world.sweep.discard();
    deepStrictEqual(await retiredRows(world.store, owner.pubkey, "repo"), []);
    await Deno.stat(path).then(() => ok(false), () => {});
  }));

Deno.test("other events are removed by their author's request and do not come back", () =>
  engine(async (world) => {
    const { owner } = await served(world);
    const author = newSigner();
    const issue = author.sign({ kind: 1621, tags: [["a", address(owner)]] });
    await accepted(world, issue);
    await accepted(world, remove(newSigner(), [["e", issue.id]]));
    ok(await world.isServed(issue.id));
    const request = remove(author, [["e", issue.id]]);
    await accepted(world, request);
    ok(!await world.isServed(issue.id));
    ok(await world.isServed(request.id));
    match((await world.submit(issue)).message, /accepted deletion request/);
  }));

Deno.test("P-20 a request that arrives before its event keeps the event out", () =>
  engine(async (world) => {
    const owner = newSigner();
    const announcement = announce(owner, "repo", { domain: DOMAIN, created_at: T });
    await accepted(world, remove(owner, [["e", announcement.id]]));
    match((await world.submit(announcement)).message, /accepted deletion request/);
    ok(!await world.repositories.exists({ owner: owner.pubkey, identifier: "repo" }));
  }));

Deno.test("NIP-40 an expired announcement is retired, other expired events are purged", () =>
  engine(async (world) => {
    const { owner, repository } = await served(world);
    const soon = Math.floor(world.clock.now() / 1000) + 60;
    const expiring = announce(owner, "repo", {
      domain: DOMAIN,
      created_at: T + 10,
      extraTags: [["expiration", String(soon)]],
    });
    await accepted(world, expiring);
    const issue = newSigner().sign({
      kind: 1621,
      tags: [["a", address(owner)], ["expiration", String(soon)]],
    });
    await accepted(world, issue);
    world.clock.jump(61_000);
    await world.sweep.expire();
    ok(!await world.repositories.exists(repository));
    strictEqual((await retiredRows(world.store, owner.pubkey, "repo")).length, 1);
    deepStrictEqual(await world.store.get([issue.id, expiring.id]), []);
  }));

Deno.test("M-24 a retirement cut off by a crash is undone at the next start: nothing served loses its data", () =>
  withTempDirectory(async (directory) => {
    const clock = new VirtualClock();
    let repository = { owner: "", identifier: "" };
    let state = "";
    await engineIn(directory, clock, async (world) => {
      const found = await served(world);
      [repository, state] = [found.repository, found.state.id];
      const commit = world.store.commit.bind(world.store);
      world.store.commit = (changes) =>
        changes.putRetired?.length ? Promise.reject(new Error("killed")) : commit(changes);
      ok(!(await world.submit(remove(found.owner, [["e", found.announcement.id]]))).accepted);
      ok(!await world.repositories.exists(repository));
    });
    await engineIn(directory, clock, async (world) => {
      ok(await world.repositories.exists(repository));
      ok(await world.isServed(state));
    });
  }));

Deno.test("M-24 refs moved by a state that was never acknowledged return to the served one at the next start", () =>
  withTempDirectory(async (directory) => {
    const clock = new VirtualClock();
    let found: Awaited<ReturnType<typeof served>> | undefined;
    await engineIn(directory, clock, async (world) => {
      found = await served(world);
      const main = (await refsOf(found.work))["refs/heads/main"]!;
      const commit = world.store.commit.bind(world.store);
      world.store.commit = (changes) =>
        changes.insertEvents?.length ? Promise.reject(new Error("killed")) : commit(changes);
      const rollback = declare(found.owner, "repo", { "refs/heads/trunk": main }, {
        head: "refs/heads/trunk",
        created_at: T + 50,
      });
      ok(!(await world.submit(rollback)).accepted);
      deepStrictEqual([...(await world.repositories.readRefs(found.repository)).refs.keys()], [
        "refs/heads/trunk",
      ]);
    });
    await engineIn(directory, clock, async (world) => {
      const { refs, head } = await world.repositories.readRefs(found!.repository);
      deepStrictEqual([[...refs.keys()], head], [["refs/heads/main"], "refs/heads/main"]);
    });
  }));

Deno.test("NIP-40 an announcement renewed after it expired keeps its repository", () =>
  engine(async (world) => {
    const { owner, repository, state } = await served(world);
    const soon = Math.floor(world.clock.now() / 1000) + 60;
    await accepted(
      world,
      announce(owner, "repo", {
        domain: DOMAIN,
        created_at: T + 10,
        extraTags: [["expiration", String(soon)]],
      }),
    );
    await accepted(world, remove(owner, [["e", state.id]]));
    world.clock.jump(61_000);
    const renewed = announce(owner, "repo", { domain: DOMAIN, created_at: T + 20 });
    match((await world.submit(renewed)).message, /^purgatory:/);
    await world.sweep.expire();
    ok(await world.repositories.exists(repository));
    deepStrictEqual(await retiredRows(world.store, owner.pubkey, "repo"), []);
  }));

Deno.test("repositories whose names begin alike or hold dots are retired at once, restored and given up", () =>
  engine(async (world) => {
    const owner = newSigner();
    const work = await newWorkTree(`${world.directory}/work`);
    const identifiers = [`${"long".repeat(20)}a`, `${"long".repeat(20)}b`, "v1..v2"];
    const state = (identifier: string) => refsOf(work).then((refs) => declare(owner, identifier, refs));
    for (const identifier of identifiers) {
      await world.submit(announce(owner, identifier, { domain: DOMAIN, created_at: T }));
      await world.submit(await state(identifier));
      strictEqual(await world.push(work, owner.pubkey, identifier, ["refs/heads/main"]), "");
    }
    await accepted(world, remove(owner, identifiers.map((name) => ["a", `30617:${owner.pubkey}:${name}`])));
    const back = announce(owner, "v1..v2", { domain: DOMAIN, created_at: T + 2_000 });
    match((await world.submit(back)).message, /^purgatory:/);
    const { refs } = await world.repositories.readRefs({ owner: owner.pubkey, identifier: "v1..v2" });
    deepStrictEqual([...refs.keys()], ["refs/heads/main"]);
    await accepted(world, remove(owner, [["a", `30617:${owner.pubkey}:v1..v2`]], T + 3_000));
    world.clock.jump(RETENTION_MS + 1_000);
    await world.sweep.discard();
    for (const identifier of identifiers) {
      deepStrictEqual(await retiredRows(world.store, owner.pubkey, identifier), []);
    }
  }));

Deno.test("NGIT_IGNORE_DELETION_REQUESTS stores a request that does nothing", () =>
  engine(
    async (world) => {
      const { owner, announcement, state, repository } = await served(world);
      const request = remove(owner, [["e", announcement.id], ["e", state.id], ["a", address(owner)]]);
      await accepted(world, request);
      for (const { id } of [request, announcement, state]) ok(await world.isServed(id));
      ok(await world.repositories.exists(repository));
      ok(!await world.store.isTombstoned(announcement));
    },
    {},
    { deletions: "ignored" },
  ));

Deno.test("NGIT_RESTRICT_DELETION_REQUESTS refuses requests that concern nothing here", () =>
  engine(
    async (world) => {
      const { owner, announcement } = await waiting(world);
      const stranger = newSigner();
      const unknown = "ab".repeat(32);
      const refused = [
        remove(stranger, [["e", unknown]]),
        remove(stranger, [["e", announcement.id]]),
        remove(stranger, [["a", address(owner)]]),
        remove(stranger, [["a", `1:${stranger.pubkey}:`]]),
        remove(stranger, []),
      ];
      for (const request of refused) {
        const { accepted, message } = await world.submit(request);
        deepStrictEqual(
          [accepted, message],
          [false, "blocked: deletion request does not concern events on this relay"],
        );
        ok(!await world.isServed(request.id));
      }
      // Known by id, once more by its tombstone, and a coordinate of the kinds this server is for.
      await accepted(world, remove(owner, [["e", announcement.id]]));
      await accepted(world, remove(owner, [["e", announcement.id]], T + 2_000));
      await accepted(world, remove(stranger, [["a", `30618:${stranger.pubkey}:elsewhere`]]));
    },
    {},
    { deletions: "restricted" },
  ));
