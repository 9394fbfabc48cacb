import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { createVerifier } from "../../lib/nostr/mod.ts";
import { DURATION, LIMIT } from "../../lib/policy/mod.ts";
import { importLegacyFile, importLegacyState, startPurgatory } from "../../lib/purgatory/mod.ts";
import { openStore } from "../../lib/store/mod.ts";
import { LineLog } from "../store/fixtures.ts";
import { DOMAIN, type Engine, engine } from "../support/engine.ts";
import { git, newWorkTree, refsOf } from "../support/git_client.ts";
import { announce, declare, newSigner, type Signer } from "../support/keys.ts";
import {
  DAMAGED_FILES,
  legacyAnnouncement,
  legacyPullRequest,
  legacyState,
  purgatoryState,
} from "../support/legacy_files.ts";
import { withTempDirectory } from "../support/temp.ts";

const MINUTE = 60_000;
const OID = "1".repeat(40);

/** The file in the git data directory of `world`. */
const pathIn = ({ directory }: Engine) => `${directory}/git/purgatory-state.json`;

/** Imports `text` as a start does; the lines logged. */
async function importing(world: Engine, text: string | Uint8Array | undefined): Promise<string[]> {
  const log = new LineLog();
  const verifier = createVerifier({ workers: 0, log });
  if (typeof text === "string") await Deno.writeTextFile(pathIn(world), text);
  else if (text) await Deno.writeFile(pathIn(world), text);
  const gitDataPath = `${world.directory}/git`;
  await importLegacyState({ ...world.parts, log, locks: world.locks, verifier, gitDataPath });
  verifier.close();
  await startPurgatory(world.parts, world.locks);
  return log.lines;
}

/** The files of that name, whatever they are renamed to. */
async function filesIn(world: Engine): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of Deno.readDir(`${world.directory}/git`)) {
    if (name.startsWith("purgatory-state")) names.push(name);
  }
  return names;
}

/** A pull request (kind 1618) to a repository of `owner`. */
function propose(author: Signer, owner: Signer, commit: string, identifier = "repo") {
  return author.sign({ kind: 1618, tags: [["a", `30617:${owner.pubkey}:${identifier}`], ["c", commit]] });
}

Deno.test("P-90 a legacy file is imported once: everything waits as before, downtime counted, and a push releases it", () =>
  engine(async (world) => {
    const { clock, store, directory } = world;
    const owner = newSigner();
    const work = await newWorkTree(`${directory}/work`);
    const announcement = announce(owner, "repo", { domain: DOMAIN });
    const state = declare(owner, "repo", await refsOf(work), { head: "refs/heads/main" });
    const pullRequest = propose(newSigner(), owner, OID);
    const gone = "e".repeat(64);
    const savedAt = clock.now() - 10 * MINUTE;
    const lines = await importing(
      world,
      purgatoryState(savedAt, {
        announcements: [legacyAnnouncement(announcement)],
        states: { repo: [legacyState(state, "Sync")] },
        pullRequests: { [pullRequest.id]: legacyPullRequest(pullRequest, OID) },
        expired: { [gone]: savedAt },
      }),
    );
    match(
      lines.join(),
      /^info file of the Rust ngit-grasp imported .*"announcements":1,"states":1,"pull_requests":1/,
    );
    deepStrictEqual(await filesIn(world), ["purgatory-state.json.imported"]);
    const rows = await store.readIdentifier("repo");
    const deadlineAt = savedAt + 20 * MINUTE;
    const times = { firstEnteredAt: savedAt, enteredAt: savedAt, deadlineAt };
    const [waiting] = rows.waitingAnnouncements;
    deepStrictEqual(waiting, {
      event: announcement,
      owner: owner.pubkey,
      identifier: "repo",
      phase: "active",
      source: "direct",
      ...times,
    });
    deepStrictEqual(rows.waitingStates, [
      { event: state, author: owner.pubkey, identifier: "repo", source: "sync", ...times },
    ]);
    deepStrictEqual(rows.waitingPullRequests, [{
      event: pullRequest,
      commit: OID,
      targets: [{ owner: owner.pubkey, identifier: "repo" }],
      source: "direct",
      ...times,
    }]);
    ok(await store.isExpired(gone));
    strictEqual(await world.push(work, owner.pubkey, "repo", ["refs/heads/main"]), "");
    deepStrictEqual(world.notified.map(({ id }) => id), [announcement.id, state.id]);
    deepStrictEqual(await importing(world, undefined), []);
  }));

