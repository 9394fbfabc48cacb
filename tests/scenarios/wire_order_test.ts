import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { type NostrEvent, ZERO_OID } from "../../lib/nostr/mod.ts";
import { announce, declare, newSigner, type Signer } from "../support/keys.ts";
import { commitFile, git, newWorkTree, refsOf } from "../support/git_client.ts";
import { RelayClient } from "../support/relay_client.ts";
import { isServed, publish, type Scene, scene } from "./support.ts";
import { type Listing, stockGit, type WireClient } from "../support/wire_client.ts";
import { emptyPack, libgit2, pushCommands } from "../support/wire_libgit2.ts";

const MAIN = "refs/heads/main";

/** A project as one client sees it, with a clock of its own so that every state is newer. */
interface Project {
  readonly stage: Scene;
  readonly client: WireClient;
  readonly owner: Signer;
  readonly identifier: string;
  readonly work: string;
  readonly url: string;
  /** The next `created_at`. */
  tick(): number;
}

/** Section 5.1: listing before the push, the event, listing again, the state, the push. */
async function firstPush(stage: Scene, client: WireClient): Promise<Project> {
  const { directory, server, relay } = stage;
  const owner = newSigner();
  const identifier = `wire-${client.name.replaceAll(/\W+/g, "-")}`;
  const work = await newWorkTree(`${directory}/${identifier}`, ["a.txt", "b.txt"]);
  await git(work, "branch", "dev");
  await git(work, "tag", "-a", "v1", "-m", "first release");
  let time = Math.floor(Date.now() / 1000) - 1_000;
  const project: Project = {
    stage,
    client,
    owner,
    identifier,
    work,
    url: server.cloneUrl(owner.npub, identifier),
    tick: () => time++,
  };

  const profile = relay.query({ kinds: [0, 10002], authors: [owner.pubkey] });
  const known = relay.query({ kinds: [30617, 30618], "#d": [identifier] });
  deepStrictEqual([await profile, await known], [[], []]);
  const announcement = announce(owner, identifier, { domain: server.domain, created_at: project.tick() });
  await publish(relay, announcement, "purgatory:");
  const bare = `${directory}/data/git/${owner.npub}/${identifier}.git`;
  ok((await Deno.stat(`${bare}/HEAD`)).isFile, "the repository exists when the OK arrives");
  const empty = await client.list(directory, project.url);
  deepStrictEqual(empty.refs, {});
  const state = await declareRefs(project, "purgatory:");
  deepStrictEqual((await client.list(directory, project.url)).refs, {});
  strictEqual(await isServed(relay, state.id), false);

  const updates = Object.entries(await refsOf(work)).map(([ref, newOid]) => ({ ref, newOid }));
  const report = await client.push(work, project.url, updates);
  deepStrictEqual(report.sort(), [...updates.map(({ ref }) => `ok ${ref}`), "unpack ok"].sort());
  await expectVisible(project, [announcement, state]);
  return project;
}

/** The complete set as ngit writes it: annotated tags also peeled, HEAD, tags in any order. */
async function declareRefs(
  { stage, owner, identifier, work, tick }: Project,
  expected: string,
  more: { readonly head?: string; readonly by?: Signer } = {},
): Promise<NostrEvent> {
  const refs = { ...await refsOf(work) };
  for (const tag of Object.keys(refs).filter((ref) => ref.startsWith("refs/tags/"))) {
    const peeled = await git(work, "rev-parse", `${tag}^{}`);
    if (peeled !== refs[tag]) refs[`${tag}^{}`] = peeled;
  }
  const shuffled = Object.fromEntries(Object.entries(refs).sort(([a], [b]) => a < b ? 1 : -1));
  const state = declare(more.by ?? owner, identifier, shuffled, {
    head: more.head ?? MAIN,
    created_at: tick(),
  });
  await publish(stage.relay, state, expected);
  return state;
}

