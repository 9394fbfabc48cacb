import assert from "node:assert/strict";
import { createGit } from "../../lib/git/mod.ts";
import { judgeEmpty, removeEmpty, scanForEmpty } from "../../lib/maintenance/mod.ts";
import { systemClock } from "../../lib/world/mod.ts";
import { pretendGit } from "../git/pretend_git.ts";
import { DOMAIN } from "../support/engine.ts";
import { git, newWorkTree } from "../support/git_client.ts";
import { announce, type Signer } from "../support/keys.ts";
import { looseCommit, serve, type Site, site, someone } from "./support.ts";

const NOTHING = { purgeOrphans: false };
const EVERYTHING = { purgeOrphans: true };
const isThere = (path: string) => Deno.lstat(path).then(() => true, () => false);
const parentOf = (path: string) => path.slice(0, path.lastIndexOf("/"));

/** Serves a repository, then makes it empty as a disk without its backup would. */
async function emptied(place: Site, owner: Signer, identifier: string, work: string): Promise<string> {
  const path = await serve(place, owner, identifier, work);
  await Deno.remove(path, { recursive: true });
  await place.repositories.ensure({ owner: owner.pubkey, identifier });
  return path;
}

async function decisions(place: Site, options = NOTHING): Promise<Record<string, string>> {
  const { entries } = await scanForEmpty(place.maintenance, options);
  return Object.fromEntries(
    entries.map(({ repository, decision, reason }) => [repository.identifier, `${decision}: ${reason}`]),
  );
}

async function execute({ maintenance }: Site, options = NOTHING) {
  const { entries } = await scanForEmpty(maintenance, options);
  return await removeEmpty(maintenance, entries, { ...options, rememberMs: 86_400_000 });
}

Deno.test("what is not proven empty is never removed, whatever the options", () => {
  for (const scan of ["announcement", "directory"] as const) {
    for (const purgeOrphans of [false, true]) {
      const judge = (content: "unknown" | "empty" | "branches", protectedBy?: string) =>
        judgeEmpty({ scan, finding: { content }, protectedBy, purgeOrphans })?.decision;
      assert.equal(judge("unknown"), "failed");
      assert.equal(judge("empty"), "remove");
      assert.equal(judge("empty", "its announcement waits"), "keep");
      assert.equal(judge("unknown", "its announcement waits"), "keep");
    }
    const filled = (content: "objects" | "no branches" | "branches", purgeOrphans: boolean) =>
      judgeEmpty({ scan, finding: { content }, protectedBy: undefined, purgeOrphans })?.decision ?? "ignored";
    const orphan = scan === "directory";
    assert.equal(filled("objects", false), "keep");
    assert.equal(filled("no branches", false), "keep");
    assert.equal(filled("no branches", true), "remove");
    assert.equal(filled("objects", true), orphan ? "remove" : "keep");
    assert.equal(filled("branches", false), orphan ? "keep" : "ignored");
    assert.equal(filled("branches", true), orphan ? "remove" : "ignored");
  }
});

Deno.test("M-28 an owner's directory that is a link is not followed: its disk may not be mounted", () =>
  site(async (place) => {
    const { directory } = place;
    const work = await newWorkTree(`${directory}/work`);
    const owner = someone();
    const folder = parentOf(await serve(place, owner, "elsewhere", work));
    await serve(place, someone(), "here", work);
    await Deno.rename(folder, `${directory}/disk`);
    await Deno.symlink(`${directory}/disk`, folder);
    assert.deepEqual(await decisions(place, EVERYTHING), {}, "it holds branches");
    await Deno.rename(`${directory}/disk`, `${directory}/unmounted`);
    assert.deepEqual(await decisions(place, EVERYTHING), {
      elsewhere: "failed: its owner's directory is a link",
    });
  }));