Deno.test("P-86 P-91 M-25 imported deadlines: overdue entries get 2 minutes, none has more than its full time", () =>
  engine(async (world) => {
    const { clock, store } = world;
    const owner = newSigner();
    const entries = (identifier: string, left: number) => ({
      announcements: [legacyAnnouncement(announce(owner, identifier, { domain: DOMAIN }), left)],
      states: {
        [identifier]: [legacyState(declare(owner, identifier, { "refs/heads/main": OID }), "Direct", left)],
      },
    });
    const deadlines = async (identifier: string) => {
      const { waitingAnnouncements, waitingStates } = await store.readIdentifier(identifier);
      return [...waitingAnnouncements, ...waitingStates].map(({ deadlineAt }) => deadlineAt - clock.now());
    };
    await importing(world, purgatoryState(clock.now() - 65 * MINUTE, entries("overdue", 1_200)));
    deepStrictEqual(await deadlines("overdue"), [2 * MINUTE, 2 * MINUTE]);
    await importing(world, purgatoryState(clock.now() + 1_440 * MINUTE, entries("tomorrow", 1_200)));
    deepStrictEqual(await deadlines("tomorrow"), [30 * MINUTE, 30 * MINUTE]);
    await importing(world, purgatoryState(clock.now(), entries("forever", 2 ** 63)));
    deepStrictEqual(await deadlines("forever"), [30 * MINUTE, 30 * MINUTE]);
    await importing(world, purgatoryState(clock.now() - 3 * 1_440 * MINUTE, entries("stale", 1_200)));
    ok((await deadlines("stale")).every((left) => left < 0));
  }));

Deno.test("P-90 rows that are here already win over those of a legacy file", () =>
  engine(async (world) => {
    const { clock, store, submit } = world;
    const owner = newSigner();
    const at = Math.floor(clock.now() / 1000);
    const announcement = announce(owner, "repo", { domain: DOMAIN, created_at: at });
    const state = declare(owner, "repo", { "refs/heads/main": OID }, { created_at: at });
    const deleted = declare(owner, "repo", { "refs/heads/main": OID }, { created_at: at - 1 });
    await submit(announcement);
    await submit(state);
    await submit(owner.sign({ kind: 5, tags: [["e", deleted.id]], created_at: at }));
    await store.commit({ putTombstones: [{ type: "id", id: deleted.id, pubkey: owner.pubkey }] });
    const before = await store.readIdentifier("repo");
    const other = announce(owner, "repo", { domain: DOMAIN, created_at: at + 1 });
    const [line] = await importing(
      world,
      purgatoryState(clock.now(), {
        announcements: [legacyAnnouncement(other, 600)],
        states: { repo: [legacyState(state, "Sync", 600), legacyState(deleted, "Sync", 600)] },
        expired: { [state.id]: clock.now() },
      }),
    );
    match(line!, /"announcements":0,"states":0,"pull_requests":0,"placeholders":0,"expired_ids":0/);
    deepStrictEqual(await store.readIdentifier("repo"), before);
    ok(!await store.isExpired(state.id));
  }));

