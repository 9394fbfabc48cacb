import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { DURATION, LIMIT } from "../../lib/policy/mod.ts";
import { announce, declare, newSigner } from "../support/keys.ts";
import { DOMAIN, type Engine, engine, engineIn } from "../support/engine.ts";
import { git, newWorkTree, refsOf } from "../support/git_client.ts";
import { withTempDirectory } from "../support/temp.ts";
import { VirtualClock } from "../support/virtual_clock.ts";

const MINUTE = 60_000;

/** An announced repository, its owner and a work tree with one commit. */
async function waitingRepository({ directory, submit }: Engine, identifier = "repo") {
  const owner = newSigner();
  const work = await newWorkTree(`${directory}/work-${identifier}`);
  const announcement = announce(owner, identifier, { domain: DOMAIN });
  ok((await submit(announcement)).accepted);
  const state = declare(owner, identifier, await refsOf(work), { head: "refs/heads/main" });
  return { owner, work, announcement, state, repository: { owner: owner.pubkey, identifier } };
}

Deno.test("P-11 after 30 minutes without data the directory is gone and the entry is soft", () =>
  engine(async (world) => {
    const { repository } = await waitingRepository(world);
    world.clock.jump(DURATION.announcementMs - 1);
    deepStrictEqual((await world.sweep.expire()).softExpired, 0);
    world.clock.jump(1);
    strictEqual((await world.sweep.expire()).softExpired, 1);
    ok(!await world.repositories.exists(repository));
    deepStrictEqual(await world.store.waitingCounts().then(({ active, soft }) => [active, soft]), [0, 1]);
  }));

Deno.test("P-14 R-66 a state revives a soft-expired announcement: directory back, 30 minutes exactly", () =>
  engine(async (world) => {
    const { repository, state, work, announcement } = await waitingRepository(world);
    world.clock.jump(DURATION.announcementMs);
    await world.sweep.expire();
    world.clock.jump(5 * 60 * MINUTE);
    match((await world.submit(state)).message, /^purgatory:/);
    ok(await world.repositories.exists(repository));
    const { waitingAnnouncements } = await world.store.readIdentifier("repo");
    strictEqual(waitingAnnouncements[0]!.deadlineAt, world.clock.now() + DURATION.announcementMs);
    strictEqual(await world.push(work, repository.owner, "repo", ["refs/heads/main"]), "");
    deepStrictEqual(world.notified.map(({ id }) => id), [announcement.id, state.id]);
  }));

Deno.test("P-13 a state at 29 minutes gives the announcement until minute 59", () =>
  engine(async (world) => {
    const { repository, state } = await waitingRepository(world);
    world.clock.jump(29 * MINUTE);
    await world.submit(state);
    world.clock.jump(2 * MINUTE);
    deepStrictEqual(await world.sweep.expire(), { softExpired: 0, expired: 0, released: 0 });
    ok(await world.repositories.exists(repository));
    const { waitingAnnouncements } = await world.store.readIdentifier("repo");
    strictEqual(waitingAnnouncements[0]!.deadlineAt - world.clock.now(), 28 * MINUTE);
  }));

Deno.test("P-15 24 h after soft expiry the entry is gone; a synced copy is refused, a user's accepted", () =>
  engine(async (world) => {
    const { announcement, repository } = await waitingRepository(world);
    world.clock.jump(DURATION.announcementMs);
    await world.sweep.expire();
    world.clock.jump(DURATION.softExpiredMs);
    strictEqual((await world.sweep.expire()).expired, 1);
    ok(await world.store.isExpired(announcement.id));
    match((await world.sync(announcement)).message, /previously expired from purgatory/);
    ok(!await world.repositories.exists(repository));
    match((await world.submit(announcement)).message, /^purgatory:/);
    ok(!await world.store.isExpired(announcement.id));
  }));

Deno.test("P-40 a state expires after 30 minutes; its synced copy is refused, a user's waits again", () =>
  engine(async (world) => {
    const { state, announcement } = await waitingRepository(world);
    await world.submit(state);
    world.clock.jump(DURATION.stateMs - 1);
    await world.submit(announcement); // the owner renews; the state's window is renewed with it
    world.clock.jump(DURATION.stateMs);
    const result = await world.sweep.expire();
    deepStrictEqual([result.expired, result.softExpired], [1, 1]);
    match((await world.sync(state)).message, /previously expired/);
    match((await world.submit(state)).message, /^purgatory:/);
  }));

Deno.test("P-12 an entry whose directory cannot be removed stays active, a later sweep succeeds", () =>
  engine(async (world) => {
    const { repository } = await waitingRepository(world);
    const done = world.repositories.use(repository);
    world.clock.jump(DURATION.announcementMs);
    strictEqual((await world.sweep.expire()).softExpired, 0);
    ok(await world.repositories.exists(repository));
    done();
    strictEqual((await world.sweep.expire()).softExpired, 1);
  }));

