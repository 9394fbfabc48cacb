import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { type CurationRules, DURATION } from "../../lib/policy/mod.ts";
import { applyBlacklists } from "../../lib/purgatory/mod.ts";
import { retiredRows } from "../support/held.ts";
import { announce, declare, newSigner, type Signer } from "../support/keys.ts";
import { DOMAIN, type Engine, engineIn, type EngineOptions, RETENTION_MS } from "../support/engine.ts";
import { git, newWorkTree, refsOf } from "../support/git_client.ts";
import { withTempDirectory } from "../support/temp.ts";
import { VirtualClock } from "../support/virtual_clock.ts";
import { contributor, offer, propose } from "./contribution_support.ts";

const T = 1_700_000_000;

type Step = (world: Engine) => Promise<void>;

/** One server with changing lists: each step is a run of it on the same data. */
async function runs(
  steps: readonly (readonly [Partial<CurationRules>, Step])[],
  options: EngineOptions = {},
): Promise<void> {
  await withTempDirectory(async (directory) => {
    const clock = new VirtualClock();
    for (const [rules, play] of steps) await engineIn(directory, clock, play, rules, options);
  });
}

const byOwner = (...signers: Signer[]): Partial<CurationRules> => ({
  repositoryBlacklist: signers.map(({ pubkey }) => ({ kind: "owner", pubkey })),
});
const byAuthor = (...signers: Signer[]): Partial<CurationRules> => ({
  eventBlacklist: new Set(signers.map(({ pubkey }) => pubkey)),
});

/** A repository of `owner` with git data and a state. */
async function served(world: Engine, owner: Signer, identifier = "repo", maintainers: string[] = []) {
  const work = await newWorkTree(`${world.directory}/work-${owner.npub.slice(-8)}-${identifier}`);
  const announcement = announce(owner, identifier, { domain: DOMAIN, created_at: T, maintainers });
  match((await world.submit(announcement)).message, /^purgatory:/);
  const state = declare(owner, identifier, await refsOf(work), { head: "refs/heads/main", created_at: T });
  await world.submit(state);
  strictEqual(await world.push(work, owner.pubkey, identifier, ["refs/heads/main"]), "");
  return { work, announcement, state, repository: { owner: owner.pubkey, identifier } };
}

const issue = (author: Signer, owner: Signer, identifier = "repo", more: string[][] = []) =>
  author.sign({
    kind: 1621,
    tags: [["a", `30617:${owner.pubkey}:${identifier}`], ...more],
    created_at: T,
  });
const comment = (author: Signer, id: string, more: string[][] = []) =>
  author.sign({ kind: 1111, tags: [["e", id], ...more], created_at: T });

async function taken(world: Engine, ...events: Parameters<Engine["submit"]>[0][]): Promise<void> {
  for (const event of events) deepStrictEqual((await world.submit(event)).message, "");
}

