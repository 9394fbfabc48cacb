import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { DURATION } from "../../lib/policy/mod.ts";
import { declare, newSigner } from "../support/keys.ts";
import { git } from "../support/git_client.ts";
import { engine } from "../support/engine.ts";
import {
  announceOnly,
  contributing,
  contributor,
  host,
  namesIn,
  offer,
  placeOf,
  propose,
  publishMain,
  refOf,
  T,
} from "./contribution_support.ts";

const HELD = "purgatory: won't be served until git data arrives";

Deno.test("X-16 R-72 X-19 event first: it waits unseen, refuses other commits, is served with the right one", () =>
  contributing(async (world, { signer, work, base, commit }) => {
    const pr = propose(signer, commit);
    strictEqual((await world.submit(pr)).message, HELD);
    strictEqual((await world.submit(pr)).message, "duplicate: in purgatory");
    ok(!await world.isServed(pr.id));
    match(await offer(world, work, placeOf(signer), pr.id, base), /^GRASP-06: .*but push contains/);
    strictEqual(await refOf(world, placeOf(signer), pr.id), undefined);
    ok(!await world.isServed(pr.id));
    strictEqual(await offer(world, work, placeOf(signer), pr.id, commit), "");
    ok(await world.isServed(pr.id));
    deepStrictEqual(world.notified.map(({ id }) => id), [pr.id]);
    strictEqual(await refOf(world, placeOf(signer), pr.id), commit);
  }));

Deno.test("X-16 X-29 without data it expires, and returns only from its author", () =>
  contributing(async (world, { signer, commit }) => {
    const pr = propose(signer, commit);
    await world.submit(pr);
    world.clock.jump(DURATION.pullRequestMs);
    await world.sweep.expire();
    match((await world.sync(pr)).message, /previously expired/);
    strictEqual((await world.submit(pr)).message, HELD);
  }));

Deno.test("X-14 R-72 what names another host, another's npub or nothing known is refused; a patch too", () =>
  contributing(async (world, { signer, commit }) => {
    const stranger = newSigner();
    for (
      const pr of [
        propose(signer, commit, { clone: [`https://elsewhere.example/prs/${signer.npub}/repo.git`] }),
        propose(signer, commit, { clone: [`https://git.example.com/prs/${stranger.npub}/repo.git`] }),
        propose(signer, commit, { clone: [`https://git.example.com/prs/${signer.npub}/other.git`] }),
        propose(signer, commit, { owners: [] }),
      ]
    ) {
      match((await world.submit(pr)).message, /^blocked: PR event must reference an accepted/);
    }
    match((await world.submit(propose(signer, commit, { kind: 1617 }))).message, /^blocked:/);
    match((await world.submit(propose(signer, commit, { kind: 1621 }))).message, /^blocked:/);
    const { tags } = propose(signer, commit);
    const bare = signer.sign({ kind: 1618, tags: tags.filter(([name]) => name !== "c") });
    match((await world.submit(bare)).message, /has no 'c' tag/);
  }));

Deno.test("X-18 X-23 P-50 git first: the event is served at once, and its ref is in the repositories it tags, in no other", () =>
  contributing(async (world, { signer, work, base, commit }) => {
    const [owner, second, other] = [newSigner(), newSigner(), newSigner()];
    const target = await host(world, owner, { work, base });
    const also = await host(world, second, { work, base });
    const stranger = await host(world, other, { work, base });
    const pr = propose(signer, commit, { owners: [owner, second] });
    strictEqual(await offer(world, work, placeOf(signer), pr.id, commit), "");
    deepStrictEqual((await world.store.placeholder(pr.id))?.scope, {
      owner: signer.pubkey,
      identifier: "repo",
    });
    const before = world.notified.length;
    deepStrictEqual(await world.submit(pr), { id: pr.id, accepted: true, result: "saved", message: "" });
    deepStrictEqual(world.notified.slice(before).map(({ id }) => id), [pr.id]);
    strictEqual(await world.store.placeholder(pr.id), undefined);
    for (const repository of [target, also, placeOf(signer)]) {
      strictEqual(await refOf(world, repository, pr.id), commit);
      ok((await world.repositories.complete(repository, [commit])).has(commit));
    }
    strictEqual(await refOf(world, stranger, pr.id), undefined);
  }));

