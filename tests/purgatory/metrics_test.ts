import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { DURATION } from "../../lib/policy/mod.ts";
import { seriesOf } from "../observe/exposition.ts";
import { DOMAIN, type Engine, engine } from "../support/engine.ts";
import { commitFile, newWorkTree, refsOf } from "../support/git_client.ts";
import { announce, declare, newSigner } from "../support/keys.ts";
import { contributing, offer, placeOf, propose } from "./contribution_support.ts";

const MINUTE = 60_000;
const PREFIX = "ngit_purgatory_";
/** Durations and sizes of the moment have tests of their own. */
const MOMENTARY = /_(?:bucket|sum)|^(?:processing_seconds|entries|oldest_entry_seconds)/;

/** All samples of purgatory, of a rendering that is certainly fresh. */
async function samples({ metrics, clock }: Engine): Promise<Map<string, number>> {
  clock.jump(10_000);
  const all = [...seriesOf((await metrics.render()).body)].filter(([name]) => name.startsWith(PREFIX));
  return new Map(all.map(([name, value]) => [name.slice(PREFIX.length).replaceAll('"', ""), value]));
}

/** What `step` changes, by series. */
async function changes(world: Engine, step: () => Promise<unknown>): Promise<Record<string, number>> {
  const before = await samples(world);
  await step();
  const after = [...await samples(world)].map(([name, value]) => [name, value - before.get(name)!] as const);
  return Object.fromEntries(after.filter(([name, change]) => change !== 0 && !MOMENTARY.test(name)));
}

async function repository({ directory, submit }: Engine, identifier = "repo") {
  const owner = newSigner();
  const work = await newWorkTree(`${directory}/work-${identifier}`);
  const announcement = announce(owner, identifier, { domain: DOMAIN });
  ok((await submit(announcement)).accepted);
  return { owner, work, announcement, key: { owner: owner.pubkey, identifier } };
}

Deno.test("P-96 a push counts its match, the releases and how long both waited", () =>
  engine(async (world) => {
    const { owner, work } = await repository(world);
    const push = () => world.push(work, owner.pubkey, "repo", ["refs/heads/main"]);
    deepStrictEqual(await changes(world, push), { "push_match_total{result=none}": 1 });
    const first = declare(owner, "repo", await refsOf(work), { head: "refs/heads/main" });
    await world.submit(first);
    deepStrictEqual(await changes(world, () => world.sync(first)), {
      "duplicates_total{source=sync,type=state}": 1,
    });
    world.clock.jump(10 * MINUTE);
    const push1 = await changes(world, push);
    deepStrictEqual(push1, {
      "push_match_total{result=waiting}": 1,
      "released_total{source=direct,type=announcement}": 1,
      "released_total{source=direct,type=state}": 1,
      "wait_seconds_count{type=announcement,via=push}": 1,
      "wait_seconds_count{type=state,via=push}": 1,
    });
    const sum = (await samples(world)).get("wait_seconds_sum{type=state,via=push}")!;
    ok(sum >= 600 && sum < 660, `${sum}`);
    deepStrictEqual(await changes(world, push), { "push_match_total{result=noop}": 1 });
    await commitFile(work, "more", "more\n");
    deepStrictEqual(await changes(world, push), { "push_match_total{result=mismatch}": 1 });
    ok((await samples(world)).get("processing_seconds_count")! > 0);
    strictEqual((await samples(world)).get("dirty_repositories"), 0);
  }));

