import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import type { NostrEvent } from "../../lib/nostr/mod.ts";
import { newSigner, type Signer } from "../support/keys.ts";
import { commitFile, git } from "../support/git_client.ts";
import { type Hosted, hosted, isServed, publish, type Scene, scene } from "./support.ts";
import { stockGit, type WireClient } from "../support/wire_client.ts";
import { advertisement, libgit2 } from "../support/wire_libgit2.ts";

/** A contributor's clone of a hosted repository. */
interface Contribution {
  readonly stage: Scene;
  readonly client: WireClient;
  readonly target: Hosted;
  readonly contributor: Signer;
  readonly work: string;
}

async function contribution(stage: Scene, client: WireClient, name: string): Promise<Contribution> {
  const target = await hosted(stage, name);
  const work = `${stage.directory}/contributor-${name}`;
  await git(stage.directory, "clone", "-q", target.url, work);
  return { stage, client, target, contributor: newSigner(), work };
}

/** A pull request (kind 1618), or an update of one (kind 1619), as ngit builds it before it pushes. */
function proposal({ target, contributor }: Contribution, tip: string, updated?: NostrEvent): NostrEvent {
  const { owner, identifier, url } = target;
  return contributor.sign({
    kind: updated ? 1619 : 1618,
    content: updated ? "" : "please take this",
    tags: [
      ["a", `30617:${owner.pubkey}:${identifier}`],
      ["p", owner.pubkey],
      ...(updated ? [["E", updated.id], ["P", updated.pubkey]] : [["subject", "a change"]]),
      ["c", tip],
      ["clone", url],
    ],
  });
}

/** Pushes one commit to the ref of a proposal. */
function pushTip(
  { client, target, work }: Contribution,
  { id }: NostrEvent,
  newOid: string,
): Promise<string[]> {
  return client.push(work, target.url, [{ ref: `refs/nostr/${id}`, newOid }]);
}

async function listed({ target }: Contribution, { id }: NostrEvent): Promise<string | undefined> {
  return (await advertisement(target.url, "git-upload-pack")).refs[`refs/nostr/${id}`];
}

/** What a maintainer does with the `c` tag of a served proposal. */
async function expectFetchable({ stage, target }: Contribution, oid: string): Promise<void> {
  for (const [index, client] of [libgit2, stockGit(0), stockGit(2)].entries()) {
    const copy = `${stage.directory}/maintainer-${oid}-${index}`;
    await git(stage.directory, "init", "-q", "--bare", copy);
    await client.fetch(copy, target.url, [oid]);
    strictEqual(await git(copy, "cat-file", "-t", oid), "commit");
  }
}

for (const client of [libgit2, stockGit(2)]) {
  const name = client.name.replaceAll(/\W+/g, "-");

  Deno.test(`IO-26 IO-29 pull request and its update, commit first, event second, by ${client.name}`, () =>
    scene(async (stage) => {
      const contributed = await contribution(stage, client, name);
      const tip = await commitFile(contributed.work, "change.txt", "a change\n");
      const request = proposal(contributed, tip);
      const ref = `refs/nostr/${request.id}`;
      deepStrictEqual(await pushTip(contributed, request, tip), ["unpack ok", `ok ${ref}`]);
      await publish(stage.relay, request, "");
      ok(await isServed(stage.relay, request.id));
      strictEqual(await listed(contributed, request), tip);
      await expectFetchable(contributed, tip);

      const next = await commitFile(contributed.work, "more.txt", "after review\n");
      const update = proposal(contributed, next, request);
      deepStrictEqual(await pushTip(contributed, update, next), ["unpack ok", `ok refs/nostr/${update.id}`]);
      await publish(stage.relay, update, "");
      ok(await isServed(stage.relay, update.id));
      await expectFetchable(contributed, next);
    }));

  Deno.test(`IO-27 event first, it waits for the commit it names and for no other, by ${client.name}`, () =>
    scene(async (stage) => {
      const contributed = await contribution(stage, client, name);
      const other = await commitFile(contributed.work, "other.txt", "not this one\n");
      const tip = await commitFile(contributed.work, "change.txt", "a change\n");
      const request = proposal(contributed, tip);
      await publish(stage.relay, request, "purgatory:");
      strictEqual(await isServed(stage.relay, request.id), false);
      const refused = await pushTip(contributed, request, other);
      ok(!refused.includes(`ok refs/nostr/${request.id}`), refused.join("\n"));
      strictEqual(await isServed(stage.relay, request.id), false);
      deepStrictEqual(await pushTip(contributed, request, tip), ["unpack ok", `ok refs/nostr/${request.id}`]);
      ok(await isServed(stage.relay, request.id));
    }));

  Deno.test(`IO-28 a commit that is not the event's goes when the event comes, by ${client.name}`, () =>
    scene(async (stage) => {
      const contributed = await contribution(stage, client, name);
      const other = await commitFile(contributed.work, "other.txt", "not this one\n");
      const tip = await commitFile(contributed.work, "change.txt", "a change\n");
      const request = proposal(contributed, tip);
      deepStrictEqual(await pushTip(contributed, request, other), [
        "unpack ok",
        `ok refs/nostr/${request.id}`,
      ]);
      strictEqual(await listed(contributed, request), other);
      await publish(stage.relay, request, "purgatory:");
      strictEqual(await listed(contributed, request), undefined);
      strictEqual(await isServed(stage.relay, request.id), false);
    }));
}
