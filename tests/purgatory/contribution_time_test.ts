import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import type { NostrEvent } from "../../lib/nostr/mod.ts";
import { ContributionUsage, PushRate } from "../../lib/purgatory/mod.ts";
import { newSigner } from "../support/keys.ts";
import { type Engine, engineIn, type EngineOptions } from "../support/engine.ts";
import { git } from "../support/git_client.ts";
import { withTempDirectory } from "../support/temp.ts";
import { VirtualClock } from "../support/virtual_clock.ts";
import {
  contributing,
  contributor,
  host,
  namesIn,
  offer,
  placeOf,
  propose,
  refOf,
} from "./contribution_support.ts";

const TTL = 1_200_000;
const ID = "ab".repeat(32);

Deno.test("X-29 P-47 an unclaimed ref and its repository go when their time is up; a claimed one stays", () =>
  contributing(async (world, { signer, work, commit }) => {
    const claimed = propose(signer, commit);
    await offer(world, work, placeOf(signer), claimed.id, commit);
    await world.submit(claimed);
    await offer(world, work, placeOf(signer), ID, commit);
    await offer(world, work, placeOf(signer, "other"), "cd".repeat(32), commit);
    world.clock.jump(TTL - 1);
    await world.sweep.expire();
    strictEqual(await refOf(world, placeOf(signer), ID), commit);
    world.clock.jump(1);
    await world.sweep.expire();
    strictEqual(await refOf(world, placeOf(signer), ID), undefined);
    strictEqual(await refOf(world, placeOf(signer), claimed.id), commit);
    ok(!await world.repositories.exists(placeOf(signer, "other")));
    strictEqual((await world.store.waitingCounts()).placeholders, 0);
    deepStrictEqual(await namesIn(`${world.directory}/git/prs/${signer.pubkey}`), ["repo.git"]);
  }));

Deno.test("X-29 another push to the same id starts its time again and replaces its commit", () =>
  contributing(async (world, { signer, work, base, commit }) => {
    await offer(world, work, placeOf(signer), ID, commit);
    world.clock.jump(TTL - 1);
    await offer(world, work, placeOf(signer), ID, base);
    world.clock.jump(TTL - 1);
    await world.sweep.expire();
    strictEqual(await refOf(world, placeOf(signer), ID), base);
    strictEqual((await world.store.placeholder(ID))?.commit, base);
  }));

Deno.test("X-33 while somebody reads or pushes, clean-up leaves the directory; later the sweep removes it", () =>
  contributing(async (world, { signer, work, commit }) => {
    const place = placeOf(signer);
    await offer(world, work, place, ID, commit);
    const reader = world.repositories.use(place);
    world.clock.jump(TTL);
    await world.sweep.expire();
    strictEqual(await refOf(world, place, ID), undefined);
    ok(await world.repositories.exists(place));
    reader();
    await world.contributions!.released(place);
    ok(!await world.repositories.exists(place));

    const pr = propose(signer, "1".repeat(40));
    await offer(world, work, place, pr.id, commit);
    const other = world.repositories.use(place);
    match((await world.submit(pr)).message, /^purgatory:/);
    ok(await world.repositories.exists(place));
    other();
    await world.sweep.expire();
    ok(!await world.repositories.exists(place));
  }));

Deno.test("X-33 expiry waits for a push of the same ref that is not settled yet", () =>
  contributing(async (world, { signer, work, base, commit }) => {
    await offer(world, work, placeOf(signer), ID, commit);
    await offer(world, work, placeOf(signer), ID, base, async () => {
      world.clock.jump(TTL);
      await world.sweep.expire();
      strictEqual(await refOf(world, placeOf(signer), ID), base);
    });
    strictEqual((await world.store.placeholder(ID))?.commit, base);
    strictEqual(await refOf(world, placeOf(signer), ID), base);
  }));

/** Plays scenes one after the other on the same data, each with an engine of its own. */
async function restarts(
  options: readonly EngineOptions[],
  ...scenes: readonly ((world: Engine) => Promise<void>)[]
): Promise<void> {
  await withTempDirectory(async (directory) => {
    const clock = new VirtualClock();
    for (const [index, scene] of scenes.entries()) {
      await engineIn(directory, clock, scene, {}, options[index] ?? options.at(-1)!);
    }
  });
}

const ON: EngineOptions = { contributions: {} };