Deno.test("M-28 a database without any announcement is not taken for the right one", () =>
  site(async (place) => {
    const work = await newWorkTree(`${place.directory}/work`);
    for (const identifier of ["first", "second", "bare"]) {
      const owner = someone();
      await place.repositories.ensure({ owner: owner.pubkey, identifier });
      if (identifier !== "bare") await git(work, "push", "-q", place.path(owner, identifier), "main");
    }
    const reason = "failed: there is no announcement at all in the database: is it the right one?";
    assert.deepEqual(await decisions(place, EVERYTHING), {
      first: reason,
      second: reason,
      bare: "remove: empty, and nobody announced it",
    });
    await serve(place, someone(), "served", work);
    assert.match((await decisions(place, EVERYTHING)).first!, /^remove: /);
  }));

Deno.test("M-27 an announced empty repository goes with both kinds of events; orphans with data stay without --purge-orphans", () =>
  site(async (place) => {
    const { directory, repositories, store, maintenance } = place;
    const work = await newWorkTree(`${directory}/work`);
    const [first, second, third, healthy] = [someone(), someone(), someone(), someone()];
    const gone = await emptied(place, first, "announced", work);
    const sound = await serve(place, healthy, "healthy", work);
    await repositories.ensure({ owner: second.pubkey, identifier: "bare" });
    const bare = place.path(second, "bare");
    await repositories.ensure({ owner: third.pubkey, identifier: "filled" });
    const filled = place.path(third, "filled");
    await git(work, "push", "-q", filled, "main");
    await repositories.ensure({ owner: third.pubkey, identifier: "loose" });
    await looseCommit(place.path(third, "loose"), "objects only");
    await repositories.ensure({ space: "prs", owner: third.pubkey, identifier: "contributed" });
    const events = await store.count([{ tags: new Map() }]);

    const plan = await decisions(place);
    assert.deepEqual(plan, {
      announced: "remove: the repository is empty",
      bare: "remove: empty, and nobody announced it",
      filled: "keep: holds branches or tags, and nobody announced it (--purge-orphans removes it)",
      loose: "keep: holds objects without refs, and nobody announced it (--purge-orphans removes it)",
    });
    assert.deepEqual((await scanForEmpty(maintenance, NOTHING)).candidates, {
      event_without_data: 1,
      empty_orphan: 1,
      nonempty_orphan: 2,
    });
    assert.ok(await isThere(gone) && await isThere(bare), "a scan changes nothing");
    assert.equal(await store.count([{ tags: new Map() }]), events);

    const ids = (await scanForEmpty(maintenance, NOTHING)).entries.flatMap(({ events }) =>
      events.map(({ id }) => id)
    );
    assert.deepEqual(await execute(place), {
      repositoriesDeleted: 1,
      orphansDeleted: 1,
      announcementsRemoved: 1,
      statesRemoved: 1,
      failures: [],
    });
    assert.ok(
      !await isThere(parentOf(gone)) && !await isThere(parentOf(bare)),
      "owners' empty directories go",
    );
    assert.ok(await isThere(sound) && await isThere(filled));
    assert.ok(
      await isThere(repositories.path({ space: "prs", owner: third.pubkey, identifier: "contributed" })),
    );
    assert.equal(await store.count([{ tags: new Map() }]), events - 2);
    assert.deepEqual([...await store.unwanted(ids)].sort(), [...ids].sort(), "sync does not bring them back");

    const day = new Date(place.clock.now()).toISOString().slice(0, 10);
    const manifest = await Deno.readTextFile(`${repositories.root}/.trash/${day}/manifest.jsonl`);
    const lines = manifest.trim().split("\n").map((line) => JSON.parse(line));
    assert.deepEqual(lines.map(({ events }) => events.length), [2, 0]);
    for (const { to } of lines) assert.ok(await isThere(`${repositories.root}/${to}/HEAD`));

    const purged = await execute(place, EVERYTHING);
    assert.equal(purged.orphansDeleted, 2);
    assert.ok(!await isThere(filled) && await isThere(sound));
    assert.deepEqual(await decisions(place), {});
  }));

