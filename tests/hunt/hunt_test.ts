import assert from "node:assert/strict";
import type { NostrEvent } from "../../lib/nostr/mod.ts";
import { DOMAIN, engine, engineIn } from "../support/engine.ts";
import { commitFile, git, refsOf, tryGit } from "../support/git_client.ts";
import { declare, newSigner } from "../support/keys.ts";
import { eventually, withTempDirectory } from "../support/temp.ts";
import { VirtualClock } from "../support/virtual_clock.ts";
import { announced, hunting, keepRefs, T, tree } from "./hunt_support.ts";

Deno.test("P-66 P-2 P-81 a synced state is fetched after 500 ms, served with its announcement, and keep refs go", () =>
  engine((world) =>
    hunting(world, async ({ hunt, remote, pass, seen }) => {
      const owner = newSigner();
      const { path, refs } = await tree(world, "x");
      remote.trees.set("https://x.org/r", path);
      const announcement = announced(owner, ["https://x.org/r"]);
      const state = declare(owner, "repo", refs, { head: "refs/heads/main", created_at: T });
      await world.sync(announcement);
      await world.sync(state);
      await pass(499);
      assert.deepEqual(remote.asked, []);
      await pass(1);
      await eventually("served", () => world.isServed(state.id));
      assert.ok(await world.isServed(announcement.id));
      assert.deepEqual(world.notified.map(({ kind }) => kind), [30617, 30618]);
      await pass(0);
      assert.deepEqual(hunt.hunts(), []);
      assert.deepEqual(seen.filter((line) => line !== "skipped own"), ["fetch fetched", "hunt complete"]);
      await pass(60_000);
      await eventually("keep refs are gone", async () => (await keepRefs(world, owner.pubkey)).length === 0);
      assert.deepEqual(
        await refsOf(world.repositories.path({ owner: owner.pubkey, identifier: "repo" })),
        refs,
      );
    })
  ));

Deno.test("P-66 nothing is asked for a user's state before 180 s; a push before that ends the hunt", () =>
  engine((world) =>
    hunting(world, async ({ hunt, remote, pass }) => {
      const owner = newSigner();
      const { path, refs } = await tree(world, "x");
      await world.submit(announced(owner, ["https://x.org/r"]));
      await world.submit(declare(owner, "repo", refs, { created_at: T }));
      await pass(179_999);
      assert.deepEqual(remote.asked, []);
      assert.equal(hunt.hunts()[0]!.nextAttemptAt, world.clock.now() + 1);
      assert.equal(await world.push(path, owner.pubkey, "repo", ["refs/heads/main"]), "");
      await pass(1_000_000);
      assert.deepEqual([remote.asked, hunt.hunts()], [[], []]);
    })
  ));

Deno.test("P-67 P-68 a burst is one fetch; what stays missing is looked for after 20, 40, 80, 120 s", () =>
  engine((world) =>
    hunting(world, async ({ hunt, remote, pass }) => {
      const owner = newSigner();
      await world.sync(announced(owner, ["https://x.org/r"]));
      for (let count = 0; count < 10; count++) {
        const refs = { "refs/heads/main": (count + 10).toString(16).padStart(40, "f") };
        await world.sync(declare(owner, "repo", refs, { created_at: T + count }));
        await world.clock.advance(20);
      }
      const begun = remote.asked.length;
      assert.equal(begun, 0);
      for (const seconds of [0.5, 20, 40, 80, 120]) await pass(seconds * 1000);
      const times = remote.asked.map(({ at }) => at);
      assert.deepEqual(times.slice(1).map((at, index) => at - times[index]!), [
        20_000,
        40_000,
        80_000,
        120_000,
      ]);
      assert.deepEqual(hunt.hunts()[0]!.urls.map(({ result }) => result), ["network"]);
      assert.ok(hunt.hunts()[0]!.unreachable);
    })
  ));

Deno.test("P-5 P-70 objects on two servers add up; one of two promotes nothing", () =>
  engine((world) =>
    hunting(world, async ({ remote, pass, seen }) => {
      const owner = newSigner();
      const x = await tree(world, "x", ["1"]);
      const y = await tree(world, "y", ["2"]);
      const refs = {
        "refs/heads/main": x.refs["refs/heads/main"]!,
        "refs/heads/dev": y.refs["refs/heads/main"]!,
      };
      remote.trees.set("https://x.org/r", x.path);
      const announcement = announced(owner, ["https://x.org/r", "https://y.org/r"]);
      const state = declare(owner, "repo", refs, { created_at: T });
      await world.sync(announcement);
      await world.sync(state);
      await pass(500);
      assert.equal(await world.isServed(announcement.id), false);
      assert.equal(await world.isServed(state.id), false);
      assert.ok(seen.includes("hunt partial"));
      assert.equal((await keepRefs(world, owner.pubkey)).length, 1);
      // Garbage collection between the two loses nothing (P-81).
      await git(
        world.repositories.path({ owner: owner.pubkey, identifier: "repo" }),
        "gc",
        "-q",
        "--prune=now",
      );
      remote.trees.set("https://y.org/r", y.path);
      await pass(20_000);
      assert.ok(await world.isServed(announcement.id) && await world.isServed(state.id));
      assert.deepEqual(remote.asked.at(-1)!.oids, [y.refs["refs/heads/main"]], "only the rest is asked for");
    })
  ));