Deno.test("P-90 a damaged entry of a legacy file is left out and counted, the others are imported", () =>
  engine(async (world) => {
    const owner = newSigner();
    const stranger = newSigner();
    const announcement = announce(owner, "repo", { domain: DOMAIN });
    const [key, entry] = legacyAnnouncement(announcement);
    const state = declare(owner, "repo", { "refs/heads/main": OID });
    const forged = { ...state, sig: "0".repeat(128) };
    const altered = { ...state, content: "altered" };
    const pullRequest = propose(stranger, owner, OID);
    const foreign = owner.sign({ kind: 1, tags: [["d", "repo"]] });
    const bad = [
      forged,
      altered,
      foreign,
      announcement,
    ].map((event) => legacyState(event));
    const [line] = await importing(
      world,
      purgatoryState(world.clock.now(), {
        announcements: [
          [key, entry],
          [`${stranger.pubkey}:repo`, entry],
          [`${owner.pubkey}:other`, { ...entry, identifier: "other" }],
          ["x", null as unknown as object],
        ],
        states: {
          repo: [
            ...bad,
            { ...legacyState(state), author: stranger.pubkey },
            { ...legacyState(state), source: "Elsewhere" },
            { ...legacyState(state), expires_at_offset_secs: -1 },
            legacyState(state),
          ],
          other: [legacyState(state)],
          nothing: "x" as unknown as object[],
        },
        pullRequests: {
          [pullRequest.id]: legacyPullRequest(pullRequest, OID),
          ["a".repeat(64)]: legacyPullRequest(pullRequest, OID),
          [foreign.id]: legacyPullRequest(foreign, OID),
          ["b".repeat(64)]: legacyPullRequest(null, "no commit"),
        },
        expired: { short: 1 },
      }),
    );
    match(line!, /"announcements":1,"states":1,"pull_requests":1,.*"damaged":16,"surplus":0/);
    const rows = await world.store.readIdentifier("repo");
    deepStrictEqual(rows.waitingStates.map(({ event }) => event), [state]);
    deepStrictEqual(rows.waitingStates.map(({ source }) => source), ["direct"]);
    deepStrictEqual(await filesIn(world), ["purgatory-state.json.imported"]);
  }));

for (const [what, content] of DAMAGED_FILES) {
  Deno.test(`P-90 S-108 M-25 a damaged legacy file (${what}) is renamed with a warning and does not prevent start`, () =>
    engine(async (world) => {
      const lines = await importing(world, content);
      strictEqual(lines.length, 1);
      match(lines[0]!, /^warn file of the Rust ngit-grasp cannot be read; not imported/);
      deepStrictEqual(await filesIn(world), ["purgatory-state.json.invalid"]);
    }));
}

Deno.test("P-90 what is no file, or too large to be read, is renamed as well; one that cannot be renamed is named", () =>
  engine(async (world) => {
    const path = pathIn(world);
    await Deno.mkdir(path);
    match((await importing(world, undefined)).join(), /not a regular file/);
    await Deno.remove(`${path}.invalid`);
    await Deno.writeTextFile(path, "{}");
    const log = new LineLog();
    const reader = { parse: () => ({}), keep: () => Promise.resolve({}) };
    await importLegacyFile({ path, log, maxBytes: 1 }, reader);
    match(log.lines.join(), /larger than 1 bytes/);
    deepStrictEqual(await filesIn(world), ["purgatory-state.json.invalid"]);
    await Deno.remove(`${path}.invalid`);
    await Deno.mkdir(`${path}.invalid`);
    match((await importing(world, "{}")).join(), /cannot be renamed/);
  }));

Deno.test("P-90 a legacy file stays when the database fails: the next start imports it", () =>
  engine(async (world) => {
    const { clock } = world;
    const text = purgatoryState(clock.now(), {
      announcements: [legacyAnnouncement(announce(newSigner(), "repo", { domain: DOMAIN }))],
    });
    await Deno.writeTextFile(pathIn(world), text);
    const log = new LineLog();
    const limits = { defaultFilterLimit: 500, maxFilterLimit: 5_000 };
    const closed = await openStore({ location: "", backend: "memory", clock, limits, log });
    await closed.close();
    const verifier = createVerifier({ workers: 0, log });
    const gitDataPath = `${world.directory}/git`;
    await importLegacyState({
      ...world.parts,
      store: closed,
      log,
      locks: world.locks,
      verifier,
      gitDataPath,
    });
    verifier.close();
    match(log.lines.join(), /error file of the Rust ngit-grasp not imported; the next start tries again/);
    deepStrictEqual(await filesIn(world), ["purgatory-state.json"]);
    match((await importing(world, undefined)).join(), /"announcements":1/);
  }));