Deno.test("P-96 expiry, refusal of the expired, revival and replacement are counted once each", () =>
  engine(async (world) => {
    const { owner, announcement, key } = await repository(world);
    world.clock.jump(DURATION.announcementMs);
    deepStrictEqual(await changes(world, () => world.sweep.expire()), {
      "repositories_deleted_total{reason=expired,result=removed}": 1,
    });
    const renew = () => world.submit(announcement);
    deepStrictEqual(await changes(world, renew), { revived_total: 1 });
    const newer = announce(owner, "repo", { domain: DOMAIN, created_at: announcement.created_at + 1 });
    deepStrictEqual(await changes(world, () => world.submit(newer)), { replaced_total: 1 });
    const age = (await samples(world)).get("oldest_entry_seconds{type=announcement}")!;
    ok(age >= DURATION.announcementMs / 1000 && age < 2 * DURATION.announcementMs / 1000, `${age}`);
    world.clock.jump(DURATION.announcementMs);
    await world.sweep.expire();
    world.clock.jump(DURATION.softExpiredMs);
    deepStrictEqual(await changes(world, () => world.sweep.expire()), {
      "expired_total{source=direct,type=announcement}": 1,
      expired_ids: 1,
    });
    deepStrictEqual(await changes(world, () => world.sync(newer)), {
      "refused_expired_total{type=announcement}": 1,
    });
    ok(!await world.repositories.exists(key));
  }));

Deno.test("P-96 removals are counted by reason: deletion, withdrawal, surplus", () =>
  engine(async (world) => {
    const { owner, announcement } = await repository(world, "gone");
    const state = declare(owner, "gone", { "refs/heads/main": "1".repeat(40) });
    await world.submit(state);
    const deletion = owner.sign({ kind: 5, tags: [["e", state.id]], content: "" });
    deepStrictEqual(await changes(world, () => world.submit(deletion)), {
      "removed_total{reason=deleted,type=state}": 1,
    });
    await world.submit(declare(owner, "gone", { "refs/heads/main": "2".repeat(40) }));
    const elsewhere = announce(owner, "gone", {
      domain: "elsewhere.example",
      created_at: announcement.created_at + 1,
    });
    const withdrawal = await changes(world, async () => {
      match((await world.submit(elsewhere)).message, /^blocked:/);
    });
    deepStrictEqual(withdrawal, {
      "removed_total{reason=service_change,type=announcement}": 1,
      "removed_total{reason=service_change,type=state}": 1,
      "repositories_deleted_total{reason=service_change,result=removed}": 1,
    });
  }));

Deno.test("P-96 a pull request released below /prs/ counts when it waited, not when its commit came first", () =>
  contributing(async (world, { signer, work, commit }) => {
    const [waits, comesLater] = [propose(signer, commit), propose(signer, commit, { content: "second" })];
    await world.submit(waits);
    deepStrictEqual(await changes(world, () => offer(world, work, placeOf(signer), waits.id, commit)), {
      "released_total{source=direct,type=pr}": 1,
      "wait_seconds_count{type=pr,via=push}": 1,
    });
    await offer(world, work, placeOf(signer), comesLater.id, commit);
    deepStrictEqual(await changes(world, () => world.submit(comesLater)), {});
    ok(await world.isServed(comesLater.id));
  }));

Deno.test("P-96 a ref whose event never came is counted as expired", () =>
  contributing(async (world, { signer, work, commit }) => {
    await offer(world, work, placeOf(signer), propose(signer, commit).id, commit);
    world.clock.jump(DURATION.placeholderMs + 60 * MINUTE);
    const { "expired_total{source=direct,type=placeholder}": expired } = await changes(
      world,
      () => world.sweep.expire(),
    );
    strictEqual(expired, 1);
  }));

Deno.test("M-17 remembered announcements and states are counted apart", () =>
  engine(async (world) => {
    const { clock, intake, metrics, sync } = world;
    metrics.observe({ rejectedCounts: () => intake.rejectedCounts() });
    const stranger = newSigner();
    for (const n of ["1", "2"]) {
      await sync(declare(stranger, `orphan-${n}`, { "refs/heads/main": n.repeat(40) }));
    }
    await sync(announce(stranger, "other", { domain: "elsewhere.example" }));
    clock.jump(10_000);
    const series = seriesOf((await metrics.render()).body);
    const sizes = ["hot_cache", "cold_index"].map((memory) =>
      ["announcement", "state"].map((type) =>
        series.get(`ngit_sync_rejected_${memory}_current{event_type="${type}"}`)
      )
    );
    deepStrictEqual(sizes, [[1, 2], [1, 2]]);
  }));