Deno.test("a repository blacklisted since the last start is retired with what hangs on it, of others nothing", async () => {
  const [alice, bob, carol] = [newSigner(), newSigner(), newSigner()];
  const own = issue(carol, alice);
  const reply = comment(bob, own.id);
  // A reply and what it replies to name each other: a circle that holds nothing.
  const round = comment(carol, reply.id);
  const shared = issue(carol, alice, "repo", [["a", `30617:${bob.pubkey}:repo`]]);
  const repliesToShared = comment(alice, shared.id);
  let a: Awaited<ReturnType<typeof served>>;
  let b: Awaited<ReturnType<typeof served>>;
  let other: Awaited<ReturnType<typeof served>>;
  await runs([
    [{}, async (world) => {
      a = await served(world, alice);
      b = await served(world, bob);
      other = await served(world, bob, "other");
      await taken(world, own, reply, round, shared, repliesToShared, issue(alice, bob, "other"));
    }],
    [byOwner(alice), async (world) => {
      ok(!await world.repositories.exists(a.repository));
      for (const { id } of [a.announcement, a.state, own, reply, round]) ok(!await world.isServed(id));
      for (const { repository, announcement, state } of [b, other]) {
        ok(await world.repositories.exists(repository));
        for (const { id } of [announcement, state]) ok(await world.isServed(id));
      }
      for (const { id } of [shared, repliesToShared]) ok(await world.isServed(id));
      const rows = await retiredRows(world.store, alice.pubkey, "repo");
      deepStrictEqual(rows.map(({ reason }) => reason), ["operator", "operator"]);
      match(rows[0]!.directory, /^\.archive\/npub1/);
      deepStrictEqual(rows[0]!.events.map(({ id }) => id), [a.announcement.id, a.state.id]);
      deepStrictEqual(rows[1]!.events.map(({ id }) => id).sort(), [own.id, reply.id, round.id].sort());
      await git(`${world.directory}/git/${rows[0]!.directory}`, "rev-parse", "refs/heads/main");
    }],
    [byOwner(alice), async (world) => {
      // Another start finds nothing more to do.
      strictEqual((await retiredRows(world.store, alice.pubkey, "repo")).length, 2);
      const again = await applyBlacklists(
        { ...world.parts, listContributions: () => world.repositories.contributions() },
        world.locks,
      );
      deepStrictEqual(again, { retired: 0, dropped: 0, hidden: 0, failed: 0 });
      // Neither the same nor a fresh announcement, nor other relays, bring it back.
      const fresh = announce(alice, "repo", { domain: DOMAIN, created_at: T + 10 });
      for (const event of [a.announcement, fresh]) {
        match((await world.submit(event)).message, /^blocked: Repository owner npub1\w+ is blacklisted$/);
        match((await world.sync(event)).message, /^blocked: /);
      }
      match((await world.submit(a.state)).message, /^blocked: Repository owner npub1\w+ is blacklisted$/);
      match((await world.submit(own)).message, /^blocked: Event event must reference/);
      ok(!await world.repositories.exists(a.repository));
      world.clock.jump(RETENTION_MS + 1_000);
      strictEqual(await world.sweep.discard(), 2);
      deepStrictEqual(await retiredRows(world.store, alice.pubkey, "repo"), []);
      deepStrictEqual(
        (await Array.fromAsync(Deno.readDir(`${world.directory}/git/.archive/${alice.npub}`))).length,
        0,
      );
    }],
  ]);
});

Deno.test("off the list again, the held announcement brings repository, states and issues back", async () => {
  const alice = newSigner();
  let a: Awaited<ReturnType<typeof served>>;
  const own = issue(newSigner(), alice);
  await runs([
    [{}, async (world) => {
      a = await served(world, alice);
      await taken(world, own);
    }],
    [byOwner(alice), async (world) => ok(!await world.isServed(a.announcement.id))],
    [{}, async (world) => {
      ok(!await world.isServed(a.announcement.id), "nothing comes back by itself");
      const held = (await retiredRows(world.store, alice.pubkey, "repo")).flatMap(({ events }) => events);
      for (const event of held) await world.intake.admit(event, "import");
      ok(await world.repositories.exists(a.repository));
      for (const { id } of [a.announcement, a.state, own]) ok(await world.isServed(id));
      deepStrictEqual(
        (await world.repositories.readRefs(a.repository)).refs.get("refs/heads/main"),
        (await refsOf(a.work))["refs/heads/main"],
      );
    }],
  ]);
});

Deno.test("a blacklisted author's events are hidden in portions and held, repositories retired", async () => {
  const [alice, bob] = [newSigner(), newSigner()];
  let b: Awaited<ReturnType<typeof served>>;
  let a: Awaited<ReturnType<typeof served>>;
  const issues = Array.from(
    { length: 1_100 },
    (_, index) => issue(alice, bob, "repo", [["n", String(index)]]),
  );
  await runs([
    [{}, async (world) => {
      b = await served(world, bob, "repo", [alice.pubkey]);
      a = await served(world, alice, "mine");
      await world.store.commit({ insertEvents: issues.map((event) => ({ event })) });
      await taken(world, alice.sign({ kind: 5, tags: [["e", "ab".repeat(32)]], created_at: T }));
    }],
    [byAuthor(alice), async (world) => {
      strictEqual(await world.store.count([{ authors: [alice.pubkey], tags: new Map() }]), 0);
      ok(await world.isServed(b.announcement.id));
      ok(await world.isServed(b.state.id));
      ok(!await world.repositories.exists(a.repository));
      const held = (await retiredRows(world.store, alice.pubkey, "")).flatMap(({ events }) => events);
      strictEqual(held.length, 1_101);
      const events = (await retiredRows(world.store, alice.pubkey, "mine")).flatMap(({ events }) => events);
      deepStrictEqual(events.map(({ id }) => id), [a.announcement.id, a.state.id]);
    }],
    [{}, async (world) => {
      const held = (await retiredRows(world.store, alice.pubkey, "")).flatMap(({ events }) => events);
      for (const event of held.slice(0, 5)) await world.intake.admit(event, "import");
      strictEqual(await world.store.count([{ authors: [alice.pubkey], tags: new Map() }]), 5);
    }],
  ]);
});

