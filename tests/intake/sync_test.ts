import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import type { Store } from "../../lib/store/mod.ts";
import { announcement, BAD_SIGNATURE, bench, DOMAIN, event, KEYS, NOW, state } from "./support.ts";

const OID = "1".repeat(40);

Deno.test("S-89 scenario S58: an event from 50 relays at once is judged, stored and announced once", () =>
  bench(async ({ sync, verified, notified, store, bring }) => {
    await sync(announcement("alice"));
    await sync(state("alice", OID));
    await bring("alice", [OID]);
    const issue = event("bob", 1621, [["a", `30617:${KEYS.alice}:x`]]);
    const before = verified();
    const told = notified.length;
    const answers = await Promise.all(Array.from({ length: 50 }, () => sync(issue)));
    strictEqual(verified() - before, 1);
    ok(await store.has(issue.id));
    deepStrictEqual(notified.slice(told), [issue]);
    const results = answers.map(({ result }) => result);
    strictEqual(results.filter((result) => result === "saved").length, 1);
    strictEqual(results.filter((result) => result === "duplicate").length, 49);
    ok(answers.every(({ accepted }) => accepted));
    strictEqual((await sync(issue)).result, "duplicate");
  }));

Deno.test("S-89 a copy with a bad signature does not spoil the good one that arrives with it", () =>
  bench(async ({ sync, store }) => {
    const good = event("bob", 10317, []);
    const answers = await Promise.all([sync({ ...good, sig: BAD_SIGNATURE }), sync(good)]);
    deepStrictEqual(answers.map(({ result }) => result), ["invalid", "saved"]);
    ok(await store.has(good.id));
  }));

Deno.test("P-63 a state or pull request sent twice at once with its data here is served and does not wait", () =>
  bench(async ({ submit, sync, bring, store }) => {
    await submit(announcement("alice", { maintainers: [KEYS.bob] }));
    await submit(state("alice", OID));
    await bring("alice", [OID]);
    const again = state("bob", OID, { at: NOW + 1 });
    const pull = event("carol", 1618, [["a", `30617:${KEYS.alice}:x`], ["c", OID]]);
    for (const each of [again, pull]) {
      const answers = await Promise.all([submit(each), sync(each), submit(each)]);
      deepStrictEqual(answers.map(({ result }) => result).sort(), ["duplicate", "duplicate", "saved"]);
      ok(await store.has(each.id));
      strictEqual(await store.waitingKind(each.id), undefined);
    }
  }));

Deno.test("S-74 what nobody should have sent on is invalid; what policy refuses is rejected", () =>
  bench(async ({ intake, sync, store }) => {
    const invalid: unknown[] = [
      null,
      { id: "x" },
      { ...event("bob", 1, []), content: "changed" },
      { ...event("bob", 1, []), sig: BAD_SIGNATURE },
      event("bob", 1, [], NOW + 1_801),
    ];
    for (const value of invalid) {
      const { result, accepted } = await intake.admit(value, "sync");
      deepStrictEqual([result, accepted], ["invalid", false]);
    }
    const rejected = [
      event("bob", 1, [["expiration", String(NOW)]]),
      event("bob", 1, [["-"]]),
      event("bob", 1, []),
      event("bob", 30617, []),
      announcement("bob", { elsewhere: true }),
      state("bob", OID),
    ];
    for (const each of rejected) {
      strictEqual((await sync(each)).result, "rejected", JSON.stringify(each.tags));
    }
    strictEqual((await sync(announcement("alice"))).result, "purgatory");
    strictEqual((await sync(announcement("alice"))).result, "purgatory");
    const unwanted = await store.unwanted(invalid.slice(3).map((value) => (value as { id: string }).id));
    deepStrictEqual(
      [...unwanted].length,
      1,
      "the future one is not remembered, the other is by its good copy",
    );
  }));

