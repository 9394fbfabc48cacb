import assert from "node:assert/strict";
import { maintainGit } from "../../lib/maintenance/mod.ts";
import { DOMAIN } from "../support/engine.ts";
import { git, newWorkTree, tryGit } from "../support/git_client.ts";
import { announce } from "../support/keys.ts";
import { letTimePass } from "./object_files.ts";
import { looseCommit, serve, type Site, site, someone } from "./support.ts";

const DAY_MS = 86_400_000;
const isThere = async (path: string, oid: string) => (await tryGit(path, "cat-file", "-e", oid)).code === 0;

/** Maintenance beside which `meanwhile` runs before each of its git commands. */
async function maintainBeside(
  { maintenance }: Site,
  meanwhile: (args: readonly string[]) => Promise<unknown>,
) {
  const { git } = maintenance;
  const run: typeof git.run = async (args, options) => {
    await meanwhile(args);
    return await git.run(args, options);
  };
  return await maintainGit({ ...maintenance, git: { ...git, run } });
}

Deno.test("a kill between dropping commits and writing the commit graph leaves no graph that names them", () =>
  site(async (place) => {
    const { directory, maintenance, clock } = place;
    const path = await serve(place, someone(), "graph", await newWorkTree(`${directory}/work`));
    const lost = await looseCommit(path, "x", await git(path, "rev-parse", "refs/heads/main"));
    await git(path, "update-ref", "refs/heads/x", lost);
    await maintainGit(maintenance);
    await git(path, "update-ref", "-d", "refs/heads/x");
    await clock.advance(15 * DAY_MS);
    await git(path, "update-ref", "refs/heads/y", await looseCommit(path, "y"));
    // Killed, so that the graph still names what became unreachable.
    const kill = async ([, command]: readonly string[]) => {
      if (command === "commit-graph") throw new Error("killed");
      await Promise.resolve();
    };
    await maintainBeside(place, kill);
    await clock.advance(15 * DAY_MS);
    await maintainBeside(place, kill);
    assert.ok(!await isThere(path, lost));
    const { code, stderr } = await tryGit(path, "fsck", "--full");
    assert.equal(code, 0, stderr);
  }));

Deno.test("the commit graph of a repository that has lost its last ref names nothing that is dropped", () =>
  site(async (place) => {
    const { maintenance, clock, submit } = place;
    const owner = someone();
    await submit(announce(owner, "bare", { domain: DOMAIN }));
    const path = place.path(owner, "bare");
    const lost = await looseCommit(path, "all there is");
    await git(path, "update-ref", "refs/nostr/x", lost);
    await maintainGit(maintenance);
    await git(path, "update-ref", "-d", "refs/nostr/x");
    await clock.advance(15 * DAY_MS);
    await maintainGit(maintenance);
    await clock.advance(15 * DAY_MS);
    assert.equal((await maintainGit(maintenance)).pruned, 1);
    assert.ok(!await isThere(path, lost));
    const { code, stderr } = await tryGit(path, "fsck", "--full");
    assert.equal(code, 0, stderr);
  }));

Deno.test("an unreachable object is kept 14 days when a ref named it although nothing else is in the repository", () =>
  site(async (place) => {
    const { maintenance, clock, submit } = place;
    const owner = someone();
    await submit(announce(owner, "alone", { domain: DOMAIN }));
    const path = place.path(owner, "alone");
    const lost = await looseCommit(path, "all there is");
    await maintainGit(maintenance);
    await clock.advance(13 * DAY_MS);
    await git(path, "update-ref", "refs/heads/back", lost);
    await maintainGit(maintenance);
    await clock.advance(2 * DAY_MS);
    await git(path, "update-ref", "-d", "refs/heads/back");
    await maintainGit(maintenance);
    assert.ok(await isThere(path, lost), "reachable two days ago");
  }));

