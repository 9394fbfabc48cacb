import assert from "node:assert/strict";
import { createGit } from "../../lib/git/mod.ts";
import { diskReport, fsckRepositories, maintainDatabase } from "../../lib/maintenance/mod.ts";
import { damageOf } from "../../lib/maintenance/git_fsck.ts";
import { encodeNpub } from "../../lib/nostr/mod.ts";
import { systemClock } from "../../lib/world/mod.ts";
import { pretendGit } from "../git/pretend_git.ts";
import { commitFile, git, newWorkTree } from "../support/git_client.ts";
import { announce } from "../support/keys.ts";
import { makeLoose, serve, site, someone } from "./support.ts";

const DAY_MS = 86_400_000;
const encode = (text: string) => new TextEncoder().encode(text);

Deno.test("only damage counts as damage: odd objects of old histories do not", () => {
  const result = (code: number, stdout: string, stderr: string) =>
    damageOf({ code, stdout: encode(stdout), stderr, stopped: undefined });
  assert.equal(result(0, "", "warning: anything"), undefined);
  assert.equal(result(1, "", "error in commit 1234: missingEmail: invalid author/committer line"), undefined);
  assert.equal(
    result(1, "", "warning in tree 12: nullSha1: x\nerror in tag 34: missingTagger: y\n"),
    undefined,
  );
  assert.equal(
    result(1, "", "error in tree 12: badTree: x\nerror: 99: object corrupt or missing: /x"),
    "error: 99: object corrupt or missing: /x",
  );
  assert.equal(
    result(2, "broken link from    tree 12\n              to    blob 34\nmissing blob 34\n", ""),
    "broken link from tree 12 to blob 34",
  );
  assert.equal(
    result(3, "", "error in tree 12: hasDot: x"),
    "error in tree 12: hasDot: x",
    "other bits count",
  );
  assert.equal(result(128, "", ""), "git fsck ended with 128");
});

Deno.test("M-31 a damaged repository is found, reported until it is whole again, and left as it is", () =>
  site(async (place) => {
    const { directory, maintenance, clock, store } = place;
    const work = await newWorkTree(`${directory}/work`);
    const commit = await commitFile(work, "second", "second\n");
    const [first, second, third] = [someone(), someone(), someone()];
    const missing = await serve(place, first, "missing", work);
    const rotten = await serve(place, second, "rotten", work);
    await serve(place, third, "sound", work);
    const blob = await git(work, "rev-parse", "HEAD:second");
    await makeLoose(missing, directory);
    await makeLoose(rotten, directory);
    const file = `${blob.slice(0, 2)}/${blob.slice(2)}`;
    await Deno.rename(`${missing}/objects/${file}`, `${directory}/saved`);
    const intact = await Deno.readFile(`${rotten}/objects/${file}`);
    await Deno.chmod(`${rotten}/objects/${file}`, 0o600);
    // The header is right and the content is not: a check of connectivity does not see it.
    await Deno.writeFile(`${rotten}/objects/${file}`, intact.map((byte, at) => at === 9 ? byte ^ 255 : byte));

    const distrusted: string[] = [];
    place.repositories.onGone = (path) => distrusted.push(path);
    const found = await fsckRepositories(maintenance, 30 * DAY_MS);
    assert.deepEqual(distrusted.sort(), [missing, rotten].sort(), "what was kept of them is not served");
    assert.equal(found.checked, 3);
    const names = found.damaged.map(({ identifier }) => identifier).sort();
    assert.deepEqual(names, ["missing", "rotten"]);
    const notes = await store.repositoryNotes("git_fsck");
    assert.match(
      notes.find(({ repository }) => repository.identifier === "missing")!.detail,
      new RegExp(blob),
    );
    assert.ok(notes.every(({ detail }) => !detail.includes(directory)), "no paths in what is reported");
    assert.equal(await git(missing, "rev-parse", "main"), commit);

    await Deno.rename(`${directory}/saved`, `${missing}/objects/${file}`);
    await clock.advance(DAY_MS);
    assert.deepEqual((await fsckRepositories(maintenance, 30 * DAY_MS)).checked, 0, "checked lately");
    await clock.advance(30 * DAY_MS);
    const again = await fsckRepositories(maintenance, 30 * DAY_MS);
    assert.deepEqual(again.damaged.map(({ identifier }) => identifier), ["rotten"]);
  }));

Deno.test("M-31 a repository that changes or goes away while it is checked is not taken for damaged", () =>
  site(async (place) => {
    const { directory, maintenance, repositories } = place;
    const work = await newWorkTree(`${directory}/work`);
    const [first, second, third] = [someone(), someone(), someone()];
    const changed = await serve(place, first, "changed", work);
    const gone = await serve(place, second, "gone", work);
    const headless = await serve(place, third, "headless", work);
    await Deno.remove(`${headless}/HEAD`);
    const script = `case "$1" in
      *changed.git) test -e ${directory}/once && exit 0
        touch ${directory}/once ${changed}/objects/pack/pack-abc.pack;;
      *gone.git) mv ${gone} ${directory}/elsewhere;;
    esac
    echo "error: packfile is not there" >&2; exit 2`;
    const git = await createGit({
      binary: await pretendGit(directory, script),
      homePath: `${directory}/home`,
      clock: systemClock,
      limits: { maxPushBytes: 0 },
    });
    const { checked, damaged, failed } = await fsckRepositories({ ...maintenance, git }, 0);
    assert.deepEqual([checked, damaged.map(({ identifier }) => identifier), failed], [2, ["headless"], 0]);
    assert.equal((await repositories.list()).length, 2);
  }));

Deno.test("a report lists as missing what belongs here, and ends when it is told to", () =>
  site(async (place) => {
    const { directory, maintenance, store, rules, submit, stop } = place;
    const [owner, maintainer] = [someone(), someone()];
    const work = await newWorkTree(`${directory}/work`);
    const path = await serve(place, owner, "lost", work, [["maintainers", maintainer.pubkey]]);
    // Accepted as a maintainer's; it lists another server.
    const elsewhere = announce(maintainer, "lost", { domain: "other.example" });
    await submit(elsewhere);
    assert.ok(await store.has(elsewhere.id));
    await Deno.remove(path, { recursive: true });
    assert.deepEqual((await diskReport(maintenance, store, rules)).missing, [
      { npub: encodeNpub(owner.pubkey), identifier: "lost" },
    ]);
    await serve(place, someone(), "other", work);
    stop.abort();
    await assert.rejects(diskReport(maintenance, store, rules), /stopped before the end/);
  }));

Deno.test("the database is checkpointed at every run, and its pages are read once a week", () =>
  site(async ({ maintenance, clock, directory }) => {
    const log = `${directory}/relay.db-wal`;
    assert.ok((await Deno.stat(log)).size > 0);
    assert.deepEqual(await maintainDatabase(maintenance), { applies: true, checked: true });
    await clock.advance(DAY_MS);
    assert.deepEqual(await maintainDatabase(maintenance), { applies: true, checked: false });
    assert.equal((await Deno.stat(log)).size, 0);
    assert.ok((await maintainDatabase(maintenance, true)).checked);
    await clock.advance(7 * DAY_MS);
    assert.ok((await maintainDatabase(maintenance)).checked);
  }));
