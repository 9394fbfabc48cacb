import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { announce, declare, newSigner } from "../support/keys.ts";
import { DOMAIN, type Engine, engine } from "../support/engine.ts";
import { commitFile, git, newWorkTree, refsOf } from "../support/git_client.ts";

const T = 1_700_000_000;
const NO_OID = "0".repeat(40);

/** A repository that waits, with one state for each commit of a work tree, oldest first. */
async function waiting(world: Engine, count = 1) {
  const owner = newSigner();
  const work = await newWorkTree(`${world.directory}/work`);
  await world.submit(announce(owner, "repo", { domain: DOMAIN, created_at: T }));
  const states = [];
  for (let number = 0; number < count; number++) {
    if (number > 0) await commitFile(work, `${number}.txt`, `${number}\n`);
    states.push(declare(owner, "repo", await refsOf(work), { created_at: T + number }));
    await world.submit(states.at(-1)!);
  }
  return { owner, work, states, repository: { owner: owner.pubkey, identifier: "repo" } };
}

/** Runs `meanwhile` while somebody else holds a lock; it must end before the lock is free. */
async function beside(world: Engine, key: string, meanwhile: () => Promise<void>): Promise<void> {
  let free = () => {};
  const held = world.locks.run([key], () => new Promise<void>((resolve) => free = resolve));
  let timer = 0;
  const deadline = new Promise<string>((resolve) => timer = setTimeout(() => resolve("waits"), 10_000));
  const outcome = await Promise.race([meanwhile().then(() => "done"), deadline]);
  clearTimeout(timer);
  free();
  await held;
  strictEqual(outcome, "done");
}

Deno.test("a push of branches is settled while another repository's push is", () =>
  engine(async (world) => {
    const { owner, work } = await waiting(world);
    await beside(world, "refs/nostr/", async () => {
      strictEqual(await world.push(work, owner.pubkey, "repo", ["refs/heads/main"]), "");
    });
  }));

Deno.test("P-39 a state deleted while its push runs: refs return although another state still waits", () =>
  engine(async (world) => {
    const { owner, work, states, repository } = await waiting(world, 2);
    const first = states[0]!.tags.find(([name]) => name === "refs/heads/main")![1]!;
    const commands = [{ ref: "refs/heads/main", oldOid: NO_OID, newOid: first }];
    const decision = await world.gate.authorise(repository, commands);
    ok(decision.ok);
    await git(work, "push", "-q", world.repositories.path(repository), `${first}:refs/heads/main`);
    await world.submit(owner.sign({ kind: 5, tags: [["e", states[0]!.id]], created_at: T + 10 }));
    await world.gate.settle(decision.grant, commands);
    deepStrictEqual([...(await world.repositories.readRefs(repository)).refs], []);
  }));

Deno.test("R-86 an event that waits for its lock while its deletion is accepted stays out", () =>
  engine(async (world) => {
    const owner = newSigner();
    const announcement = announce(owner, "repo", { domain: DOMAIN, created_at: T });
    let answer: ReturnType<Engine["submit"]> | undefined;
    await world.locks.run(["repo"], async () => {
      answer = world.submit(announcement);
      await world.store.ping();
      const request = owner.sign({ kind: 5, tags: [["e", announcement.id]], created_at: T + 1 });
      strictEqual((await world.submit(request)).message, "");
    });
    match((await answer!).message, /^invalid: accepted deletion request/);
    strictEqual((await world.store.waitingCounts()).active, 0);
  }));

Deno.test("R-84 a PR released while its deletion request waits is not served", () =>
  engine(async (world) => {
    const { owner, work } = await waiting(world);
    strictEqual(await world.push(work, owner.pubkey, "repo", ["refs/heads/main"]), "");
    await git(work, "checkout", "-q", "-b", "feature");
    const commit = await commitFile(work, "feature.txt", "feature\n");
    const author = newSigner();
    const pr = author.sign({
      kind: 1618,
      tags: [["a", `30617:${owner.pubkey}:repo`], ["c", commit]],
      created_at: T,
    });
    match((await world.submit(pr)).message, /^purgatory:/);
    let deleted: ReturnType<Engine["submit"]> | undefined;
    await world.locks.run(["repo"], async () => {
      deleted = world.submit(author.sign({ kind: 5, tags: [["e", pr.id]], created_at: T + 1 }));
      // What a release does that had read the row before the request came.
      for (let turn = 0; turn < 20; turn++) await world.store.commit({ putDirty: [] });
      await world.store.commit({ insertEvents: [{ event: pr }], removePullRequests: [pr.id] });
    });
    strictEqual((await deleted!).message, "");
    ok(!await world.isServed(pr.id));
  }));