Deno.test("X-30 after a restart a placeholder still meets its event, or its end", async () => {
  let pr: NostrEvent | undefined;
  const place = placeOf(newSigner());
  await restarts(
    [ON],
    async (world) => {
      const { signer, work, commit } = await contributor(world.directory);
      pr = propose(signer, commit);
      strictEqual(await offer(world, work, placeOf(signer), pr.id, commit), "");
      strictEqual(await offer(world, work, place, ID, commit), "");
    },
    async (world) => {
      strictEqual((await world.submit(pr!)).message, "");
      ok(await world.repositories.exists(place));
      world.clock.jump(TTL);
      await world.sweep.expire();
      ok(!await world.repositories.exists(place));
      ok(await world.repositories.exists(placeOf(pr!)));
    },
  );
});

Deno.test("X-30 commits that arrived just before a crash are served at start, and copied", async () => {
  let pr: NostrEvent | undefined;
  const owner = newSigner();
  await restarts([ON], async (world) => {
    const { signer, work, base, commit } = await contributor(world.directory);
    await host(world, owner, { work, base });
    pr = propose(signer, commit, { owners: [owner] });
    match((await world.submit(pr)).message, /^purgatory:/);
    const place = placeOf(signer);
    const commands = [{ ref: `refs/nostr/${pr.id}`, oldOid: "0".repeat(40), newOid: commit }];
    ok((await world.contributions!.authorise(place, commands)).ok);
    await git(work, "push", "-q", world.repositories.path(place), `${commit}:refs/nostr/${pr.id}`);
  }, async (world) => {
    ok(await world.isServed(pr!.id));
    ok(await refOf(world, { owner: owner.pubkey, identifier: "repo" }, pr!.id));
  });
});

Deno.test("X-30 a wrong push cut short by a crash takes nothing from a served pull request", async () => {
  const signer = newSigner();
  const made: { id: string; commit: string }[] = [];
  await restarts(
    [ON],
    async (world) => {
      const { work, base, commit } = await contributor(world.directory);
      const pr = propose(signer, commit);
      await offer(world, work, placeOf(signer), pr.id, commit);
      strictEqual((await world.submit(pr)).message, "");
      const path = world.repositories.path(placeOf(signer));
      await git(work, "push", "-q", "--force", path, `${base}:refs/nostr/${pr.id}`);
      made.push({ id: pr.id, commit });
    },
    async (world) => {
      for (const { id, commit } of made) strictEqual(await refOf(world, placeOf(signer), id), commit);
    },
  );
});

Deno.test("X-31 a start removes empty repositories and folders and refs nobody claimed, and leaves foreign names", async () => {
  const [fresh, old, empty] = [newSigner(), newSigner(), newSigner()];
  let tip = "";
  let clock = 0;
  await restarts([ON], async (world) => {
    const { work, commit } = await contributor(world.directory);
    tip = commit;
    clock = world.clock.now();
    for (const [signer, age] of [[fresh, 0], [old, TTL]] as const) {
      const place = placeOf(signer);
      await world.repositories.ensure(place);
      const path = world.repositories.path(place);
      await git(work, "push", "-q", path, `${commit}:refs/nostr/${ID}`);
      await Deno.utime(`${path}/refs/nostr/${ID}`, (clock - age) / 1000, (clock - age) / 1000);
    }
    await world.repositories.ensure(placeOf(empty));
    const prs = `${world.directory}/git/prs`;
    await Deno.mkdir(`${prs}/${"12".repeat(32)}`);
    await Deno.mkdir(`${prs}/${fresh.pubkey}/.new-${"ab".repeat(16)}`);
    for (const foreign of ["lost+found", fresh.npub, `${fresh.pubkey}/notes`]) {
      await Deno.mkdir(`${prs}/${foreign}`);
    }
    await Deno.writeTextFile(`${prs}/README`, "mine");
  }, async (world) => {
    const prs = `${world.directory}/git/prs`;
    deepStrictEqual(await namesIn(prs), ["README", fresh.pubkey, "lost+found", fresh.npub].sort());
    deepStrictEqual(await namesIn(`${prs}/${fresh.pubkey}`), ["notes", "repo.git"]);
    strictEqual(await refOf(world, placeOf(fresh), ID), tip);
    strictEqual((await world.store.placeholder(ID))?.deadlineAt, clock + TTL);
    strictEqual(world.repositories.contributionCount, 1);
  });
});