Deno.test("an unreachable object is kept 14 days when a ref came to name it while the repository was packed", () =>
  site(async (place) => {
    const { directory, maintenance, clock } = place;
    const path = await serve(place, someone(), "back", await newWorkTree(`${directory}/work`));
    const lost = await looseCommit(path, "replaced and restored");
    await maintainGit(maintenance);
    await clock.advance(12 * DAY_MS);
    await git(path, "update-ref", "refs/heads/new", await looseCommit(path, "new"));
    await maintainBeside(place, async ([, command]) => {
      if (command === "repack") await git(path, "update-ref", "refs/heads/back", lost);
    });
    await clock.advance(DAY_MS);
    await maintainGit(maintenance);
    await clock.advance(2 * DAY_MS);
    await git(path, "update-ref", "-d", "refs/heads/back");
    await maintainGit(maintenance);
    assert.ok(await isThere(path, lost), "reachable two days ago");
  }));

for (const isPushed of [false, true]) {
  Deno.test(`an unreachable object is kept 14 days when a ref named it between two runs, ${isPushed ? "pushed" : "restored"}`, () =>
    site(async (place) => {
      const { directory, maintenance, clock, repositories } = place;
      const owner = someone();
      const path = await serve(place, owner, "between", await newWorkTree(`${directory}/work`));
      const below = await looseCommit(path, "replaced");
      const lost = await looseCommit(path, "replaced and restored", below);
      await maintainGit(maintenance);
      await clock.advance(13 * DAY_MS);
      const repository = { owner: owner.pubkey, identifier: "between" };
      const [ref, zero] = ["refs/heads/back", "0".repeat(40)];
      if (isPushed) await git(path, "update-ref", ref, lost);
      else await repositories.changeRefs(repository, [{ ref, oldOid: zero, newOid: lost }]);
      await clock.advance(2 * DAY_MS);
      if (isPushed) await repositories.changeRefs(repository, [{ ref, oldOid: lost, newOid: zero }]);
      else await git(path, "update-ref", "-d", ref);
      await maintainGit(maintenance);
      assert.ok(await isThere(path, lost), "reachable until just before");
      assert.ok(await isThere(path, below), "reachable until just before");
      await clock.advance(15 * DAY_MS);
      await maintainGit(maintenance);
      assert.ok(!await isThere(path, lost));
      assert.ok(!await isThere(path, below));
    }));
}

Deno.test("a pack whose index a kill prevented gets it: nothing it holds is lost, and maintenance goes on", () =>
  site(async (place) => {
    const { directory, maintenance } = place;
    const owner = someone();
    const path = await serve(place, owner, "half", await newWorkTree(`${directory}/work`));
    await git(path, "repack", "-adq");
    const packs = `${path}/objects/pack`;
    const names = await Array.fromAsync(Deno.readDir(packs));
    for (const { name } of names.filter(({ name }) => !name.endsWith(".pack"))) {
      await Deno.remove(`${packs}/${name}`);
    }
    assert.deepEqual(await maintainGit(maintenance), { repacked: 1, pruned: 0, failed: 0, postponed: false });
    const { code, stderr } = await tryGit(path, "fsck", "--full");
    assert.equal(code, 0, stderr);
  }));

Deno.test("what a killed packing of refs left keeps no ref from being deleted, and maintenance from nothing", () =>
  site(async (place) => {
    const { directory, maintenance, repositories } = place;
    const owner = someone();
    const repository = { owner: owner.pubkey, identifier: "refs" };
    const path = await serve(place, owner, "refs", await newWorkTree(`${directory}/work`));
    const oid = await git(path, "rev-parse", "refs/heads/main");
    await git(path, "update-ref", "refs/heads/x", oid);
    await git(path, "pack-refs", "--all");
    await Deno.writeTextFile(`${path}/packed-refs.new`, "# pack-refs with: peeled");
    await letTimePass(repositories.cleanAfterCrash(repository), place.clock, 1_000);
    const change = { ref: "refs/heads/x", oldOid: oid, newOid: "0".repeat(40) };
    assert.deepEqual(await repositories.changeRefs(repository, [change]), []);
    assert.equal((await maintainGit(maintenance)).failed, 0);
  }));
