import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import type { NostrEvent } from "../../lib/nostr/mod.ts";
import { DURATION, LIMIT } from "../../lib/policy/mod.ts";
import { announce, declare, newSigner, type Signer } from "../support/keys.ts";
import { DOMAIN, type Engine, engine, engineIn } from "../support/engine.ts";
import { commitFile, git, newWorkTree, refsOf } from "../support/git_client.ts";
import { withTempDirectory } from "../support/temp.ts";
import { VirtualClock } from "../support/virtual_clock.ts";

const T = 1_700_000_000;

/** A served repository and a contributor's commit that is not in it. */
async function scenery(world: Engine, identifier = "repo", maintainers: readonly string[] = []) {
  const owner = newSigner();
  const work = await newWorkTree(`${world.directory}/work-${identifier}`);
  await world.submit(announce(owner, identifier, { domain: DOMAIN, maintainers, created_at: T }));
  await world.submit(
    declare(owner, identifier, await refsOf(work), { head: "refs/heads/main", created_at: T }),
  );
  strictEqual(await world.push(work, owner.pubkey, identifier, ["refs/heads/main"]), "");
  await git(work, "checkout", "-q", "-b", "feature");
  const commit = await commitFile(work, "feature.txt", "feature\n");
  return { owner, work, commit, repository: { owner: owner.pubkey, identifier } };
}

function propose(
  author: Signer,
  owners: readonly Signer[],
  commit: string,
  identifier = "repo",
  kind = 1618,
): NostrEvent {
  const addresses = owners.map((owner) => ["a", `30617:${owner.pubkey}:${identifier}`]);
  return author.sign({ kind, tags: [...addresses, ["c", commit]], content: "please merge" });
}

/** Pushes a commit to `refs/nostr/<id>` as anybody may; the reason when refused. */
async function offer(
  world: Engine,
  work: string,
  owner: string,
  id: string,
  commit: string,
  identifier = "repo",
): Promise<string> {
  const ref = `refs/nostr/${id}`;
  const repository = { owner, identifier };
  const old = (await world.repositories.readRefs(repository)).refs.get(ref) ?? "0".repeat(40);
  const commands = [{ ref, oldOid: old, newOid: commit }];
  const decision = await world.gate.authorise(repository, commands);
  if (!decision.ok) return decision.reasons.get(ref)!;
  await git(work, "push", "-q", "--force", world.repositories.path(repository), `${commit}:${ref}`);
  await world.gate.settle(decision.grant, commands);
  return "";
}

const refOf = async (world: Engine, owner: string, id: string, identifier = "repo") =>
  (await world.repositories.readRefs({ owner, identifier })).refs.get(`refs/nostr/${id}`);

for (const kind of [1618, 1619]) {
  Deno.test(`R-68 P-45 P-54 IO-27 event first (kind ${kind}): held, wrong commit refused, right commit serves it`, () =>
    engine(async (world) => {
      const { owner, work, commit } = await scenery(world);
      const pr = propose(newSigner(), [owner], commit, "repo", kind);
      strictEqual((await world.submit(pr)).message, "purgatory: won't be served until git data arrives");
      ok(!await world.isServed(pr.id));
      const main = (await refsOf(work))["refs/heads/main"]!;
      match(
        await offer(world, work, owner.pubkey, pr.id, main),
        /\(purgatory\) specifies commit .* but push contains/,
      );
      strictEqual(await offer(world, work, owner.pubkey, pr.id, commit), "");
      ok(await world.isServed(pr.id));
      strictEqual(world.notified.at(-1)!.id, pr.id);
    }));
}

Deno.test("G-45 G-49 P-46 IO-26 commit first, then the event: served at once", () =>
  engine(async (world) => {
    const { owner, work, commit } = await scenery(world);
    const pr = propose(newSigner(), [owner], commit);
    strictEqual(await offer(world, work, owner.pubkey, pr.id, commit), "");
    strictEqual(await refOf(world, owner.pubkey, pr.id), commit);
    strictEqual((await world.submit(pr)).message, "");
    ok(await world.isServed(pr.id));
    strictEqual(await world.store.placeholder(pr.id), undefined);
  }));

Deno.test("G-47 R-70 IO-28 wrong commit first: the event deletes that ref and waits", () =>
  engine(async (world) => {
    const { owner, work, commit } = await scenery(world);
    const pr = propose(newSigner(), [owner], commit);
    await offer(world, work, owner.pubkey, pr.id, (await refsOf(work))["refs/heads/main"]!);
    match((await world.submit(pr)).message, /^purgatory:/);
    strictEqual(await refOf(world, owner.pubkey, pr.id), undefined);
    ok(!await world.isServed(pr.id));
  }));