Deno.test("P-69 an event that arrives during a hunt is hunted afterwards", () =>
  engine((world) =>
    hunting(world, async ({ remote, pass, quiet }) => {
      const owner = newSigner();
      const x = await tree(world, "x", ["1"]);
      const first = declare(owner, "repo", x.refs, { created_at: T });
      remote.trees.set("https://x.org/r", x.path);
      const asked = Promise.withResolvers<void>();
      const goOn = Promise.withResolvers<void>();
      remote.answers.set("https://x.org/r", async () => {
        asked.resolve();
        await goOn.promise;
        remote.answers.clear();
        return { result: "network" };
      });
      await world.sync(announced(owner, ["https://x.org/r"]));
      await world.sync(first);
      await new Promise((resolve) => setTimeout(resolve, 50));
      await world.clock.advance(500);
      await asked.promise;
      const next = await commitFile(x.path, "2", "2");
      const second = declare(owner, "repo", { "refs/heads/main": next }, { created_at: T + 1 });
      await world.sync(second);
      goOn.resolve();
      await quiet();
      await pass(20_000);
      assert.ok(await world.isServed(second.id));
    })
  ));

Deno.test("P-76 a pull request's own URL is asked for its commit, the announcement's when that fails", () =>
  engine((world) =>
    hunting(world, async ({ remote, pass }) => {
      const [owner, carol] = [newSigner(), newSigner()];
      const x = await tree(world, "x");
      await world.submit(announced(owner, ["https://x.org/r"]));
      await world.submit(declare(owner, "repo", x.refs, { created_at: T }));
      assert.equal(await world.push(x.path, owner.pubkey, "repo", ["refs/heads/main"]), "");
      const commit = await commitFile(x.path, "feature", "f");
      const pull = carol.sign({
        kind: 1618,
        tags: [["a", `30617:${owner.pubkey}:repo`], ["c", commit], ["clone", "https://fork.org/r"]],
      });
      remote.trees.set("https://x.org/r", x.path);
      await world.sync(pull);
      await pass(500);
      assert.deepEqual(remote.asked.map(({ url }) => url), ["https://fork.org/r", "https://x.org/r"]);
      assert.ok(await world.isServed(pull.id));
      const { refs } = await world.repositories.readRefs({ owner: owner.pubkey, identifier: "repo" });
      assert.equal(refs.get(`refs/nostr/${pull.id}`), commit);
    })
  ));

Deno.test("P-84 a stranger who lists the owner: his URL comes last, by id only, and his objects stay his", () =>
  engine((world) =>
    hunting(world, async ({ remote, pass }) => {
      const [alice, bob] = [newSigner(), newSigner()];
      const [a, b] = [await tree(world, "a", ["1"]), await tree(world, "b", ["2"])];
      remote.trees.set("https://b.org/r", b.path);
      await world.sync(announced(alice, ["https://a.org/r"]));
      await world.sync(
        announced(bob, ["https://b.org/r"], { maintainers: [alice.pubkey], created_at: T + 9 }),
      );
      await world.sync(declare(alice, "repo", a.refs, { created_at: T }));
      await world.sync(declare(bob, "repo", b.refs, { created_at: T }));
      await pass(500);
      const forAlice = remote.asked.filter(({ target }) => target.owner === alice.pubkey);
      assert.deepEqual(forAlice.map(({ url, branches }) => [url, branches]), [
        ["https://a.org/r", true],
        ["https://b.org/r", false],
      ]);
      const path = world.repositories.path({ owner: alice.pubkey, identifier: "repo" });
      assert.notEqual((await tryGit(path, "cat-file", "-e", b.refs["refs/heads/main"]!)).code, 0);
    })
  ));