Deno.test("P-90 a legacy file of before announcements waited and sources were known is imported", () =>
  engine(async (world) => {
    const state = declare(newSigner(), "repo", { "refs/heads/main": OID });
    const text = purgatoryState(world.clock.now(), { states: { repo: [legacyState(state)] } });
    const { announcement_purgatory: _, ...older } = JSON.parse(text);
    match((await importing(world, JSON.stringify(older))).join(), /"states":1/);
  }));

Deno.test("P-87 P-90 a placeholder is imported when its ref is still on disk, unless it is of a /prs/ push", () =>
  engine(async (world) => {
    const { store, repositories, directory, clock } = world;
    const repository = { owner: newSigner().pubkey, identifier: "repo" };
    await repositories.ensure(repository);
    const work = await newWorkTree(`${directory}/work`);
    const commit = (await refsOf(work))["refs/heads/main"]!;
    const [kept, gone, scoped] = ["a", "b", "c"].map((digit) => digit.repeat(64)) as [string, string, string];
    for (const id of [kept, scoped]) {
      await git(work, "push", "-q", repositories.path(repository), `main:refs/nostr/${id}`);
    }
    const scope = { prs_scope: { submitter: repository.owner, identifier: "repo" } };
    const [line] = await importing(
      world,
      purgatoryState(clock.now(), {
        pullRequests: {
          [kept]: legacyPullRequest(null, commit, { prs_scope: null }, 900),
          [gone]: legacyPullRequest(null, commit, {}, 900),
          [scoped]: legacyPullRequest(null, commit, scope, 900),
        },
      }),
    );
    match(line!, /"placeholders":1,.*"damaged":0,"surplus":1/);
    const now = clock.now();
    deepStrictEqual(await store.placeholder(kept), {
      id: kept,
      commit,
      repositories: [repository],
      firstEnteredAt: now,
      enteredAt: now,
      deadlineAt: now + 15 * MINUTE,
    });
    strictEqual(await store.placeholder(gone), undefined);
    clock.jump(15 * MINUTE);
    await world.sweep.expire();
    ok(!(await repositories.readRefs(repository)).refs.has(`refs/nostr/${kept}`));
  }));

Deno.test("P-92 an imported expired id is forgotten 7 days after it expired", () =>
  engine(async (world) => {
    const { clock, store } = world;
    const now = clock.now();
    const [fresh, old, ahead] = ["a", "b", "c"].map((digit) => digit.repeat(64)) as [string, string, string];
    const week = DURATION.expiredMemoryMs;
    const expired = { [fresh]: now - week + MINUTE, [old]: now - week, [ahead]: now + week };
    match((await importing(world, purgatoryState(now, { expired }))).join(), /"expired_ids":2/);
    const known = async () => await Promise.all([fresh, old, ahead].map((id) => store.isExpired(id)));
    deepStrictEqual(await known(), [true, false, true]);
    clock.jump(MINUTE);
    deepStrictEqual(await known(), [false, false, true]);
    clock.jump(week - MINUTE);
    deepStrictEqual(await known(), [false, false, false]);
  }));

Deno.test("a legacy file with more states of one author than may wait: the newest are imported", () =>
  engine(async (world) => {
    const author = newSigner();
    const most = LIMIT.waitingStatesPerAuthorAndIdentifier;
    const states = Array.from(
      { length: most + 3 },
      (_, index) =>
        declare(author, "repo", { "refs/heads/main": OID }, { created_at: 1_700_000_000 + index }),
    );
    const text = purgatoryState(world.clock.now(), {
      states: { repo: states.map((event) => legacyState(event)) },
    });
    match((await importing(world, text)).join(), /"surplus":3/);
    const { waitingStates } = await world.store.readIdentifier("repo");
    deepStrictEqual(
      waitingStates.map(({ event }) => event.created_at).sort(),
      states.slice(3).map(({ created_at }) => created_at),
    );
  }));

Deno.test("P-90 without a legacy file nothing is done", () =>
  withTempDirectory(async (directory) => {
    const log = new LineLog();
    const reader = { parse: () => ({}), keep: () => Promise.resolve({}) };
    await importLegacyFile({ path: `${directory}/none.json`, log }, reader);
    deepStrictEqual(log.lines, []);
  }));