Deno.test("purgatory lets go of blacklisted announcements, states and pull requests", async () => {
  const [alice, bob, carol] = [newSigner(), newSigner(), newSigner()];
  const waiting = announce(alice, "repo", { domain: DOMAIN, created_at: T, maintainers: [carol.pubkey] });
  const kept = announce(bob, "repo", { domain: DOMAIN, created_at: T });
  const state = (author: Signer) =>
    declare(author, "repo", { "refs/heads/main": "1".repeat(40) }, { created_at: T });
  const pull = (author: Signer, owner: Signer) =>
    author.sign({
      kind: 1618,
      tags: [["a", `30617:${owner.pubkey}:repo`], ["c", "2".repeat(40)]],
      created_at: T,
    });
  let b: Awaited<ReturnType<typeof served>>;
  const forBob = pull(carol, bob);
  await runs([
    [{}, async (world) => {
      b = await served(world, bob, "other");
      for (const event of [waiting, kept]) await world.submit(event);
      for (const author of [alice, bob, carol]) await world.submit(state(author));
      for (const event of [forBob, pull(alice, bob), pull(bob, alice)]) {
        const { targets } = { targets: [{ owner: event.tags[0]![1]!.split(":")[1]!, identifier: "repo" }] };
        const times = { firstEnteredAt: 0, enteredAt: 0, deadlineAt: world.clock.now() + 1_000_000 };
        await world.store.commit({
          putPullRequests: [{ event, commit: "2".repeat(40), targets, source: "direct", ...times }],
        });
      }
    }],
    [{ ...byOwner(alice), ...byAuthor(alice) }, async (world) => {
      const { active, states, pullRequests } = await world.store.waitingCounts();
      deepStrictEqual([active, states, pullRequests], [1, 1, 1]);
      ok(!await world.repositories.exists({ owner: alice.pubkey, identifier: "repo" }));
      ok(await world.repositories.exists({ owner: bob.pubkey, identifier: "repo" }));
      ok(await world.store.waitingEvent(kept.id));
      ok(await world.store.waitingEvent(forBob.id));
      ok(await world.isServed(b.announcement.id));
    }],
  ]);
});