/** What everybody can see right after an answer: from a new connection, events, refs and HEAD. */
async function expectVisible(
  { stage, client, work, url, identifier }: Project,
  events: readonly NostrEvent[],
  head = MAIN,
): Promise<Listing> {
  const watcher = await RelayClient.connect(stage.server.wsUrl);
  const served = (await watcher.query({ kinds: [30617, 30618], "#d": [identifier] })).map(({ id }) => id);
  await watcher.close();
  for (const { id, kind } of events) ok(served.includes(id), `kind ${kind} is served`);
  const refs = await refsOf(work);
  const listing = await client.list(stage.directory, url);
  deepStrictEqual(listing.refs, { HEAD: refs[head], ...refs });
  strictEqual(listing.head, head);
  return listing;
}

/** Section 5.2: the old state stays until the data is here; only what changed is pushed. */
async function laterPush(project: Project): Promise<void> {
  const { stage: { relay, directory }, client, owner, work, url } = project;
  const before = await client.list(directory, url);
  const served = () => relay.query({ kinds: [30618], authors: [owner.pubkey] });
  const old = await served();
  await commitFile(work, "c.txt", "later\n");
  await git(work, "tag", "-a", "v2", "-m", "second release");
  const state = await declareRefs(project, "purgatory:");
  deepStrictEqual(await client.list(directory, url), before);
  deepStrictEqual(await served(), old);
  const refs = await refsOf(work);
  const changed = [MAIN, "refs/tags/v2"].map((ref) => ({ ref, newOid: refs[ref]! }));
  deepStrictEqual(await client.push(work, url, changed), [
    "unpack ok",
    ...changed.map(({ ref }) => `ok ${ref}`),
  ]);
  await expectVisible(project, [state]);
}

async function forcedPush(project: Project): Promise<string> {
  const { client, work, url } = project;
  const replaced = await git(work, "rev-parse", MAIN);
  await git(work, "reset", "-q", "--hard", "HEAD~1");
  const newOid = await commitFile(work, "d.txt", "another history\n");
  const refused = await client.push(work, url, [{ ref: MAIN, newOid }]);
  ok(refused.some((line) => line.includes("authorisation failed")), refused.join("\n"));
  const state = await declareRefs(project, "purgatory:");
  deepStrictEqual(await client.push(work, url, [{ ref: MAIN, newOid }]), ["unpack ok", `ok ${MAIN}`]);
  await expectVisible(project, [state]);
  return replaced;
}

/** Variants of 5.2 that need no data: applied when the OK arrives, HEAD included. */
async function existingCommits(project: Project): Promise<void> {
  const { client, work, url } = project;
  await git(work, "branch", "-f", "dev", "main");
  await git(work, "branch", "old", "main~1");
  await expectVisible(
    project,
    [await declareRefs(project, "", { head: "refs/heads/old" })],
    "refs/heads/old",
  );
  const unchanged = { ref: "refs/heads/old", newOid: await git(work, "rev-parse", "old") };
  deepStrictEqual(await client.push(work, url, [unchanged]), ["unpack ok", "ok refs/heads/old"]);

  await git(work, "branch", "-D", "old");
  await expectVisible(project, [await declareRefs(project, "")]);
}

/** Section 5.4, ending with both repositories equal. */
async function maintainerPush(project: Project): Promise<void> {
  const { stage, client, owner, identifier, work, url, tick } = project;
  const { relay, server, directory } = stage;
  const bob = newSigner();
  const both = { domain: server.domain, maintainers: [bob.pubkey, owner.pubkey] };
  const invitation = announce(owner, identifier, { ...both, created_at: tick() });
  await publish(relay, invitation, "");
  const own = announce(bob, identifier, { ...both, created_at: tick() });
  ok((await relay.publish(own)).accepted);
  const bobsUrl = server.cloneUrl(bob.npub, identifier);
  await client.list(directory, bobsUrl);
  const newOid = await commitFile(work, "bob.txt", "by bob\n");
  const state = await declareRefs(project, "purgatory:", { by: bob });
  deepStrictEqual(await client.push(work, url, [{ ref: MAIN, newOid }]), ["unpack ok", `ok ${MAIN}`]);
  const listing = await expectVisible(project, [invitation, own, state]);
  deepStrictEqual((await client.list(directory, bobsUrl)).refs, listing.refs);
}