Deno.test("P-17 G-65 a pinned push at the deadline prevents deletion, afterwards the repository is promoted", () =>
  engine(async (world) => {
    const { repository, state, work, announcement } = await waitingRepository(world);
    await world.submit(state);
    const local = (await refsOf(work))["refs/heads/main"]!;
    const commands = [{ ref: "refs/heads/main", oldOid: "0".repeat(40), newOid: local }];
    const decision = await world.gate.authorise(repository, commands);
    ok(decision.ok);
    world.clock.jump(3 * 60 * MINUTE);
    deepStrictEqual(await world.sweep.expire(), { softExpired: 0, expired: 0, released: 0 });
    await git(work, "push", "-q", world.repositories.path(repository), "main");
    await world.gate.settle(decision.grant, commands);
    ok(await world.isServed(announcement.id) && await world.isServed(state.id));
  }));

Deno.test("P-18 a repository with a branch is not deleted by any expiry", () =>
  engine(async (world) => {
    const { repository, work } = await waitingRepository(world);
    await git(work, "push", "-q", world.repositories.path(repository), "main");
    world.clock.jump(DURATION.announcementCapMs);
    await world.sweep.expire();
    ok(await world.repositories.exists(repository));
    strictEqual((await world.store.waitingCounts()).active, 1);
  }));

Deno.test("P-16 states cannot keep an announcement without data longer than 48 h", () =>
  engine(async (world) => {
    const { owner, repository } = await waitingRepository(world);
    for (let hour = 0; hour < 50; hour++) {
      world.clock.jump(29 * MINUTE);
      const oid = hour.toString(16).padStart(40, "a");
      const at = Math.floor(world.clock.now() / 1000);
      await world.submit(declare(owner, "repo", { "refs/heads/main": oid }, { created_at: at }));
      world.clock.jump(29 * MINUTE);
      await world.submit(declare(owner, "repo", { "refs/heads/main": oid }, { created_at: at + 60 }));
      await world.sweep.expire();
    }
    ok(!await world.repositories.exists(repository));
    deepStrictEqual(await world.store.waitingCounts().then(({ active, soft }) => [active, soft]), [0, 0]);
  }));

Deno.test("P-86 P-91 after two hours down, overdue entries live two minutes more, then expire", () =>
  withTempDirectory(async (directory) => {
    const clock = new VirtualClock();
    let state = "";
    await engineIn(directory, clock, async (world) => {
      const waiting = await waitingRepository(world);
      await world.submit(waiting.state);
      state = waiting.state.id;
    });
    clock.jump(100 * MINUTE);
    await engineIn(directory, clock, async (world) => {
      deepStrictEqual(await world.sweep.expire(), { softExpired: 0, expired: 0, released: 0 });
      world.clock.jump(DURATION.restartGraceMs);
      deepStrictEqual(await world.sweep.expire(), { softExpired: 1, expired: 1, released: 0 });
      ok(await world.store.isExpired(state));
    });
  }));

Deno.test("P-92 expired ids are forgotten after seven days", () =>
  engine(async (world) => {
    const { state } = await waitingRepository(world);
    await world.submit(state);
    world.clock.jump(DURATION.stateMs);
    await world.sweep.expire();
    world.clock.jump(DURATION.expiredMemoryMs - 1);
    await world.sweep.prune();
    ok(await world.store.isExpired(state.id));
    world.clock.jump(2);
    await world.sweep.prune();
    ok(!await world.store.isExpired(state.id));
  }));

Deno.test("beyond 20,000 soft-expired announcements the one nearest its deadline expires fully", () =>
  engine(async (world) => {
    const owner = newSigner();
    const event = announce(owner, "repo", { domain: DOMAIN });
    const now = world.clock.now();
    const rows = Array.from({ length: LIMIT.softExpiredAnnouncements + 1 }, (_, number) => {
      const identifier = number === 7 ? "repo" : `repo-${number}`;
      const tags = [["d", identifier]];
      return {
        event: number === 7 ? event : { ...event, id: number.toString(16).padStart(64, "0"), tags },
        owner: owner.pubkey,
        identifier,
        phase: "soft",
        source: "direct",
        firstEnteredAt: now,
        enteredAt: now,
        deadlineAt: number === 7 ? now + 1_000 : now + 2_000,
      } as const;
    });
    await world.store.commit({ putAnnouncements: rows });
    await world.sweep.expire();
    strictEqual((await world.store.waitingCounts()).soft, LIMIT.softExpiredAnnouncements);
    ok(await world.store.isExpired(event.id));
    await world.sweep.expire();
    strictEqual((await world.store.waitingCounts()).soft, LIMIT.softExpiredAnnouncements);
  }));