Deno.test("contributions to a blacklisted repository, and of a blacklisted contributor, are held back", async () => {
  const [alice, bob, mallory] = [newSigner(), newSigner(), newSigner()];
  const unknown = newSigner();
  const ids: Record<string, string> = {};
  const on = { contributions: {} };
  const place = (owner: Signer) => ({ space: "prs" as const, owner: owner.pubkey, identifier: "repo" });
  let carol: Signer;
  let dave: Signer;
  await runs([
    [{}, async (world) => {
      await served(world, alice);
      await served(world, bob);
      const found = await contributor(world.directory);
      carol = found.signer;
      const toAlice = propose(found.signer, found.commit, { owners: [alice] });
      const theirs = await contributor(world.directory, "other");
      const toBob = propose(mallory, theirs.commit, { owners: [bob] });
      // The repository it is for is on another server; only its identifier is known here.
      const third = await contributor(world.directory, "third");
      dave = third.signer;
      const elsewhere = propose(dave, third.commit, { owners: [unknown] });
      await offer(world, third.work, place(dave), elsewhere.id, third.commit);
      await offer(world, found.work, place(carol), toAlice.id, found.commit);
      await offer(world, theirs.work, place(mallory), toBob.id, theirs.commit);
      await taken(world, toAlice, toBob, elsewhere);
      Object.assign(ids, { toAlice: toAlice.id, toBob: toBob.id, elsewhere: elsewhere.id });
    }],
    [{ ...byOwner(alice, unknown), ...byAuthor(mallory) }, async (world) => {
      for (const signer of [carol, mallory, dave]) {
        ok(!await world.repositories.exists(place(signer)));
        const [row] = (await retiredRows(world.store, signer.pubkey, "")).filter(({ directory }) =>
          directory !== ""
        );
        match(row!.directory, /^\.archive\/npub1\w+\/prs-repo-\d+$/);
        await Deno.stat(`${world.directory}/git/${row!.directory}/HEAD`);
      }
      for (const id of Object.values(ids)) ok(!await world.isServed(id));
    }],
    [{}, async (world) => {
      const [row] = (await retiredRows(world.store, dave.pubkey, "")).filter(({ directory }) =>
        directory !== ""
      );
      const note = await Deno.readTextFile(`${world.directory}/git/${row!.directory}.json`);
      strictEqual(JSON.parse(note).coordinate, `prs/${dave.pubkey}/repo`);
      await Deno.mkdir(`${world.directory}/git/prs/${dave.pubkey}`, { recursive: true });
      await Deno.rename(`${world.directory}/git/${row!.directory}`, world.repositories.path(place(dave)));
      const held = (await retiredRows(world.store, unknown.pubkey, "repo")).flatMap(({ events }) => events);
      deepStrictEqual(held.map(({ id }) => id), [ids.elsewhere]);
      await world.intake.admit(held[0], "import");
      ok(await world.isServed(ids.elsewhere!));
      world.clock.jump(RETENTION_MS + 1_000);
      await world.sweep.discard();
      for (const signer of [carol, mallory, dave]) {
        const left = await Array.fromAsync(Deno.readDir(`${world.directory}/git/.archive/${signer.npub}`));
        deepStrictEqual(left, []);
      }
      ok(await world.repositories.exists(place(dave)));
    }],
  ], on);
});

Deno.test("thousands of events that hang on a repository leave, with what is far away from it", async () => {
  const [alice, bob] = [newSigner(), newSigner()];
  let number = 0;
  const linked = (tags: string[][]) => ({
    id: (++number).toString(16).padStart(64, "0"),
    pubkey: bob.pubkey,
    created_at: T,
    kind: 1111,
    tags,
    content: "",
    sig: "0".repeat(128),
  });
  const roots = Array.from({ length: 1_500 }, () => linked([["a", `30617:${alice.pubkey}:repo`]]));
  const replies = roots.flatMap(({ id }) => [linked([["e", id]]), linked([["E", id]])]);
  const chain = [roots[0]!];
  while (chain.length < 60) chain.push(linked([["q", chain.at(-1)!.id]]));
  const kept = linked([["e", replies[5]!.id], ["a", `30617:${bob.pubkey}:other`]]);
  await runs([
    [{}, async (world) => {
      await served(world, alice);
      await served(world, bob, "other");
      const events = [...roots, ...replies, ...chain.slice(1), kept];
      await world.store.commit({ insertEvents: events.map((event) => ({ event })) });
    }],
    [byOwner(alice), async (world) => {
      const left = await world.store.items({ kinds: [1111], tags: new Map() }, Infinity);
      // It stands by its other link, and holds what it answers, and what that answers.
      const expected = [kept.id, replies[5]!.id, replies[4]!.id, roots[2]!.id];
      deepStrictEqual(left!.map(({ id }) => id).sort(), expected.sort());
    }],
  ]);
});

Deno.test("the directory that a crash left of a soft-expired announcement goes at the next start", async () => {
  const alice = newSigner();
  const repository = { owner: alice.pubkey, identifier: "repo" };
  await runs([
    [{}, async (world) => {
      await world.submit(announce(alice, "repo", { domain: DOMAIN, created_at: T }));
      world.clock.jump(DURATION.announcementMs);
      strictEqual((await world.sweep.expire()).softExpired, 1);
      await world.repositories.ensure(repository);
    }],
    [{}, async (world) => {
      ok(!await world.repositories.exists(repository));
      strictEqual((await world.store.waitingCounts()).soft, 1);
    }],
  ]);
});
