import assert from "node:assert/strict";
import { createGit, markBackup } from "../../lib/git/mod.ts";
import { maintainGit } from "../../lib/maintenance/mod.ts";
import { systemClock } from "../../lib/world/mod.ts";
import { pretendGit } from "../git/pretend_git.ts";
import { commitFile, git, newWorkTree, tryGit } from "../support/git_client.ts";
import { declare } from "../support/keys.ts";
import { eventually } from "../support/temp.ts";
import { countObjects, looseCommit, looseTree, makeLoose, serve, site, someone } from "./support.ts";

const DAY_MS = 86_400_000;
const MISSING = "1".repeat(40);
const later = (seconds: number) => ({ created_at: Math.floor(Date.now() / 1000) + seconds });

Deno.test("M-29 10,000 loose objects become one pack; no ref changes and no object named by an event is lost", () =>
  site(async (place) => {
    const { directory, maintenance, submit, clock } = place;
    const owner = someone();
    const work = await looseTree(`${directory}/work`, 10_000);
    const path = await serve(place, owner, "big", work);
    await makeLoose(path, directory);
    assert.equal((await countObjects(path)).loose, 10_000);
    const waiting = await looseCommit(path, "named by a waiting state");
    await submit(declare(owner, "big", { "refs/heads/main": waiting, "refs/heads/x": MISSING }, later(1)));
    const before = await git(path, "for-each-ref");

    const result = await maintainGit(maintenance);
    assert.deepEqual(result, { repacked: 1, pruned: 0, failed: 0, postponed: false });
    // Its cruft pack holds the unreachable commit.
    assert.deepEqual(await countObjects(path), { loose: 0, packs: 2 });
    assert.equal(await git(path, "for-each-ref"), before);
    assert.equal((await tryGit(path, "fsck", "--full")).code, 0);

    assert.equal((await maintainGit(maintenance)).repacked, 0, "nothing changed since");
    await clock.advance(60 * DAY_MS);
    assert.deepEqual(await maintainGit(maintenance), {
      repacked: 0,
      pruned: 0,
      failed: 0,
      postponed: false,
    });
    assert.equal(await git(path, "cat-file", "-t", waiting), "commit");

    await place.sweep.expire();
    assert.equal((await maintainGit(maintenance)).pruned, 1, "the state is gone, and so is its commit");
    assert.notEqual((await tryGit(path, "cat-file", "-e", waiting)).code, 0);
    assert.deepEqual(await countObjects(path), { loose: 0, packs: 1 });
    assert.equal(await git(path, "for-each-ref"), before);
  }));

Deno.test("M-29 a push during git maintenance succeeds, and what it brought stays", () =>
  site(async (place) => {
    const { directory, maintenance, submit, push, repositories } = place;
    const owner = someone();
    const work = await looseTree(`${directory}/work`, 3_000);
    const path = await serve(place, owner, "busy", work);
    const refs: Record<string, string> = { "refs/heads/main": await git(work, "rev-parse", "main") };
    let isOver = false;
    const pushing = (async () => {
      for (let n = 0; n < 3 || !isOver; n++) {
        const name = `refs/heads/b${n}`;
        refs[name] = await commitFile(work, `f${n}`, `text ${n}`);
        await git(work, "branch", `b${n}`);
        await submit(declare(owner, "busy", refs, later(n + 1)));
        assert.equal(await push(work, owner.pubkey, "busy", [name]), "");
      }
    })();
    for (let round = 0; round < 3; round++) assert.equal((await maintainGit(maintenance)).failed, 0);
    isOver = true;
    await pushing;
    const stored = (await repositories.readRefs({ owner: owner.pubkey, identifier: "busy" })).refs;
    assert.deepEqual(Object.fromEntries([...stored].sort()), Object.fromEntries(Object.entries(refs).sort()));
    assert.equal((await tryGit(path, "fsck", "--full")).code, 0);
  }));

Deno.test("unreachable objects are kept 14 days from when they are found, whatever their age, and never while a backup runs", () =>
  site(async (place) => {
    const { directory, maintenance, clock, repositories } = place;
    const owner = someone();
    const path = await serve(place, owner, "pruned", await newWorkTree(`${directory}/work`));
    const lost = await looseCommit(path, "nobody names it");
    const old = new Date(clock.now() - 400 * DAY_MS);
    await Deno.utime(`${path}/objects/${lost.slice(0, 2)}/${lost.slice(2)}`, old, old);
    const isThere = async () => (await tryGit(path, "cat-file", "-e", lost)).code === 0;

    assert.equal((await maintainGit(maintenance)).pruned, 0);
    assert.ok(await isThere());
    await clock.advance(13 * DAY_MS);
    assert.equal((await maintainGit(maintenance)).pruned, 0);
    await clock.advance(2 * DAY_MS);
    const end = await markBackup(repositories.root, clock);
    assert.ok((await maintainGit(maintenance)).postponed);
    await end!();
    const full = { ...maintenance, room: () => Promise.resolve(100) };
    assert.equal((await maintainGit(full)).pruned, 0, "dropping writes everything else anew");
    const done = repositories.use({ owner: owner.pubkey, identifier: "pruned" });
    let isOver = false;
    const busy = maintainGit(maintenance).finally(() => isOver = true);
    await eventually("it was waited for long enough", async () => {
      await clock.advance(1_000);
      return isOver;
    });
    assert.equal((await busy).pruned, 0, "somebody uses the repository");
    assert.ok(await isThere());
    const patient = maintainGit(maintenance).finally(() => isOver = true);
    await eventually(
      "it is waited for",
      () => repositories.uses({ owner: owner.pubkey, identifier: "pruned" }) > 1,
    );
    done();
    isOver = false;
    await eventually("it became idle", async () => {
      await clock.advance(1_000);
      return isOver;
    });
    assert.equal((await patient).pruned, 1);
    assert.ok(!await isThere());
  }));

