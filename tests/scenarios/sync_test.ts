import { deepStrictEqual, strictEqual } from "node:assert/strict";
import type { NostrEvent } from "../../lib/nostr/mod.ts";
import { expectSoundDatabase } from "../crash/verify.ts";
import { announceOn } from "../support/announce_on.ts";
import { commitFile, git, refsOf, tryGit } from "../support/git_client.ts";
import { declare, newSigner, type Signer } from "../support/keys.ts";
import { stockGit } from "../support/wire_client.ts";
import { type Hosted, pushAll } from "./support.ts";
import { pair } from "./sync_support.ts";

Deno.test("S-2 S-4 S-97 P-83 what is pushed to A alone appears on B, whole, and both follow each other", () =>
  pair(async ({ directory, a, b }) => {
    const hosted = await a.host(directory, "one", [a, b]);
    const [state] = await a.query({ kinds: [30618] });
    await b.serves(hosted.announcement, state!);
    deepStrictEqual(await b.refs(hosted.owner, "one"), await a.refs(hosted.owner, "one"));
    const clone = `${directory}/clone`;
    await git(directory, "clone", "-q", b.server.cloneUrl(hosted.owner.npub, "one"), clone);
    strictEqual((await tryGit(clone, "fsck", "--full", "--strict")).stderr, "");
    strictEqual(await git(clone, "rev-list", "--count", "HEAD"), "2");

    const issue = issueFor(hosted);
    await a.publish(issue);
    await b.serves(issue);
    const [onA, onB] = [commentOn(issue, "asked on A"), commentOn(issue, "asked on B")];
    await Promise.all([a.publish(onA), b.publish(onB)]);
    await Promise.all([a.serves(onA, onB), b.serves(onA, onB)]);
  }));

Deno.test("S-27 B is stopped while A gets a push, an issue and a comment: it has everything after its return", () =>
  pair(async ({ directory, a, b }) => {
    const hosted = await a.host(directory, "two", [a, b]);
    await b.serves(hosted.announcement);
    strictEqual(await b.end("SIGTERM"), 0);
    const state = await pushMore(hosted, (event) => a.publish(event));
    const issue = issueFor(hosted);
    const comment = commentOn(issue, "me too");
    await a.publish(issue, comment);
    await b.start();
    await b.serves(state, issue, comment);
    deepStrictEqual(await b.refs(hosted.owner, "two"), await a.refs(hosted.owner, "two"));
  }));

Deno.test("S-32 the line is cut while either side gets events and data: both have everything afterwards", () =>
  pair(async ({ directory, a, b }) => {
    const hosted = await a.host(directory, "three", [a, b]);
    await b.serves(hosted.announcement);
    const first = issueFor(hosted);
    await b.publish(first);
    await a.serves(first);
    for (const { proxy } of [a, b]) {
      proxy.accepting = "refuse";
      proxy.cut("rst");
    }
    const state = await pushMore(hosted, (event) => a.publish(event));
    const second = issueFor(hosted);
    const answer = commentOn(first, "still there?");
    await Promise.all([a.publish(second), b.publish(answer)]);
    for (const { proxy } of [a, b]) proxy.accepting = "pass";
    await Promise.all([b.serves(state, second), a.serves(answer)]);
    deepStrictEqual(await b.refs(hosted.owner, "three"), await a.refs(hosted.owner, "three"));
  }));

Deno.test("S-93 P-65 a maintainer's announcement that does not list B, and his state, are accepted with the owner's", () =>
  pair(async ({ directory, a, b }) => {
    const [owner, maintainer] = [newSigner(), newSigner()];
    const hosted = await a.host(directory, "four", [a, b], { owner, maintainers: [maintainer.pubkey] });
    const own = announceOn(maintainer, "four", [a.domain], { maintainers: [owner.pubkey] });
    await a.publish(own);
    await b.serves(hosted.announcement);
    await commitFile(hosted.work, "maintained.txt", "by the maintainer\n");
    const state = declare(maintainer, "four", await refsOf(hosted.work), { head: "refs/heads/main" });
    await a.publish(state);
    await pushAll(hosted);
    await b.serves(own, state);
    deepStrictEqual(await b.refs(owner, "four"), await a.refs(owner, "four"));
  }));