/** Sections 5.5 and 5.6: list, choose by state, fetch ids; then only what is missing. */
async function cloneAndFetch(project: Project): Promise<void> {
  const { stage: { directory, relay }, client, work, url, identifier } = project;
  const states = await relay.query({ kinds: [30618], "#d": [identifier] });
  const newest = states.sort((a, b) => b.created_at - a.created_at)[0]!;
  const declared = newest.tags.filter(([name]) => name?.startsWith("refs/") && !name.endsWith("^{}"));
  const { refs } = await client.list(directory, url);
  for (const [name, oid] of declared) strictEqual(refs[name!], oid);
  const copy = `${directory}/copy-${identifier}`;
  await git(directory, "init", "-q", "--bare", copy);
  // The same id may be wanted twice: two refs often share a commit.
  await client.fetch(copy, url, declared.map(([, oid]) => oid!));
  for (const [name, oid] of declared) await git(copy, "update-ref", name!, oid!);
  await git(copy, "fsck", "--full", "--strict");
  deepStrictEqual(await refsOf(copy), await refsOf(work));

  const haves = [await git(copy, "rev-parse", MAIN)];
  const next = await commitFile(work, "e.txt", "one more\n");
  await declareRefs(project, "purgatory:");
  await client.push(work, url, [{ ref: MAIN, newOid: next }]);
  await client.fetch(copy, url, [next], haves);
  await git(copy, "update-ref", MAIN, next);
  await git(copy, "fsck", "--full", "--strict");
}

for (const client of [libgit2, stockGit(0), stockGit(2)]) {
  Deno.test(`IO-14 IO-15 IO-20 IO-21 IO-24 IO-31 first push to fetch in wire order, by ${client.name}`, () =>
    scene(async (stage) => {
      const project = await firstPush(stage, client);
      await laterPush(project);
      const replaced = await forcedPush(project);
      await existingCommits(project);
      await maintainerPush(project);
      await cloneAndFetch(project);
      // An id listed before the forced push is still delivered, although no ref names it.
      const late = `${stage.directory}/late`;
      await git(stage.directory, "init", "-q", "--bare", late);
      await client.fetch(late, project.url, [replaced]);
      strictEqual(await git(late, "cat-file", "-t", replaced), "commit");
    }));
}

Deno.test("IO-8 IO-10 IO-17 IO-18 IO-19 libgit2: what only protocol 0 shows", () =>
  scene(async (stage) => {
    const { relay, server, directory } = stage;
    const owner = newSigner();
    await publish(relay, announce(owner, "empty", { domain: server.domain }), "purgatory:");
    const { capabilities } = await libgit2.list(directory, server.cloneUrl(owner.npub, "empty"));
    for (const name of ["allow-tip-sha1-in-want", "allow-reachable-sha1-in-want", "filter"]) {
      ok(capabilities.includes(name), `an empty repository offers ${name}`);
    }

    const project = await firstPush(stage, libgit2);
    const { work, url } = project;
    const tip = await git(work, "rev-parse", MAIN);
    const same = [{ ref: MAIN, oldOid: tip, newOid: tip }];
    deepStrictEqual(await pushCommands(url, same, await emptyPack(work)), ["unpack ok", `ok ${MAIN}`]);

    // ngit deletes a branch by a state first; its own push then finds nothing left to delete.
    await git(work, "branch", "-D", "dev");
    const state = await declareRefs(project, "");
    await expectVisible(project, [state]);
    const gone = [{ ref: "refs/heads/dev", oldOid: ZERO_OID, newOid: ZERO_OID }];
    deepStrictEqual(await pushCommands(url, gone, new Uint8Array()), ["unpack ok", "ok refs/heads/dev"]);
    await expectVisible(project, [state]);

    // The branch HEAD pointed to, in one state with its successor.
    await git(work, "branch", "-m", "main", "trunk");
    const renamed = await declareRefs(project, "", { head: "refs/heads/trunk" });
    const mainGone = [{ ref: MAIN, oldOid: ZERO_OID, newOid: ZERO_OID }];
    deepStrictEqual(await pushCommands(url, mainGone, new Uint8Array()), ["unpack ok", `ok ${MAIN}`]);
    await expectVisible(project, [renamed], "refs/heads/trunk");
  }));
