import { createHash } from "node:crypto";
import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import type { NostrEvent } from "../../lib/nostr/mod.ts";
import { announce, newSigner, type Signer } from "../support/keys.ts";
import { retiredRows } from "../support/held.ts";
import { DOMAIN, type Engine, engine, engineIn } from "../support/engine.ts";
import { git } from "../support/git_client.ts";
import { withTempDirectory } from "../support/temp.ts";
import { VirtualClock } from "../support/virtual_clock.ts";
import { accepted, address, remove, served, T } from "./deletion_support.ts";

/** Issues and what is said about them, which hang on a repository in different ways. */
function discussion(owner: Signer, elsewhere: string) {
  const [author, other] = [newSigner(), newSigner()];
  const issue = author.sign({ kind: 1621, tags: [["a", address(owner)]], created_at: T });
  const comment = other.sign({ kind: 1111, tags: [["E", issue.id], ["e", issue.id]], created_at: T + 1 });
  const answer = author.sign({ kind: 1111, tags: [["e", comment.id]], created_at: T + 2 });
  const patch = author.sign({ kind: 1617, tags: [["a", address(owner)]], created_at: T + 3 });
  const shared = author.sign({
    kind: 1621,
    tags: [["a", address(owner)], ["a", elsewhere]],
    created_at: T + 4,
  });
  const status = other.sign({ kind: 1632, tags: [["e", shared.id]], created_at: T + 5 });
  return { own: [issue, comment, answer, patch], shared: [shared, status] };
}

Deno.test("R-86 what hangs on a deleted, withdrawn or expired repository only leaves with it and returns with it", () =>
  engine(async (world) => {
    for (const way of ["deleted", "withdrawn", "expired"]) {
      const other = await served(world);
      const { owner, announcement, repository } = await served(world);
      const { own, shared } = discussion(owner, address(other.owner));
      own.push(owner.sign({ kind: 1111, tags: [["a", address(owner, 30618)]], created_at: T + 6 }));
      for (const event of [...own, ...shared]) await accepted(world, event);
      if (way === "deleted") await accepted(world, remove(owner, [["a", address(owner)]], T + 100));
      else if (way === "withdrawn") {
        await world.submit(announce(owner, "repo", { domain: "elsewhere.example", created_at: T + 100 }));
      } else {
        const soon = Math.floor(world.clock.now() / 1000) + 60;
        const extraTags = [["expiration", String(soon)]];
        await accepted(world, announce(owner, "repo", { domain: DOMAIN, created_at: T + 10, extraTags }));
        world.clock.jump(61_000);
        await world.sweep.expire();
      }
      ok(!await world.isServed(announcement.id) && !await world.repositories.exists(repository));
      for (const { id } of own) ok(!await world.isServed(id), way);
      for (const { id } of shared) ok(await world.isServed(id), way);
      match((await world.submit(own[1]!)).message, /must reference an accepted repository/);
      world.notified.length = 0;
      ok((await world.submit(announce(owner, "repo", { domain: DOMAIN, created_at: T + 2_000 }))).accepted);
      await world.intake.settled();
      for (const { id } of own) ok(await world.isServed(id), way);
      deepStrictEqual(
        world.notified.filter(({ id }) => own.some((event) => event.id === id)).length,
        own.length,
      );
      deepStrictEqual(await retiredRows(world.store, owner.pubkey, "repo"), []);
    }
  }));

Deno.test("what hung on a deleted repository comes back without what its authors deleted meanwhile", () =>
  engine(async (world) => {
    const { owner, announcement } = await served(world);
    const author = newSigner();
    const [kept, taken] = [1, 2].map((n) =>
      author.sign({ kind: 1621, tags: [["a", address(owner)], ["n", String(n)]], created_at: T })
    );
    for (const event of [kept!, taken!]) await accepted(world, event);
    await accepted(world, remove(owner, [["e", announcement.id]]));
    await accepted(world, remove(author, [["e", taken!.id]]));
    await world.submit(announce(owner, "repo", { domain: DOMAIN, created_at: T + 2_000 }));
    await world.intake.settled();
    ok(await world.isServed(kept!.id) && !await world.isServed(taken!.id));
  }));

