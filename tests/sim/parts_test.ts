import assert from "node:assert/strict";
import type { NostrEvent } from "../../lib/nostr/mod.ts";
import { Commits } from "./commits.ts";
import { Dice } from "./dice.ts";
import { Listings } from "./listings.ts";
import { predict } from "./oracle.ts";
import { announcementTags } from "./project.ts";
import { SimDisk, SimGit } from "./sim_git.ts";
import { Timeline } from "./timeline.ts";
import { User } from "./user.ts";
import { MachineClock, World } from "./world.ts";

Deno.test("a timeline gives work by time, equal times in the order they came, and forgets what is taken back", () => {
  const dice = new Dice(3);
  const timeline = new Timeline();
  const expected: { at: number; order: number }[] = [];
  const done: number[] = [];
  for (let order = 0; order < 2_000; order++) {
    const at = dice.below(200);
    const takeBack = timeline.add(at, () => void done.push(order));
    if (dice.chance(0.6)) takeBack();
    else expected.push({ at, order });
  }
  for (let at = timeline.nextAt(); at !== undefined; at = timeline.nextAt()) {
    for (const work of timeline.takeUntil(at)) work();
  }
  expected.sort((a, b) => a.at - b.at || a.order - b.order);
  assert.deepEqual(done, expected.map(({ order }) => order));
});

Deno.test("work taken back by earlier work of the same moment is not done", () => {
  const timeline = new Timeline();
  const done: string[] = [];
  timeline.add(1, () => takeBack());
  const takeBack = timeline.add(1, () => void done.push("taken back"));
  timeline.add(1, () => void done.push("kept"));
  for (const work of timeline.takeUntil(1)) work();
  assert.deepEqual(done, ["kept"]);
});

Deno.test("a dead machine's sleepers never wake; its clock is wrong alone", async () => {
  const world = new World();
  const [clock, doomed] = [new MachineClock(world, 5_000), new MachineClock(world, 0)];
  const woken: string[] = [];
  void clock.sleep(100).then(() => woken.push("living"));
  void doomed.sleep(50).then(() => woken.push("early"));
  void doomed.sleep(100).then(() => woken.push("dead"));
  await world.runUntil(60);
  doomed.stop();
  await world.runUntil(1_000);
  assert.deepEqual(woken, ["early", "living"]);
  assert.equal(clock.now() - doomed.now(), 5_000);
  assert.equal(clock.monotonic(), 1_000);
});

Deno.test("an object is complete with its history only, and refs point only to objects", async () => {
  const world = new World();
  const commits = new Commits(new Dice(1));
  const disk = new SimDisk();
  const git = new SimGit(disk, commits, new MachineClock(world, 0));
  const ref = { owner: "a".repeat(64), identifier: "r" };
  await git.ensure(ref);
  const first = commits.create([]);
  const second = commits.create([first]);
  disk.find(ref)!.objects.add(second);
  assert.deepEqual([...(await git.present(ref, [first, second])).keys()], [second]);
  assert.equal((await git.complete(ref, [second])).size, 0);
  disk.find(ref)!.objects.add(first);
  assert.deepEqual([...await git.complete(ref, [second])], [second]);
  const absent = commits.create([second]);
  const target = {
    refs: new Map([["refs/heads/main", absent]]),
    symbolic: new Set<string>(),
    head: undefined,
  };
  const aligned = git.align(ref, target);
  await world.runUntil(100);
  assert.deepEqual((await aligned).failed, ["refs/heads/main"]);
});

Deno.test("the oracle spreads what is listed and what its filters ask for, and nothing else", () => {
  const dice = new Dice(9);
  const commits = new Commits(dice);
  const [owner, stranger] = [new User(dice), new User(dice)];
  const oid = commits.create([]);
  const announcement = owner.sign({
    kind: 30617,
    created_at: 10,
    tags: announcementTags("r", owner.npub, ["a.example", "b.example"], []),
  });
  const state = owner.sign({ kind: 30618, created_at: 11, tags: [["d", "r"], ["refs/heads/main", oid]] });
  const issue = stranger.sign({ kind: 1621, created_at: 12, tags: [["a", `30617:${owner.pubkey}:r`]] });
  const unrelated = stranger.sign({ kind: 1, created_at: 13, tags: [] });
  const input = (bootstrap: string[]) => ({
    accepted: new Map([["a.example", [announcement, state, issue, unrelated]]]),
    pushed: [{ host: "a.example", identifier: "r", oids: [oid] }],
    hosts: new Map([["a.example", []], ["b.example", bootstrap], ["c.example", ["a.example"]]]),
    commits,
    listings: new Listings([announcement]),
  });
  const servedBy = (bootstrap: string[], host: string) =>
    [...predict(input(bootstrap), "lasting").get(host)!.judgement.served.keys()].sort();
  const all = [announcement.id, state.id, issue.id].sort();
  assert.deepEqual(servedBy([], "a.example"), all);
  assert.deepEqual(servedBy([], "b.example"), [], "nobody told b of a");
  assert.deepEqual(servedBy(["a.example"], "b.example"), all);
  assert.deepEqual(servedBy([], "c.example"), [], "not listed");
});

Deno.test("the oracle does not lean for certain on a version that listed a server which a later one leaves", () => {
  const dice = new Dice(9);
  const commits = new Commits(dice);
  const [owner, helper] = [new User(dice), new User(dice)];
  const oid = commits.create([]);
  const announce = (user: User, created_at: number, hosts: readonly string[], maintainers: readonly User[]) =>
    user.sign({ kind: 30617, created_at, tags: announcementTags("r", user.npub, hosts, maintainers) });
  const before = announce(helper, 10, ["a.example", "b.example"], []);
  const after = announce(helper, 11, ["b.example"], []);
  const trusting = announce(owner, 12, ["a.example"], [helper]);
  const state = helper.sign({ kind: 30618, created_at: 13, tags: [["d", "r"], ["refs/heads/main", oid]] });
  const servedAtA = (versions: readonly NostrEvent[], bound: "least" | "lasting") => {
    const input = {
      accepted: new Map([["a.example", [versions[0]!, trusting]], ["b.example", [versions.at(-1)!, state]]]),
      pushed: [{ host: "b.example", identifier: "r", oids: [oid] }],
      hosts: new Map([["a.example", []], ["b.example", []]]),
      commits,
      listings: new Listings([...versions, trusting]),
    };
    return predict(input, bound).get("a.example")!.judgement.served.has(versions.at(-1)!.id);
  };
  assert.equal(servedAtA([before, after], "least"), false, "a may have dropped it before it knew the owner");
  assert.equal(servedAtA([before, after], "lasting"), true);
  assert.equal(servedAtA([before], "least"), true, "nothing ended this link");
});