Deno.test("S-55 S-91 scenario S64: what was refused is not asked for again, whatever it was refused for", () =>
  bench(async ({ sync, store, verified }) => {
    const refused = [
      announcement("bob", { elsewhere: true }),
      state("bob", OID),
      event("bob", 1, []),
      event("bob", 1618, [["a", `30617:${KEYS.bob}:x`], ["c", OID]]),
      event("bob", 1, [["-"]]),
      event("mallory", 1, []),
    ];
    for (const each of refused) await sync(each);
    const ids = refused.map(({ id }) => id);
    deepStrictEqual(new Set(await store.unwanted(ids)), new Set(ids));
    const before = verified();
    for (const each of refused.slice(0, 4)) strictEqual((await sync(each)).result, "rejected");
    strictEqual(verified(), before, "a remembered event is not judged");
    const missing = event("bob", 30617, []);
    await sync(missing);
    strictEqual((await store.unwanted([missing.id])).size, 0);
  }, { rules: { eventBlacklist: new Set([KEYS.mallory]) } }));

Deno.test("S-56 a superseded version seen from a relay is not asked for again, nor a deleted event", () =>
  bench(async ({ sync, store, clock }) => {
    const [old, current] = [event("bob", 10317, [], NOW - 9), event("bob", 10317, [], NOW - 8)];
    await sync(current);
    strictEqual((await sync(old)).result, "duplicate");
    const request = event("carol", 5, [["e", "0".repeat(64)]]);
    const target = event("carol", 10317, []);
    await sync(request);
    await sync(event("carol", 5, [["e", target.id]]));
    strictEqual((await sync(target)).result, "rejected");
    deepStrictEqual(await store.unwanted([old.id, target.id]), new Set([old.id, target.id]));
    clock.jump(7 * 86_400_000);
    strictEqual((await store.unwanted([old.id, target.id])).size, 0);
  }));

Deno.test("a blocked author's ids are left alone for 24 hours only", () =>
  bench(async ({ sync, store, clock, verified }) => {
    const blocked = event("mallory", 30617, [["d", "x"]]);
    strictEqual((await sync(blocked)).result, "rejected");
    strictEqual(verified(), 0);
    strictEqual((await store.unwanted([blocked.id])).size, 1);
    clock.jump(86_400_000);
    strictEqual((await store.unwanted([blocked.id])).size, 0);
  }, { rules: { eventBlacklist: new Set([KEYS.mallory]) } }));

Deno.test("S-92 a storage error is a failure, tried three times, and never remembered as a refusal", () => {
  let left = 0;
  let tries = 0;
  const tamper = (store: Store): Store =>
    new Proxy(store, {
      get(target, name) {
        if (name === "commit" && left > 0) {
          return (changes: Parameters<Store["commit"]>[0]) => {
            if (!changes.insertEvents) return target.commit(changes);
            tries++;
            left--;
            return Promise.reject(new Error("disk full"));
          };
        }
        const value: unknown = Reflect.get(target, name);
        return typeof value === "function" ? value.bind(target) as unknown : value;
      },
    });
  return bench(async ({ sync, store, submit }) => {
    const list = event("bob", 10317, []);
    left = 3;
    const answer = await sync(list);
    deepStrictEqual([answer.result, answer.message], ["failed", "error: could not store event"]);
    strictEqual(tries, 3);
    strictEqual((await store.unwanted([list.id])).size, 0);
    left = 2;
    strictEqual((await sync(list)).result, "saved");
    const own = event("carol", 10317, []);
    left = 1;
    strictEqual((await submit(own)).result, "failed");
  }, { tamper });
});

Deno.test("S-96 S-97 P-42 what sync put into purgatory becomes a user's with a fresh 30 minutes", () =>
  bench(async ({ sync, submit, store, clock, bring, handedOver }) => {
    await sync(announcement("bob", { identifier: "y" }));
    await sync(state("bob", "3".repeat(40), { identifier: "y" }));
    await bring("bob", ["3".repeat(40)], "y");
    handedOver.length = 0;
    const mine = announcement("alice");
    const declared = state("alice", OID);
    const pull = event("carol", 1618, [["a", `30617:${KEYS.bob}:y`], ["c", OID]]);
    for (const each of [mine, declared, pull]) strictEqual((await sync(each)).result, "purgatory");
    deepStrictEqual(handedOver, [declared, pull]);
    await clock.advance(20 * 60_000);
    for (const each of [mine, declared, pull]) strictEqual((await sync(each)).result, "purgatory");
    deepStrictEqual(handedOver, [declared, pull, declared, pull], "also when it waited already");
    const deadlines = async () => {
      const rows = await store.readIdentifier("x");
      const waiting = [
        rows.waitingAnnouncements[0]!,
        rows.waitingStates[0]!,
        (await store.waitingPullRequest(pull.id))!,
      ];
      return waiting.map(({ source, deadlineAt }) => [source, (deadlineAt - NOW * 1000) / 60_000]);
    };
    deepStrictEqual(await deadlines(), [["sync", 30], ["sync", 30], ["sync", 30]]);
    for (const each of [mine, declared, pull]) ok((await submit(each)).accepted);
    deepStrictEqual(await deadlines(), [["direct", 50], ["direct", 50], ["direct", 50]]);
    strictEqual(handedOver.length, 4, "a user's are not handed over");
  }));