Deno.test("R-86 what is brought back while the database is busy is tried again", () =>
  engine(async (world) => {
    const { owner, announcement } = await served(world);
    const issue = newSigner().sign({ kind: 1621, tags: [["a", address(owner)]], created_at: T });
    await accepted(world, issue);
    await accepted(world, remove(owner, [["e", announcement.id]]));
    const commit = world.store.commit.bind(world.store);
    let failures = 2;
    world.store.commit = (changes) =>
      changes.insertEvents?.some(({ event }) => event.id === issue.id) && failures-- > 0
        ? Promise.reject(new Error("busy"))
        : commit(changes);
    await world.submit(announce(owner, "repo", { domain: DOMAIN, created_at: T + 2_000 }));
    await world.intake.settled();
    ok(await world.isServed(issue.id));
  }));

/** Puts events into service that nobody will judge again; ids are scattered like real ones. */
function crowdOf(world: Engine) {
  const { pubkey } = newSigner();
  const events: NostrEvent[] = [];
  return {
    add(kind: number, tags: string[][]) {
      const id = createHash("sha256").update(`${pubkey}${events.length}`).digest("hex");
      events.push({ id, pubkey, created_at: T, kind, tags, content: "", sig: "0".repeat(128) });
      return id;
    },
    async store() {
      const count = events.length;
      for (let at = 0; at < count; at += 1_000) {
        const insertEvents = events.slice(at, at + 1_000).map((event) => ({ event }));
        await world.store.commit({ insertEvents });
      }
      return async () => (await world.store.get(events.map(({ id }) => id))).length;
    },
  };
}

Deno.test("R-86 a discussion that only one of its comments ties to another repository stays as a whole", () =>
  engine(async (world) => {
    const other = await served(world);
    const { owner, announcement } = await served(world);
    const [hanging, tied] = [crowdOf(world), crowdOf(world)];
    for (let n = 0; n < 100; n++) {
      const crowd = n === 50 ? tied : hanging;
      const issue = crowd.add(1621, [["a", address(owner)]]);
      for (let m = 0; m < 30; m++) {
        const elsewhere = n === 50 && m === 15 ? [["q", address(other.owner)]] : [];
        crowd.add(1111, [["e", issue], ...elsewhere]);
      }
    }
    const left = [await hanging.store(), await tied.store()];
    await accepted(world, remove(owner, [["e", announcement.id]]));
    await world.sweep.expire();
    deepStrictEqual(await Promise.all(left.map((count) => count())), [0, 31]);
  }));

Deno.test("R-86 of a discussion of thousands all leave, or all stay for the sake of one", () =>
  engine(async (world) => {
    const other = await served(world);
    const { owner, announcement } = await served(world);
    const crowds = [crowdOf(world), crowdOf(world)];
    for (const crowd of crowds) {
      const issue = crowd.add(1621, [["a", address(owner)]]);
      const comment = crowd.add(1111, [["e", issue]]);
      for (let n = 0; n < 2_500; n++) {
        const elsewhere = crowd === crowds[1] && n === 1_000 ? [["q", address(other.owner)]] : [];
        crowd.add(1111, [["e", comment], ...elsewhere]);
      }
    }
    const left = await Promise.all(crowds.map((crowd) => crowd.store()));
    await accepted(world, remove(owner, [["e", announcement.id]]));
    await world.sweep.expire();
    deepStrictEqual(await Promise.all(left.map((count) => count())), [0, 2_502]);
  }));

