import assert from "node:assert/strict";
import { auditDueAt, cleanUpAudits } from "../../lib/maintenance/mod.ts";
import { DOMAIN } from "../support/engine.ts";
import { newWorkTree } from "../support/git_client.ts";
import { announce, declare } from "../support/keys.ts";
import { serve, type Site, site, someone } from "./support.ts";

const AGE_MS = 7_200_000;
const MARK = ["t", "grasp-audit-test-event"];
const now = () => Math.floor(Date.now() / 1000);
const isOnDisk = (path: string) => Deno.stat(path).then(() => true, () => false);

async function countOf({ store }: Site, tags: readonly (readonly string[])[] = []): Promise<number> {
  return await store.count([{ tags: new Map(tags.map(([name, value]) => [name!, [value!]])) }]);
}

Deno.test("M-26 the time of removal goes by arrival, and by audit-cleanup-after up to seven days", () => {
  const at = 1_800_000_000_000;
  const due = (values: readonly string[], created_at = 0) => {
    const event = someone().sign({
      kind: 1,
      created_at,
      tags: [MARK, ...values.map((value) => ["t", value])],
    });
    return auditDueAt(event, at, AGE_MS) - at;
  };
  const after = (ms: number) => `audit-cleanup-after-${(at + ms) / 1000}`;
  assert.equal(due([]), AGE_MS);
  assert.equal(due([], 4_000_000_000), AGE_MS);
  assert.equal(due([after(60_000)]), AGE_MS);
  assert.equal(due([after(10_000_000)]), 10_000_000);
  assert.equal(due([after(90 * 86_400_000)]), 7 * 86_400_000);
  assert.equal(due(["audit-cleanup-after-soon", "audit-run-1"]), AGE_MS);
});

Deno.test("M-26 marked events and their repositories vanish two hours after they arrived; unmarked ones stay", () =>
  site(async (place) => {
    const { directory, maintenance, clock, store, submit } = place;
    const work = await newWorkTree(`${directory}/work`);
    const [tester, other] = [someone(), someone()];
    // Back-dated by its author: two hours count from its arrival all the same.
    await submit(announce(tester, "try", { domain: DOMAIN, extraTags: [MARK], created_at: now() - 86_400 }));
    const marked = await serve(place, tester, "audited", work, [MARK]);
    const kept = await serve(place, other, "audited", work);
    const state = declare(tester, "late", { "refs/heads/main": "1".repeat(40) });
    await submit(announce(tester, "late", { domain: DOMAIN, extraTags: [MARK] }));
    await submit(tester.sign({ ...state, tags: [...state.tags, MARK] }));
    const comment = other.sign({
      kind: 1,
      tags: [MARK, ["a", `30617:${other.pubkey}:audited`]],
      content: "marked by its own author",
    });
    await submit(comment);
    assert.ok(await store.has(comment.id));

    await clock.advance(AGE_MS - 60_000);
    assert.deepEqual(await cleanUpAudits(maintenance, AGE_MS), { events: 0, repositories: 0, postponed: 0 });
    assert.equal((await store.waitingCounts()).states, 1);
    const before = await countOf(place);

    await clock.advance(120_000);
    const done = place.repositories.use({ owner: tester.pubkey, identifier: "audited" });
    assert.equal((await cleanUpAudits(maintenance, AGE_MS)).postponed, 1, "a push is under way");
    done();
    await cleanUpAudits(maintenance, AGE_MS);
    assert.ok(!await isOnDisk(marked));
    assert.ok(!await isOnDisk(marked.slice(0, marked.lastIndexOf("/"))), "the owner's empty directory");
    assert.ok(await isOnDisk(kept));
    assert.equal(await countOf(place, [["t", MARK[1]!]]), 0);
    assert.equal(before - await countOf(place), 2, "the marked announcement and the comment");
    const counts = await store.waitingCounts();
    assert.deepEqual([counts.active, counts.states], [0, 0]);
    assert.ok(!await store.isExpired(state.id));
  }));

Deno.test("M-26 a repository announced again without the mark stays", () =>
  site(async (place) => {
    const { directory, maintenance, clock, submit } = place;
    const owner = someone();
    const path = await serve(place, owner, "kept", await newWorkTree(`${directory}/work`), [MARK]);
    await submit(announce(owner, "kept", { domain: DOMAIN, created_at: now() + 10 }));
    await clock.advance(AGE_MS + 60_000);
    assert.deepEqual(await cleanUpAudits(maintenance, AGE_MS), { events: 0, repositories: 0, postponed: 0 });
    assert.ok(await isOnDisk(path));
    assert.equal(await countOf(place), 2);
  }));

Deno.test("another author's mark removes nothing but that author's event", () =>
  site(async (place) => {
    const { directory, maintenance, clock, submit } = place;
    const [owner, stranger] = [someone(), someone()];
    const path = await serve(place, owner, "mine", await newWorkTree(`${directory}/work`));
    await submit(
      announce(stranger, "mine", { domain: DOMAIN, extraTags: [MARK], maintainers: [owner.pubkey] }),
    );
    await clock.advance(AGE_MS + 60_000);
    await cleanUpAudits(maintenance, AGE_MS);
    assert.ok(await isOnDisk(path));
    assert.equal(await countOf(place, []), 2);
  }));