Deno.test("X-23 X-26 event first: the push copies its commits; a push to the hosted repository leaves /prs/ alone", () =>
  contributing(async (world, { signer, work, base, commit }) => {
    const owner = newSigner();
    const target = await host(world, owner, { work, base });
    const pr = propose(signer, commit, { owners: [owner] });
    strictEqual((await world.submit(pr)).message, HELD);
    strictEqual(await offer(world, work, placeOf(signer), pr.id, commit), "");
    ok((await world.repositories.complete(target, [commit])).has(commit));
    strictEqual(await refOf(world, target, pr.id), commit);
    const update = propose(signer, base, { owners: [owner], kind: 1619 });
    await hostedOffer(world, work, owner.pubkey, update.id, base);
    strictEqual((await world.submit(update)).message, "");
    strictEqual(await refOf(world, placeOf(signer), pr.id), commit);
  }));

Deno.test("X-24 without a served announcement nothing is copied and the event is served from /prs/", () =>
  contributing(async (world, { signer, work, commit }) => {
    const owner = newSigner();
    await announceOnly(world, owner);
    const pr = propose(signer, commit, { owners: [owner] });
    await world.submit(pr);
    strictEqual(await offer(world, work, placeOf(signer), pr.id, commit), "");
    ok(await world.isServed(pr.id));
    const waiting = { owner: owner.pubkey, identifier: "repo" };
    strictEqual((await world.repositories.readRefs(waiting)).refs.size, 0);
  }));

Deno.test("X-39 X-35 an announcement promoted after the pull request gets its ref; the push promoted nothing", () =>
  contributing(async (world, contributed) => {
    const { signer, work, commit } = contributed;
    const owner = newSigner();
    const announcement = await announceOnly(world, owner);
    const pr = propose(signer, commit, { owners: [owner] });
    await offer(world, work, placeOf(signer), pr.id, commit);
    strictEqual((await world.submit(pr)).message, "");
    ok(!await world.isServed(announcement.id));
    await publishMain(world, owner, contributed);
    ok(await world.isServed(announcement.id));
    strictEqual(await refOf(world, { owner: owner.pubkey, identifier: "repo" }, pr.id), commit);
  }));

Deno.test("X-35 a push below /prs/ releases no state of the same identifier", () =>
  contributing(async (world, { signer, work, base, commit }) => {
    const owner = newSigner();
    const target = await host(world, owner, { work, base });
    const state = declare(owner, "repo", { "refs/heads/main": commit }, { created_at: T + 1 });
    match((await world.submit(state)).message, /^purgatory:/);
    strictEqual(await offer(world, work, placeOf(signer), "ab".repeat(32), commit), "");
    ok(!await world.isServed(state.id));
    strictEqual((await world.repositories.readRefs(target)).refs.get("refs/heads/main"), base);
  }));

Deno.test("X-25 X-28 a wrong commit on the hosted repository gives way to the right one below /prs/", () =>
  contributing(async (world, { signer, work, base, commit }) => {
    const owner = newSigner();
    const target = await host(world, owner, { work, base });
    const pr = propose(signer, commit, { owners: [owner] });
    strictEqual(await hostedOffer(world, work, owner.pubkey, pr.id, base), "");
    strictEqual(await offer(world, work, placeOf(signer), pr.id, commit), "");
    strictEqual(await hostedOffer(world, work, owner.pubkey, pr.id, base), "");
    strictEqual((await world.submit(pr)).message, "");
    strictEqual(await refOf(world, target, pr.id), commit);
  }));

Deno.test("X-20 P-49 push first, event with another commit: ref and empty directory go, the event waits", () =>
  contributing(async (world, { signer, work, base, commit }) => {
    const pr = propose(signer, base);
    strictEqual(await offer(world, work, placeOf(signer), pr.id, commit), "");
    strictEqual((await world.submit(pr)).message, HELD);
    ok(!await world.repositories.exists(placeOf(signer)));
    deepStrictEqual(await namesIn(`${world.directory}/git/prs`), []);
    strictEqual(await world.store.placeholder(pr.id), undefined);
    strictEqual(await offer(world, work, placeOf(signer), pr.id, base), "");
    ok(await world.isServed(pr.id));
  }));

Deno.test("X-21 P-49 of another signer, for another identifier or without our endpoint the ref below /prs/ goes", () =>
  contributing(async (world, { signer, work, base, commit }) => {
    const [owner, thief] = [newSigner(), newSigner()];
    await host(world, owner, { work, base });
    for (
      const pr of [
        propose(thief, commit),
        propose(signer, commit, { identifier: "other" }),
        propose(signer, commit, { owners: [owner], clone: ["https://elsewhere.example/x.git"] }),
      ]
    ) {
      match(
        await offerBoth(world, work, signer, pr.id, commit, () => world.submit(pr)),
        /^purgatory:/,
      );
      ok(!await world.repositories.exists(placeOf(signer)), pr.id);
      ok(!await world.isServed(pr.id));
      match(await offer(world, work, placeOf(signer), pr.id, commit), /^GRASP-06: PR event .*\(purgatory\)/);
    }
  }));