Deno.test("X-31 switched off, nothing below /prs/ is looked at or deleted, also when its time is up", async () => {
  const signer = newSigner();
  await restarts(
    [ON, {}, {}, ON],
    async (world) => {
      const { work, commit } = await contributor(world.directory);
      await offer(world, work, placeOf(signer), ID, commit);
      await world.repositories.ensure(placeOf(signer, "empty"));
    },
    async (world) => {
      strictEqual(world.repositories.contributionCount, 0);
      world.clock.jump(TTL);
      await world.sweep.expire();
      ok(await refOf(world, placeOf(signer), ID));
      ok(await world.repositories.exists(placeOf(signer, "empty")));
    },
    async (world) => ok(await refOf(world, placeOf(signer), ID)),
    async (world) => {
      ok(!await world.repositories.exists(placeOf(signer, "empty")));
      ok(!await world.repositories.exists(placeOf(signer)));
    },
  );
});

Deno.test("X-31 switched off, an event leaves the ref pushed for its id below /prs/ alone", async () => {
  const signer = newSigner();
  const owner = newSigner();
  const held: NostrEvent[] = [];
  await restarts(
    [ON, {}],
    async (world) => {
      const maker = await contributor(world.directory);
      await host(world, owner, maker);
      const pr = propose(signer, maker.commit, { owners: [owner] });
      await offer(world, maker.work, placeOf(signer), pr.id, maker.commit);
      held.push(pr);
    },
    async (world) => {
      const [pr] = held;
      match((await world.submit(pr!)).message, /^purgatory:/);
      ok(await refOf(world, placeOf(signer), pr!.id));
    },
  );
});

Deno.test("X-37 caps on all and on one submitter's data refuse the next push, and expiry makes room", () =>
  contributing(async (world, { signer, work, commit }) => {
    strictEqual(await offer(world, work, placeOf(signer), ID, commit), "");
    const refusal = await offer(world, work, placeOf(signer, "x"), "cd".repeat(32), commit);
    match(refusal, /^GRASP-06: the storage for contributions of this submitter is full/);
    deepStrictEqual(await namesIn(`${world.directory}/git/prs/${signer.pubkey}`), ["repo.git"]);
    const second = newSigner();
    strictEqual(await offer(world, work, placeOf(second), "cd".repeat(32), commit), "");
    match(
      await offer(world, work, placeOf(newSigner()), "ef".repeat(32), commit),
      /^GRASP-06: the storage for contributions is full/,
    );
    world.clock.jump(TTL);
    await world.sweep.expire();
    strictEqual(await offer(world, work, placeOf(signer, "x"), "cd".repeat(32), commit), "");
  }, { maxBytesPerSubmitter: 100, maxTotalBytes: 1_000 }));

Deno.test("the room that is left bounds a push, and the sums follow repositories that come and go", async () => {
  const sizes = new Map([["a", 30], ["b", 50]]);
  const usage = new ContributionUsage(
    { maxTotalBytes: 100, maxBytesPerSubmitter: 60 },
    ({ identifier }) => Promise.resolve(sizes.get(identifier) ?? 0),
  );
  const place = (owner: string, identifier: string) => ({ space: "prs", owner, identifier }) as const;
  deepStrictEqual(usage.room("x"), { left: 60 });
  await usage.update(place("x", "a"));
  await usage.update(place("y", "b"));
  deepStrictEqual([usage.room("x"), usage.room("y"), usage.room("z")], [
    { left: 20 },
    { left: 10 },
    { left: 20 },
  ]);
  sizes.set("b", 70);
  await usage.update(place("y", "b"));
  ok("problem" in usage.room("z"));
  sizes.delete("b");
  await usage.update(place("y", "b"));
  deepStrictEqual(usage.room("x"), { left: 30 });
});

Deno.test("X-37 pushes are counted for each client and minute, and clients are forgotten", async () => {
  const clock = new VirtualClock();
  const rate = new PushRate(() => 2, clock);
  deepStrictEqual([rate.take("a"), rate.take("a"), rate.take("a"), rate.take("b")], [
    true,
    true,
    false,
    true,
  ]);
  await clock.advance(60_000);
  ok(rate.take("a"));
  for (let n = 0; n < 20_000; n++) rate.take(`client ${n}`);
  ok(rate.size <= 10_001);
});