Deno.test("R-69 G-52 P-52 a PR naming a maintainer reaches every owner who trusts that key, and nobody else", () =>
  engine(async (world) => {
    const [maintainer, stranger, second] = [newSigner(), newSigner(), newSigner()];
    const { owner, work, commit, repository } = await scenery(world, "repo", [maintainer.pubkey]);
    const main = (await refsOf(work))["refs/heads/main"]!;
    ok(
      (await world.submit(announce(maintainer, "repo", { domain: "elsewhere.example", created_at: T })))
        .accepted,
    );
    for (const [signer, maintainers] of [[second, [maintainer.pubkey]], [stranger, []]] as const) {
      await world.submit(announce(signer, "repo", { domain: DOMAIN, maintainers, created_at: T }));
      await world.submit(declare(signer, "repo", { "refs/heads/main": main }, { created_at: T }));
      strictEqual(await world.push(work, signer.pubkey, "repo", ["refs/heads/main"]), "");
    }
    await git(
      work,
      "push",
      "-q",
      world.repositories.path(repository),
      `${commit}:refs/nostr/${"f".repeat(64)}`,
    );
    const pr = propose(newSigner(), [maintainer], commit);
    strictEqual((await world.submit(pr)).message, "");
    strictEqual(await refOf(world, owner.pubkey, pr.id), commit);
    strictEqual(await refOf(world, second.pubkey, pr.id), commit);
    strictEqual(await refOf(world, stranger.pubkey, pr.id), undefined);
  }));

Deno.test("P-53 a PR naming only strangers is not released because an unrelated repository has the commit", () =>
  engine(async (world) => {
    const { owner, work, commit } = await scenery(world);
    const issue = newSigner().sign({ kind: 1621, tags: [["a", `30617:${owner.pubkey}:repo`]] });
    await world.submit(issue);
    const base = propose(newSigner(), [newSigner()], commit);
    const pr = newSigner().sign({ kind: 1618, tags: [...base.tags, ["e", issue.id]] });
    match((await world.submit(pr)).message, /^purgatory:/);
    strictEqual(await offer(world, work, owner.pubkey, pr.id, commit), "");
    ok(!await world.isServed(pr.id));
  }));

Deno.test("R-71 P-48 a PR without c, to nothing known, or to a repository still waiting is refused", () =>
  engine(async (world) => {
    const owner = newSigner();
    await world.submit(announce(owner, "repo", { domain: DOMAIN }));
    const pr = propose(newSigner(), [owner], "1".repeat(40));
    match((await world.submit(pr)).message, /^blocked: PR event must reference an accepted repository/);
    const bare = newSigner().sign({ kind: 1618, tags: [["a", `30617:${owner.pubkey}:repo`]] });
    match(
      (await world.submit(bare)).message,
      /^invalid: Failed to check git data: PR event .* has no 'c' tag/,
    );
  }));

Deno.test("R-72 without GRASP-06 a PR that names our /prs/ endpoint for an unknown repository is refused", () =>
  engine(async (world) => {
    const author = newSigner();
    const base = propose(author, [newSigner()], "1".repeat(40), "unknown");
    const clone = ["clone", `https://${DOMAIN}/prs/${author.npub}/unknown.git`];
    match(
      (await world.submit(author.sign({ kind: 1618, tags: [...base.tags, clone] }))).message,
      /^blocked: PR event must reference/,
    );
  }));

Deno.test("P-55 a PR addressing 30617:<key>:a:b matches the identifier a:b; malformed coordinates are skipped", () =>
  engine(async (world) => {
    const { owner, work, commit } = await scenery(world, "a:b");
    const good = propose(newSigner(), [owner], commit, "a:b");
    const pr = newSigner().sign({ kind: 1618, tags: [["a", "30617:zz"], ...good.tags] });
    await offer(world, work, owner.pubkey, pr.id, commit, "a:b");
    strictEqual((await world.submit(pr)).message, "");
  }));

Deno.test("P-47 G-50 a ref whose event never comes is deleted after 20 minutes and its id not remembered", () =>
  engine(async (world) => {
    const { owner, work, commit } = await scenery(world);
    const id = "ab".repeat(32);
    await offer(world, work, owner.pubkey, id, commit);
    world.clock.jump(DURATION.placeholderMs - 1);
    await world.sweep.expire();
    strictEqual(await refOf(world, owner.pubkey, id), commit);
    world.clock.jump(1);
    await world.sweep.expire();
    strictEqual(await refOf(world, owner.pubkey, id), undefined);
    ok(!await world.store.isExpired(id));
  }));