Deno.test("X-22 a stored event that does not name our endpoint keeps its commit out of /prs/", () =>
  contributing(async (world, { signer, work, base, commit }) => {
    const owner = newSigner();
    await host(world, owner, { work, base });
    const pr = propose(signer, commit, { owners: [owner], clone: ["https://elsewhere.example/x.git"] });
    await hostedOffer(world, work, owner.pubkey, pr.id, commit);
    strictEqual((await world.submit(pr)).message, "");
    match(
      await offer(world, work, placeOf(signer), pr.id, commit),
      /has no `clone` tag naming this relay's \/prs\//,
    );
    ok(!await world.repositories.exists(placeOf(signer)));
  }));

Deno.test("P-51 a second scope for the same id is refused and the first stays", () =>
  contributing(async (world, { signer, work, commit }) => {
    const pr = propose(signer, commit);
    strictEqual(await offer(world, work, placeOf(signer), pr.id, commit), "");
    match(
      await offer(world, work, placeOf(newSigner()), pr.id, commit),
      /pre-registered under a different \/prs\/ scope/,
    );
    match(
      await offer(world, work, placeOf(signer, "other"), pr.id, commit),
      /pre-registered under a different/,
    );
    deepStrictEqual(await namesIn(`${world.directory}/git/prs`), [signer.pubkey]);
    strictEqual((await world.submit(pr)).message, "");
  }));

Deno.test("X-27 another contributor's request for the same commit is not released, nor gets a ref there", () =>
  contributing(async (world, { signer, work, commit }) => {
    const second = newSigner();
    const [mine, theirs] = [propose(signer, commit), propose(second, commit)];
    for (const pr of [mine, theirs]) strictEqual((await world.submit(pr)).message, HELD);
    strictEqual(await offer(world, work, placeOf(signer), mine.id, commit), "");
    ok(await world.isServed(mine.id));
    ok(!await world.isServed(theirs.id));
    strictEqual(await refOf(world, placeOf(signer), theirs.id), undefined);
  }));

Deno.test("X-38 a second request with a commit that is already there is served without a push", () =>
  contributing(async (world, { signer, work, commit }) => {
    const first = propose(signer, commit);
    await offer(world, work, placeOf(signer), first.id, commit);
    strictEqual((await world.submit(first)).message, "");
    const again = propose(signer, commit, { content: "the same, better described" });
    strictEqual((await world.submit(again)).message, "");
    strictEqual(await refOf(world, placeOf(signer), again.id), commit);
  }));

Deno.test("X-19 X-20 an event that arrives during the upload decides about what was uploaded", () =>
  contributing(async (world, { signer, work, base, commit }) => {
    const wrong = propose(signer, "1".repeat(40));
    strictEqual(await offer(world, work, placeOf(signer), wrong.id, commit, () => world.submit(wrong)), "");
    strictEqual(await refOf(world, placeOf(signer), wrong.id), undefined);
    ok(!await world.isServed(wrong.id));
    ok(!await world.repositories.exists(placeOf(signer)));
    const within = propose(signer, base);
    strictEqual(await offer(world, work, placeOf(signer), within.id, commit, () => world.submit(within)), "");
    strictEqual(await refOf(world, placeOf(signer), within.id), base);
    ok(await world.isServed(within.id));
    const right = propose(signer, commit);
    strictEqual(await offer(world, work, placeOf(signer), right.id, commit, () => world.submit(right)), "");
    ok(await world.isServed(right.id));
  }));

Deno.test("a ref below /prs/ that is no commit is deleted, and with it the repository", () =>
  contributing(async (world, { signer, work }) => {
    const tree = await git(work, "rev-parse", "HEAD^{tree}");
    await offer(world, work, placeOf(signer), "ab".repeat(32), tree);
    ok(!await world.repositories.exists(placeOf(signer)));
    strictEqual(await world.store.placeholder("ab".repeat(32)), undefined);
  }));

Deno.test("G-53 a push of an id that is no pull request is refused below /prs/", () =>
  contributing(async (world, { signer, work, base, commit }) => {
    const owner = newSigner();
    await host(world, owner, { work, base });
    const issue = newSigner().sign({ kind: 1621, tags: [["a", `30617:${owner.pubkey}:repo`]] });
    strictEqual((await world.submit(issue)).message, "");
    strictEqual(
      await offer(world, work, placeOf(signer), issue.id, commit),
      `GRASP-06: event ${issue.id} is not a pull request`,
    );
  }));