Deno.test("dropping what was unreachable for long spares what became unreachable since it was last looked for", () =>
  site(async (place) => {
    const { directory, maintenance, clock } = place;
    const path = await serve(place, someone(), "spared", await newWorkTree(`${directory}/work`));
    const old = await looseCommit(path, "unreachable from the start");
    const young = await looseCommit(path, "a branch for now");
    await git(path, "update-ref", "refs/heads/young", young);
    await maintainGit(maintenance);
    await clock.advance(13 * DAY_MS);
    await git(path, "update-ref", "-d", "refs/heads/young");
    await maintainGit(maintenance);
    await clock.advance(1.5 * DAY_MS);
    assert.equal((await maintainGit(maintenance)).pruned, 1);
    assert.notEqual((await tryGit(path, "cat-file", "-e", old)).code, 0);
    assert.equal(await git(path, "cat-file", "-t", young), "commit", "unreachable for two days at most");
    await clock.advance(15 * DAY_MS);
    assert.equal((await maintainGit(maintenance)).pruned, 1);
    assert.notEqual((await tryGit(path, "cat-file", "-e", young)).code, 0);
  }));

Deno.test("what cannot be marked as wanted is not given an age", () =>
  site(async (place) => {
    const { directory, maintenance } = place;
    const path = await serve(place, someone(), "foreign", await newWorkTree(`${directory}/work`));
    await looseCommit(path, "nobody names it");
    // Stands for the file of another user.
    const pack = `${path}/objects/pack/pack-${"0".repeat(40)}.pack`;
    await Deno.mkdir(`${path}/objects/pack`, { recursive: true });
    await Deno.symlink(pack, pack);
    assert.equal((await maintainGit(maintenance)).repacked, 1);
    const names = (await Array.fromAsync(Deno.readDir(`${path}/objects/pack`))).map(({ name }) => name);
    assert.deepEqual(names.filter((name) => name.endsWith(".mtimes")), []);
  }));

Deno.test("a repository that would fill the disk is left as it is", () =>
  site(async (place) => {
    const { directory, maintenance } = place;
    const path = await serve(place, someone(), "large", await newWorkTree(`${directory}/work`));
    await makeLoose(path, directory);
    const before = await countObjects(path);
    const result = await maintainGit({ ...maintenance, room: () => Promise.resolve(100) });
    assert.deepEqual(result, { repacked: 0, pruned: 0, failed: 0, postponed: false });
    assert.deepEqual(await countObjects(path), before);
    assert.equal((await maintainGit(maintenance)).repacked, 1);
  }));

Deno.test("maintenance of a damaged repository fails alone and leaves it as it was", () =>
  site(async (place) => {
    const { directory, maintenance } = place;
    const work = await newWorkTree(`${directory}/work`);
    const [first, second] = [someone(), someone()];
    const damaged = await serve(place, first, "damaged", work);
    const sound = await serve(place, second, "sound", work);
    const head = await git(work, "rev-parse", "main^{tree}");
    await git(damaged, "repack", "-adq");
    await makeLoose(damaged, directory);
    await Deno.remove(`${damaged}/objects/${head.slice(0, 2)}/${head.slice(2)}`);
    const before = await countObjects(damaged);
    assert.deepEqual(await maintainGit(maintenance), { repacked: 1, pruned: 0, failed: 1, postponed: false });
    assert.deepEqual(await countObjects(damaged), before);
    assert.deepEqual(await countObjects(sound), { loose: 0, packs: 1 });
  }));

Deno.test("G-60 M-29 a pack of a push that was killed is packed again like any other; one that people keep is not", () =>
  site(async (place) => {
    const { directory, maintenance, repositories } = place;
    const owner = someone();
    const repository = { owner: owner.pubkey, identifier: "kept" };
    const path = await serve(place, owner, "kept", await newWorkTree(`${directory}/work`));
    await git(path, "repack", "-adq");
    await git(path, "update-ref", "refs/heads/more", await looseCommit(path, "more"));
    const pack = async () =>
      (await Array.fromAsync(Deno.readDir(`${path}/objects/pack`)))
        .map(({ name }) => name).find((name) => name.endsWith(".pack"))!;
    const keep = `${path}/objects/pack/${(await pack()).replace(/pack$/, "keep")}`;
    await Deno.writeTextFile(keep, "mine\n");
    await repositories.cleanLeftovers(repository);
    await Deno.stat(keep);
    await Deno.writeTextFile(keep, "receive-pack 4711 on host\n");
    await repositories.cleanLeftovers(repository);
    assert.equal((await maintainGit(maintenance)).repacked, 1);
    assert.deepEqual(await countObjects(path), { loose: 0, packs: 1 });
  }));

Deno.test("a repository that is retired while it is packed is no failure", () =>
  site(async (place) => {
    const { directory, maintenance } = place;
    const path = await serve(place, someone(), "retired", await newWorkTree(`${directory}/work`));
    const git = await createGit({
      binary: await pretendGit(directory, `mv ${path} ${directory}/elsewhere; exit 128`),
      homePath: `${directory}/home`,
      clock: systemClock,
      limits: { maxPushBytes: 0 },
    });
    assert.equal((await maintainGit({ ...maintenance, git })).failed, 0);
  }));

Deno.test("a stop ends maintenance at once and without harm", () =>
  site(async (place) => {
    const { directory, maintenance, stop } = place;
    const path = await serve(place, someone(), "stopped", await looseTree(`${directory}/work`, 2_000));
    const running = maintainGit(maintenance);
    stop.abort();
    assert.equal((await running).failed, 0);
    assert.equal((await tryGit(path, "fsck", "--full")).code, 0);
  }));