Deno.test("P-87 a placeholder survives a restart with its ref, and the event completes it", () =>
  withTempDirectory(async (directory) => {
    const clock = new VirtualClock();
    let pr: NostrEvent | undefined;
    await engineIn(directory, clock, async (world) => {
      const { owner, work, commit } = await scenery(world);
      pr = propose(newSigner(), [owner], commit);
      await offer(world, work, owner.pubkey, pr.id, commit);
    });
    await engineIn(directory, clock, async (world) => strictEqual((await world.submit(pr!)).message, ""));
  }));

Deno.test("P-40 R-90 an expired PR is refused from sync and waits again for its author", () =>
  engine(async (world) => {
    const { owner, commit } = await scenery(world);
    const pr = propose(newSigner(), [owner], commit);
    await world.submit(pr);
    world.clock.jump(DURATION.pullRequestMs);
    strictEqual((await world.sweep.expire()).expired, 1);
    match((await world.sync(pr)).message, /previously expired/);
    match((await world.submit(pr)).message, /^purgatory:/);
  }));

Deno.test("P-4 G-53 a refs/nostr push alone promotes no announcement; a ref that is no commit is deleted", () =>
  engine(async (world) => {
    const owner = newSigner();
    const work = await newWorkTree(`${world.directory}/work`);
    const announcement = announce(owner, "repo", { domain: DOMAIN });
    await world.submit(announcement);
    const head = await git(work, "rev-parse", "HEAD");
    strictEqual(await offer(world, work, owner.pubkey, "cd".repeat(32), head), "");
    ok(!await world.isServed(announcement.id));
    const tree = await git(work, "rev-parse", "HEAD^{tree}");
    await offer(world, work, owner.pubkey, "ef".repeat(32), tree);
    strictEqual(await refOf(world, owner.pubkey, "ef".repeat(32)), undefined);
    deepStrictEqual(await world.store.placeholder("ef".repeat(32)), undefined);
  }));

Deno.test("P-11 soft expiry of a repository with only refs/nostr takes its placeholders along", () =>
  engine(async (world) => {
    const owner = newSigner();
    const work = await newWorkTree(`${world.directory}/work`);
    await world.submit(announce(owner, "repo", { domain: DOMAIN }));
    world.clock.jump(DURATION.announcementMs - 60_000);
    await offer(world, work, owner.pubkey, "cd".repeat(32), await git(work, "rev-parse", "HEAD"));
    world.clock.jump(60_000);
    strictEqual((await world.sweep.expire()).softExpired, 1);
    strictEqual(await world.store.placeholder("cd".repeat(32)), undefined);
  }));

Deno.test("P-47 G-50 a ref whose commit differs from the one last pushed elsewhere is deleted as well", () =>
  engine(async (world) => {
    const { owner, work, commit } = await scenery(world, "repo");
    const second = await scenery(world, "other");
    const id = "f".repeat(64);
    strictEqual(await offer(world, work, owner.pubkey, id, commit), "");
    const main = (await refsOf(second.work))["refs/heads/main"]!;
    strictEqual(await offer(world, second.work, second.owner.pubkey, id, main, "other"), "");
    world.clock.jump(DURATION.placeholderMs);
    await world.sweep.expire();
    strictEqual(await refOf(world, owner.pubkey, id), undefined);
    strictEqual(await refOf(world, second.owner.pubkey, id, "other"), undefined);
    strictEqual(await world.store.placeholder(id), undefined);
  }));

Deno.test("a waiting PR whose c names a blob gets no ref", () =>
  engine(async (world) => {
    const { owner, work } = await scenery(world);
    const blob = (await git(work, "rev-parse", "main:README.md")).trim();
    const pr = propose(newSigner(), [owner], blob);
    match((await world.submit(pr)).message, /^purgatory:/);
    strictEqual(await offer(world, work, owner.pubkey, pr.id, blob), "");
    strictEqual(await refOf(world, owner.pubkey, pr.id), undefined);
  }));

Deno.test("one push cannot exceed the number of unannounced PR refs", () =>
  engine(async (world) => {
    const { commit, repository } = await scenery(world);
    const commands = Array.from({ length: LIMIT.placeholdersPerRepository + 1 }, (_, number) => ({
      ref: `refs/nostr/${number.toString(16).padStart(64, "0")}`,
      oldOid: "0".repeat(40),
      newOid: commit,
    }));
    const refused = await world.gate.authorise(repository, commands);
    strictEqual(refused.ok ? "" : refused.text, "authorisation failed: too many unannounced PR refs");
    ok((await world.gate.authorise(repository, commands.slice(1))).ok);
  }));
