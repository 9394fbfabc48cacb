import assert from "node:assert/strict";
import { planRepack, reconcileRepositories, restAfter } from "../../lib/maintenance/mod.ts";
import { newWorkTree } from "../support/git_client.ts";
import { serve, site, someone } from "./support.ts";

const DAY_MS = 86_400_000;
const isThere = (path: string) => Deno.lstat(path).then(() => true, () => false);

Deno.test("how a repository is packed goes by what changed, how much is loose, and when it was last gathered", () => {
  const now = 1_800_000_000_000;
  const shape = (packs: number, loose: number) => ({
    packs: Array.from({ length: packs }, (_, n) => `pack-${n}`),
    cruft: [],
    loose,
    fingerprint: "now",
  });
  const memory = (days: number, fingerprint = "then") => ({ fingerprint, gatheredAt: now - days * DAY_MS });
  assert.equal(planRepack(shape(60, 9_000), memory(99, "now"), now), "none", "unchanged");
  assert.equal(planRepack(shape(0, 0), undefined, now), "none", "nothing in it");
  assert.equal(planRepack(shape(1, 0), undefined, now), "gather", "the first time");
  assert.equal(planRepack(shape(50, 5_000), memory(1), now), "geometric");
  assert.equal(planRepack(shape(51, 0), memory(1), now), "gather");
  assert.equal(planRepack(shape(1, 5_001), memory(1), now), "gather");
  assert.equal(planRepack(shape(1, 0), memory(14), now), "gather");
});

Deno.test("gentle work rests three times as long as it worked, brisk work never", () => {
  assert.equal(restAfter(2_000, "gentle"), 6_000);
  assert.equal(restAfter(86_400_000, "gentle"), 600_000);
  assert.equal(restAfter(2_000, "brisk"), 0);
});

Deno.test("left-overs of killed processes, old trash and notes about what is gone are removed; what is young stays", () =>
  site(async (place) => {
    const { directory, maintenance, repositories, store, clock } = place;
    const owner = someone();
    const path = await serve(place, owner, "tidy", await newWorkTree(`${directory}/work`));
    const age = async (file: string, ms: number) => {
      await Deno.writeTextFile(file, "");
      const time = new Date(clock.now() - ms);
      await Deno.utime(file, time, time);
    };
    await age(`${path}/packed-refs.lock`, 2 * 3_600_000);
    await age(`${path}/refs/heads/young.lock`, 60_000);
    await age(`${path}/objects/pack/.tmp-77-pack-abc.pack`, 0);
    await age(`${path}/objects/pack/tmp_pack_x`, 0);
    const day = (days: number) => new Date(clock.now() - days * DAY_MS).toISOString().slice(0, 10);
    for (const name of [day(0), day(7), day(9), "notes"]) {
      await Deno.mkdir(`${repositories.root}/.trash/${name}`, { recursive: true });
    }
    const gone = { owner: owner.pubkey, identifier: "gone" };
    for (const repository of [gone, { owner: owner.pubkey, identifier: "tidy" }]) {
      await store.putRepositoryNote({ repository, job: "git_fsck", at: 1, ok: false, detail: "broken" });
    }

    const done = repositories.use({ owner: owner.pubkey, identifier: "tidy" });
    await reconcileRepositories(maintenance);
    assert.ok(await isThere(`${path}/packed-refs.lock`), "somebody uses the repository");
    done();
    const result = await reconcileRepositories(maintenance);
    assert.deepEqual([result.repositories, result.failed], [1, 0]);
    for (
      const file of ["packed-refs.lock", "objects/pack/.tmp-77-pack-abc.pack", "objects/pack/tmp_pack_x"]
    ) {
      assert.ok(!await isThere(`${path}/${file}`), file);
    }
    assert.ok(await isThere(`${path}/refs/heads/young.lock`));
    const trash = (await Array.fromAsync(Deno.readDir(`${repositories.root}/.trash`))).map(({ name }) =>
      name
    );
    assert.deepEqual(trash.sort(), [day(0), day(7), "notes"].sort());
    const notes = (await store.repositoryNotes("git_fsck")).map(({ repository }) => repository.identifier);
    assert.deepEqual(notes, ["tidy"]);
  }));