Deno.test("the author's deletion takes the ref below /prs/ and its copies; of a waiting one the entry", () =>
  contributing(async (world, { signer, work, base, commit }) => {
    const owner = newSigner();
    const target = await host(world, owner, { work, base });
    const pr = propose(signer, commit, { owners: [owner] });
    await offer(world, work, placeOf(signer), pr.id, commit);
    await world.submit(pr);
    strictEqual(await refOf(world, target, pr.id), commit);
    const stranger = newSigner().sign({ kind: 5, tags: [["e", pr.id]] });
    await world.submit(stranger);
    strictEqual(await refOf(world, target, pr.id), commit);
    strictEqual((await world.submit(signer.sign({ kind: 5, tags: [["e", pr.id]] }))).message, "");
    ok(!await world.isServed(pr.id));
    strictEqual(await refOf(world, target, pr.id), undefined);
    ok(!await world.repositories.exists(placeOf(signer)));
    match((await world.submit(pr)).message, /^invalid: accepted deletion request/);

    const waiting = propose(signer, commit, { content: "another" });
    strictEqual((await world.submit(waiting)).message, HELD);
    await world.submit(signer.sign({ kind: 5, tags: [["e", waiting.id]] }));
    strictEqual(await offer(world, work, placeOf(signer), waiting.id, commit), "");
    ok(!await world.isServed(waiting.id));
  }));

Deno.test("a copy that failed is tried again by the sweep", () =>
  contributing(async (world, { signer, work, base, commit }) => {
    const owner = newSigner();
    const target = await host(world, owner, { work, base });
    const lock = `${world.repositories.path(target)}/packed-refs.lock`;
    const pr = propose(signer, commit, { owners: [owner] });
    const ref = `${world.repositories.path(target)}/refs/nostr/${pr.id}.lock`;
    await Deno.mkdir(ref.slice(0, ref.lastIndexOf("/")), { recursive: true });
    for (const path of [lock, ref]) await Deno.writeTextFile(path, "");
    await offer(world, work, placeOf(signer), pr.id, commit);
    strictEqual((await world.submit(pr)).message, "");
    strictEqual(await refOf(world, target, pr.id), undefined);
    for (const path of [lock, ref]) await Deno.remove(path);
    world.clock.jump(DURATION.sweepMs);
    await world.sweep.expire();
    strictEqual(await refOf(world, target, pr.id), commit);
  }));

Deno.test("X-36 contributors' repositories are in no list and no count of hosted ones", () =>
  contributing(async (world, { signer, work, base, commit }) => {
    const owner = newSigner();
    const target = await host(world, owner, { work, base });
    await offer(world, work, placeOf(signer), "ab".repeat(32), commit);
    deepStrictEqual(await world.repositories.list(), [target]);
    deepStrictEqual([world.repositories.count, world.repositories.contributionCount], [1, 1]);
    await world.repositories.recount();
    strictEqual(world.repositories.count, 1);
    deepStrictEqual(await world.repositories.listContributions(), [placeOf(signer)]);
  }));

Deno.test("authors on the block list can neither push nor propose", async () => {
  const blocked = newSigner();
  await engine(
    async (world) => {
      const { work, commit } = await contributor(world.directory);
      match((await world.submit(propose(blocked, commit))).message, /is blacklisted/);
      match(await offer(world, work, placeOf(blocked), "ab".repeat(32), commit), /GRASP-06: .*blacklisted/);
      deepStrictEqual(await namesIn(`${world.directory}/git/prs`), []);
    },
    { eventBlacklist: new Set([blocked.pubkey]) },
    { contributions: {} },
  );
});

/** A push to a hosted repository. */
async function hostedOffer(
  world: Parameters<typeof offer>[0],
  work: string,
  owner: string,
  id: string,
  commit: string,
): Promise<string> {
  const repository = { owner, identifier: "repo" };
  const ref = `refs/nostr/${id}`;
  const oldOid = await refOf(world, repository, id) ?? "0".repeat(40);
  const commands = [{ ref, oldOid, newOid: commit }];
  const decision = await world.gate.authorise(repository, commands);
  if (!decision.ok) return decision.reasons.get(ref)!;
  await git(work, "push", "-q", "--force", world.repositories.path(repository), `${commit}:${ref}`);
  await world.gate.settle(decision.grant, commands);
  return "";
}

/** Push first, then the event; the text of its answer. */
async function offerBoth(
  world: Parameters<typeof offer>[0],
  work: string,
  signer: Parameters<typeof placeOf>[0],
  id: string,
  commit: string,
  submit: () => Promise<{ message: string }>,
): Promise<string> {
  strictEqual(await offer(world, work, placeOf(signer), id, commit), "");
  return (await submit()).message;
}