Deno.test("an owner who withdraws and stays known as maintainer takes nothing along", () =>
  engine(async (world) => {
    const first = await served(world);
    const { owner } = await served(world);
    const trusting = announce(first.owner, "repo", {
      domain: DOMAIN,
      created_at: T + 50,
      maintainers: [owner.pubkey],
    });
    await accepted(world, trusting);
    const { own } = discussion(owner, address(first.owner));
    for (const event of own) await accepted(world, event);
    await accepted(world, announce(owner, "repo", { domain: "elsewhere.example", created_at: T + 100 }));
    for (const { id } of own) ok(await world.isServed(id));
    // The announcement of a maintainer is deleted like any other.
    await accepted(world, remove(owner, [["a", address(owner)]], T + 200));
    for (const { id } of own) ok(!await world.isServed(id));
  }));

Deno.test("R-86 who withdraws, stays known as maintainer, deletes that and returns finds the data of before", () =>
  engine(async (world) => {
    const first = await served(world);
    const { owner, repository, work } = await served(world);
    const own = `refs/nostr/${"ab".repeat(32)}`;
    await git(work, "push", "-q", world.repositories.path(repository), `main:${own}`);
    const maintainers = [owner.pubkey];
    await accepted(world, announce(first.owner, "repo", { domain: DOMAIN, created_at: T + 50, maintainers }));
    await accepted(world, announce(owner, "repo", { domain: "elsewhere.example", created_at: T + 100 }));
    world.clock.jump(1_000);
    await accepted(world, remove(owner, [["a", address(owner)]], T + 200));
    strictEqual((await retiredRows(world.store, owner.pubkey, "repo")).length, 1);
    ok((await world.submit(announce(owner, "repo", { domain: DOMAIN, created_at: T + 300 }))).accepted);
    ok((await world.repositories.readRefs(repository)).refs.has(own));
    deepStrictEqual(await retiredRows(world.store, owner.pubkey, "repo"), []);
  }));

Deno.test("M-24 a crash anywhere between a deletion and the last of many dependents: the next start goes on, both ways", () =>
  withTempDirectory(async (directory) => {
    const clock = new VirtualClock();
    const crowd = newSigner();
    let found: Awaited<ReturnType<typeof served>> | undefined;
    const issues: NostrEvent[] = [];
    const areServed = async (world: Engine) => (await world.store.get(issues.map(({ id }) => id))).length;
    /** Fails the commit after `count` of those `which` is true for. */
    const breakAfter = (world: Engine, count: number, which: "putRetired" | "removeRetired") => {
      const commit = world.store.commit.bind(world.store);
      world.store.commit = (changes) =>
        changes[which]?.length && count-- <= 0 ? Promise.reject(new Error("killed")) : commit(changes);
    };
    await engineIn(directory, clock, async (world) => {
      found = await served(world);
      const { owner } = found;
      for (let n = 0; n < 250; n++) {
        issues.push(
          crowd.sign({ kind: 1621, tags: [["a", address(owner)], ["n", String(n)]], created_at: T }),
        );
        // Each but the first hangs on the one before, too.
        issues.push(crowd.sign({ kind: 1111, tags: [["e", issues.at(-1)!.id]], created_at: T }));
      }
      await world.store.commit({ insertEvents: issues.map((event) => ({ event })) });
      breakAfter(world, 2, "putRetired");
      await accepted(world, remove(owner, [["e", found.announcement.id]]));
      const left = await areServed(world);
      ok(left > 0 && left < issues.length);
    });
    await engineIn(directory, clock, async (world) => {
      await world.sweep.discard();
      await world.sweep.expire();
      strictEqual(await areServed(world), 0);
      const rows = await retiredRows(world.store, found!.owner.pubkey, "repo");
      strictEqual(rows.length, 4);
      ok(rows[0]!.directory.startsWith(".archive/"), "the repository's own row is the latest");
      breakAfter(world, 1, "removeRetired"); // the restored repository's own is the first
      await world.submit(announce(found!.owner, "repo", { domain: DOMAIN, created_at: T + 2_000 }));
      await world.intake.settled();
      ok(await areServed(world) < issues.length);
    });
    await engineIn(directory, clock, async (world) => {
      await world.intake.settled();
      strictEqual(await areServed(world), issues.length);
      deepStrictEqual(await retiredRows(world.store, found!.owner.pubkey, "repo"), []);
    });
  }));