Deno.test("M-28 nothing is removed for a maintainer's announcement or one in purgatory, nor what is corrupt or a link", () =>
  site(async (place) => {
    const { directory, repositories, submit } = place;
    const work = await newWorkTree(`${directory}/work`);
    const [owner, maintainer, waiting, broken, linked] = Array.from({ length: 5 }, someone) as Signer[];
    await submit(announce(owner!, "shared", { domain: DOMAIN, maintainers: [maintainer!.pubkey] }));
    const path = await serve(place, owner!, "served", work);
    await submit(announce(owner!, "served", {
      domain: DOMAIN,
      maintainers: [maintainer!.pubkey],
      created_at: Math.floor(Date.now() / 1000) + 5,
    }));
    await submit(announce(maintainer!, "served", { domain: "elsewhere.example" }));
    await submit(announce(waiting!, "waiting", { domain: DOMAIN }));
    const corrupt = await emptied(place, broken!, "corrupt", work);
    await Deno.writeTextFile(`${corrupt}/HEAD`, "garbage\n");
    await emptied(place, linked!, "linked", work);
    await Deno.remove(place.path(linked!, "linked"), { recursive: true });
    await Deno.symlink(path, place.path(linked!, "linked"));

    const plan = await decisions(place, EVERYTHING);
    assert.deepEqual(Object.keys(plan).sort(), ["corrupt", "linked", "shared", "waiting"]);
    assert.match(plan.corrupt!, /^failed: git could not list its refs: fatal: not a git repository/);
    assert.ok(!plan.corrupt!.includes(directory));
    assert.equal(plan.linked, "failed: it is not a directory");
    assert.match(plan.shared!, /^keep: its announcement waits in purgatory/);
    assert.match(plan.waiting!, /^keep: its announcement waits in purgatory/);
    const removal = await execute(place, EVERYTHING);
    assert.equal(removal.repositoriesDeleted + removal.orphansDeleted + removal.announcementsRemoved, 0);
    assert.ok(await isThere(corrupt) && await isThere(`${path}/HEAD`));
    assert.ok(await repositories.exists({ owner: waiting!.pubkey, identifier: "waiting" }));
  }));

Deno.test("M-28 nothing is removed when git does not answer, and pull requests alone need --purge-orphans", () =>
  site(async (place) => {
    const { directory, maintenance } = place;
    const work = await newWorkTree(`${directory}/work`);
    const [first, second, third] = [someone(), someone(), someone()];
    const empty = await emptied(place, first, "empty", work);
    const offered = await emptied(place, second, "offered", work);
    await serve(place, third, "sound", work);
    await git(work, "push", "-q", offered, `main:refs/nostr/${"a".repeat(64)}`);
    assert.equal(
      (await decisions(place)).offered,
      "keep: holds neither branch nor tag, but other refs (--purge-orphans removes it)",
    );
    const program = await pretendGit(directory, "echo 'fatal: detected dubious ownership' >&2; exit 128");
    const doubtful = await createGit({
      binary: program,
      homePath: `${directory}/home`,
      clock: systemClock,
      limits: { maxPushBytes: 0 },
    });
    const parts = { ...maintenance, git: doubtful };
    const { entries } = await scanForEmpty(parts, EVERYTHING);
    assert.deepEqual(entries.map(({ decision }) => decision), ["failed", "failed"]);
    assert.match(entries[0]!.reason, /dubious ownership/);
    assert.equal(
      (await removeEmpty(parts, entries, { ...EVERYTHING, rememberMs: 1 })).repositoriesDeleted,
      0,
    );
    assert.ok(await isThere(empty) && await isThere(offered));
    assert.equal((await execute(place, EVERYTHING)).repositoriesDeleted, 2);
  }));

Deno.test("a git data path without any repository is taken for the wrong one", () =>
  site(async (place) => {
    const { directory, repositories } = place;
    const work = await newWorkTree(`${directory}/work`);
    for (const name of ["one", "two"]) {
      const path = await serve(place, someone(), name, work);
      await Deno.remove(parentOf(path), { recursive: true });
    }
    assert.deepEqual(await repositories.list(), []);
    for (const decision of Object.values(await decisions(place))) {
      assert.match(decision, /^failed: there is no/);
    }
    assert.equal((await execute(place)).announcementsRemoved, 0);
  }));