Deno.test("local first: what another repository here holds is copied without a request, also with sync off", () =>
  engine((world) =>
    hunting(world, async ({ remote, pass }) => {
      const [alice, bob] = [newSigner(), newSigner()];
      const a = await tree(world, "a");
      await world.submit(announced(alice, []));
      await world.submit(declare(alice, "repo", a.refs, { created_at: T }));
      assert.equal(await world.push(a.path, alice.pubkey, "repo", ["refs/heads/main"]), "");
      // Another identifier, whose clone URL names the repository here.
      const fork = announced(bob, [`http://${DOMAIN}/${alice.npub}/repo.git`, "https://b.org/r"], {
        identifier: "fork",
      });
      const state = declare(bob, "fork", a.refs, { created_at: T });
      await world.sync(fork);
      await world.sync(state);
      await pass(500);
      assert.ok(await world.isServed(state.id));
      assert.deepEqual(remote.asked, []);
    }, { enabled: false })
  ));

Deno.test("P-65 R-89 after promotion by hunting the maintainers' refused announcements are served without new delivery", () =>
  engine((world) =>
    hunting(world, async ({ remote, pass }) => {
      const owner = newSigner();
      const maintainers = [newSigner(), newSigner(), newSigner()];
      const x = await tree(world, "x");
      remote.trees.set("https://x.org/r", x.path);
      // Refused: they name another service, and nobody here lists their authors yet.
      const refused = maintainers.map((maintainer) =>
        maintainer.sign({
          kind: 30617,
          created_at: T,
          tags: [["d", "repo"], ["clone", "https://else.org/r"], ["relays", "wss://else.org"]],
        })
      );
      for (const event of refused) assert.equal((await world.sync(event)).accepted, false);
      const listed = maintainers.map(({ pubkey }) => pubkey);
      await world.sync(announced(owner, ["https://x.org/r"], { maintainers: listed }));
      await world.sync(declare(owner, "repo", x.refs, { created_at: T }));
      await pass(500);
      for (const { id } of refused) {
        await eventually("the maintainer's announcement", () => world.isServed(id));
      }
    })
  ));

Deno.test("P-88 P-81 waiting pull requests and states are hunted after a restart; leftovers of fetches are removed", () =>
  withTempDirectory(async (directory) => {
    const clock = new VirtualClock();
    const [owner, carol] = [newSigner(), newSigner()];
    const repository = { owner: owner.pubkey, identifier: "repo" };
    let pull: NostrEvent | undefined;
    let commit = "";
    await engineIn(directory, clock, async (world) => {
      const x = await tree(world, "x");
      await world.submit(announced(owner, ["https://x.org/r"]));
      await world.submit(declare(owner, "repo", x.refs, { created_at: T }));
      assert.equal(await world.push(x.path, owner.pubkey, "repo", ["refs/heads/main"]), "");
      commit = await commitFile(x.path, "feature", "f");
      pull = carol.sign({ kind: 1619, tags: [["a", `30617:${owner.pubkey}:repo`], ["c", commit]] });
      await world.submit(pull);
      const path = world.repositories.path(repository);
      const main = x.refs["refs/heads/main"]!;
      await git(path, "update-ref", "refs/purgatory/tmp/dead/h/main", main);
      await git(path, "update-ref", `refs/purgatory/keep/${main}`, main);
    });
    await engineIn(directory, clock, (world) =>
      hunting(world, async ({ remote, pass }) => {
        remote.trees.set("https://x.org/r", `${directory}/x`);
        await eventually(
          "leftovers are gone",
          async () => (await keepRefs(world, owner.pubkey)).length === 0,
        );
        await pass(500);
        assert.ok(await world.isServed(pull!.id));
        assert.equal(remote.asked[0]!.oids.join(), commit);
      }));
  }));

for (const archive of [{ all: true }, { whitelist: [{ kind: "identifier" as const, identifier: "repo" }] }]) {
  Deno.test(`R-54 an archived repository fills itself (${Object.keys(archive)[0]})`, () =>
    engine(
      (world) =>
        hunting(world, async ({ remote, pass }) => {
          const owner = newSigner();
          const x = await tree(world, "x");
          remote.trees.set("https://else.org/r", x.path);
          const announcement = owner.sign({
            kind: 30617,
            created_at: T,
            tags: [["d", "repo"], ["clone", "https://else.org/r"], ["relays", "wss://else.org"]],
          });
          const state = declare(owner, "repo", x.refs, { head: "refs/heads/main", created_at: T });
          await world.sync(announcement);
          await world.sync(state);
          await pass(500);
          assert.ok(await world.isServed(announcement.id) && await world.isServed(state.id));
          const repository = { owner: owner.pubkey, identifier: "repo" };
          assert.deepEqual(await refsOf(world.repositories.path(repository)), x.refs);
        }),
      { archive: { all: false, whitelist: [], services: [], readOnly: false, ...archive } },
    ));
}