for (const kind of [1618, 1619]) {
  Deno.test(`S-97 P-52 P-54 the commit of a kind ${kind} event pushed to A is fetched, and the event served, by B`, () =>
    pair(async ({ directory, a, b }) => {
      const hosted = await a.host(directory, "five", [a, b]);
      await b.serves(hosted.announcement);
      const contributor = newSigner();
      const tip = await commitFile(hosted.work, "change.txt", "a change\n");
      const issue = issueFor(hosted);
      await a.publish(issue);
      const request = contributor.sign({
        kind,
        tags: [["a", coordinateOf(hosted)], ["c", tip], ["clone", hosted.url], ["E", issue.id]],
      });
      const update = { ref: `refs/nostr/${request.id}`, newOid: tip };
      deepStrictEqual(await stockGit(2).push(hosted.work, hosted.url, [update]), [
        "unpack ok",
        `ok ${update.ref}`,
      ]);
      await a.publish(request);
      await a.serves(request);
      await b.serves(request);
      strictEqual((await b.refs(hosted.owner, "five"))[update.ref], tip);
    }));
}

Deno.test("an issue withdrawn by its author on A disappears from B", () =>
  pair(async ({ directory, a, b }) => {
    const hosted = await a.host(directory, "six", [a, b]);
    const issue = issueFor(hosted);
    await a.publish(issue);
    await b.serves(issue);
    const request = hosted.owner.sign({ kind: 5, tags: [["e", issue.id], ["k", "1621"]] });
    await a.publish(request);
    await b.serves(request);
    await b.until("forget the issue", async () => (await b.query({ ids: [issue.id] })).length === 0);
  }));

for (const signal of ["SIGTERM", "SIGKILL"] as const) {
  Deno.test(`S-108 B is ended by ${signal} in the middle of its first sync: the next start completes it`, () =>
    pair(async ({ directory, a, b }) => {
      const hosted = await a.host(directory, "seven", [a, b]);
      const issue = issueFor(hosted);
      const comments = Array.from(
        { length: 1_000 },
        (_, index) => commentOn(issue, `${index}`, hosted.owner),
      );
      await a.publish(issue, ...comments);
      await b.start();
      const some = { kinds: [1111], limit: 1 };
      await b.until("have some comments", async () => (await b.query(some)).length > 0);
      strictEqual(await b.end(signal), signal === "SIGTERM" ? 0 : 137);
      await b.start();
      await b.until("have all comments", async () => {
        return (await b.query({ kinds: [1111], limit: 5_000 })).length === comments.length;
      });
      strictEqual(await b.end("SIGTERM"), 0);
      await expectSoundDatabase(`${b.dataPath}/relay/relay.db`);
    }, { startB: false }));
}

/** One more commit, declared and pushed to A; returns its state. */
async function pushMore(
  hosted: Hosted,
  publish: (state: NostrEvent) => Promise<void>,
): Promise<NostrEvent> {
  await commitFile(hosted.work, "more.txt", "more\n");
  const state = declare(hosted.owner, hosted.identifier, await refsOf(hosted.work), {
    head: "refs/heads/main",
  });
  await publish(state);
  await pushAll(hosted);
  return state;
}

function coordinateOf({ owner, identifier }: Pick<Hosted, "owner" | "identifier">): string {
  return `30617:${owner.pubkey}:${identifier}`;
}

function issueFor(hosted: Pick<Hosted, "owner" | "identifier">): NostrEvent {
  return hosted.owner.sign({
    kind: 1621,
    tags: [["a", coordinateOf(hosted)]],
    content: `it breaks ${crypto.randomUUID()}`,
  });
}

function commentOn(issue: NostrEvent, content: string, author: Signer = newSigner()): NostrEvent {
  return author.sign({ kind: 1111, tags: [["E", issue.id], ["K", "1621"]], content });
}