Deno.test("S-96 scenario S48: expired, refused from sync, accepted from a user; announcements too", () =>
  bench(async ({ sync, submit, store, clock, sweep, verified }) => {
    const mine = announcement("alice");
    const declared = state("alice", OID);
    await sync(mine);
    await sync(declared);
    await clock.advance(31 * 60_000);
    await sweep.expire();
    match((await sync(declared)).message, /previously expired from purgatory/);
    await clock.advance(25 * 3_600_000);
    await sweep.expire();
    const before = verified();
    const again = await sync(mine);
    deepStrictEqual([again.result, again.message], [
      "rejected",
      "invalid: previously expired from purgatory without git data",
    ]);
    strictEqual(verified(), before);
    deepStrictEqual(await store.unwanted([mine.id, declared.id]), new Set([mine.id, declared.id]));
    strictEqual((await submit(mine)).result, "purgatory");
    strictEqual((await submit(declared)).result, "purgatory");
    ok(!await store.isExpired(mine.id) && !await store.isExpired(declared.id));
  }));

Deno.test("S-55 an event whose servers could not be reached at all is tried again after a day", () =>
  bench(async ({ parts, store, clock, sync }) => {
    const { Sweep } = await import("../../lib/purgatory/mod.ts");
    const { KeyedLock } = await import("../../lib/world/mod.ts");
    const away = new Sweep({ ...parts, expiryCause: () => "unreachable" }, new KeyedLock(), () => 0);
    const declared = state("alice", OID);
    await sync(announcement("alice"));
    await sync(declared);
    await clock.advance(31 * 60_000);
    await away.expire();
    ok(await store.isExpired(declared.id));
    await clock.advance(86_400_000);
    ok(!await store.isExpired(declared.id));
  }));

Deno.test("scenario S49: a soft-expired announcement is not fetched again, and a synced state revives it", () =>
  bench(async ({ sync, store, clock, sweep }) => {
    const mine = announcement("alice");
    await sync(mine);
    await clock.advance(31 * 60_000);
    await sweep.expire();
    const phase = async () => (await store.readIdentifier("x")).waitingAnnouncements[0]?.phase;
    strictEqual(await phase(), "soft");
    strictEqual((await store.unwanted([mine.id])).size, 1);
    strictEqual((await sync(mine)).result, "purgatory");
    strictEqual(await phase(), "soft");
    strictEqual((await sync(state("alice", OID))).result, "purgatory");
    strictEqual(await phase(), "active");
  }));

Deno.test("scenario S67: a replayed announcement stays in purgatory, and an older refused one evicts nothing", () =>
  bench(async ({ sync, store }) => {
    const current = announcement("alice");
    await sync(current);
    strictEqual((await sync(current)).result, "purgatory");
    const older = announcement("alice", { elsewhere: true, at: NOW - 1 });
    strictEqual((await sync(older)).result, "duplicate");
    const [row] = (await store.readIdentifier("x")).waitingAnnouncements;
    deepStrictEqual([row?.event.id, row?.phase], [current.id, "active"]);
    strictEqual((await store.unwanted([older.id])).size, 1);
  }));

Deno.test("scenario S45: a maintainers tag with something that is no key is warned of and otherwise ignored", () =>
  bench(async ({ sync, log }) => {
    const mixed = announcement("alice", { maintainers: ["npub1nonsense", KEYS.bob, ""] });
    strictEqual((await sync(mixed)).result, "purgatory");
    strictEqual((await sync(mixed)).result, "purgatory");
    const warned = log.lines.filter((line) => line.includes("maintainer keys could not be read"));
    deepStrictEqual(warned.length, 1);
    match(warned[0]!, /^warn .*"skipped":2/);
    strictEqual((await sync(state("bob", OID))).result, "purgatory");
    ok(DOMAIN);
  }));
