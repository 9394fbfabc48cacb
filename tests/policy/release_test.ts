import { deepStrictEqual, strictEqual } from "node:assert/strict";
import type { NostrEvent } from "../../lib/nostr/mod.ts";
import {
  deadlineAfterRestart,
  decideExpiry,
  DURATION,
  type IdentifierView,
  planRelease,
  settleRelease,
} from "../../lib/policy/mod.ts";
import {
  announcementEvent,
  event,
  KEYS,
  type Name,
  NOW,
  oid,
  REPO,
  served,
  stateEvent,
  stateRow,
  view,
  waiting,
  waitingRow,
} from "./support.ts";

const names = (keys: Iterable<string>) =>
  [...keys].map((key) => Object.entries(KEYS).find(([, value]) => value === key)![0]).sort();

function released(
  world: IdentifierView,
  complete: readonly NostrEvent[],
  owners: readonly Name[],
  failing: readonly Name[] = [],
) {
  const plan = planRelease(
    world,
    new Set(complete.map(({ id }) => id)),
    new Set(owners.map((owner) => KEYS[owner])),
  );
  const aligned = plan.alignments.map(({ owner }) => owner).filter((owner) =>
    !failing.some((name) => KEYS[name] === owner)
  );
  const outcome = settleRelease(world, plan, new Set(aligned));
  return {
    refs: Object.fromEntries(
      plan.alignments.map(({ owner, state }) => [names([owner])[0], state.refs.get("refs/heads/main")?.[0]]),
    ),
    promoted: names(outcome.promote.map(({ owner }) => owner)),
    served: outcome.serve.map(({ event }) => event.id),
    superseded: plan.superseded,
    unauthorised: plan.unauthorised,
  };
}

const state = (author: Name, digit: string, at: number) =>
  stateEvent(author, { "refs/heads/main": oid(digit) }, at);
const alone = (...states: NostrEvent[]) =>
  view({
    announcements: [waiting(announcementEvent("alice", { maintainers: ["bob"] }))],
    waitingStates: states.map((s) => stateRow(s)),
  });

Deno.test("P-27 the push for the older of two waiting states releases only that one", () => {
  const [older, newer] = [state("alice", "1", 10), state("alice", "2", 20)];
  const result = released(alone(older, newer), [older], ["alice"]);
  deepStrictEqual(result, {
    refs: { alice: "1" },
    promoted: ["alice"],
    served: [older.id],
    superseded: [],
    unauthorised: [],
  });
});

Deno.test("P-28 data completing two states of one author serves the newer and drops the older unseen", () => {
  const [older, newer] = [state("alice", "1", 10), state("alice", "2", 20)];
  const result = released(alone(older, newer), [older, newer], ["alice"]);
  deepStrictEqual([result.refs, result.served, result.superseded], [{ alice: "2" }, [newer.id], [older.id]]);
});

Deno.test("P-29 states of two maintainers are both served, the newer governs, ties go to the lower id", () => {
  const [first, second] = [state("alice", "1", 10), state("bob", "2", 20)];
  const result = released(alone(first, second), [first, second], ["alice"]);
  deepStrictEqual([result.refs, result.served], [{ alice: "2" }, [first.id, second.id]]);
  const [low, high] = [state("alice", "1", 10), state("bob", "2", 10)];
  deepStrictEqual(released(alone(low, high), [low, high], ["alice"]).refs, { alice: "1" });
});

Deno.test("P-31 R-62 an older state of another maintainer is served without moving refs", () => {
  const older = state("bob", "1", 10);
  const newer = state("alice", "2", 20);
  const world = view({
    announcements: [served(announcementEvent("alice", { maintainers: ["bob"] }))],
    stored: [newer],
    waitingStates: [stateRow(older)],
  });
  const result = released(world, [older, newer], ["alice"]);
  deepStrictEqual([result.refs, result.served], [{ alice: "2" }, [older.id]]);
});

Deno.test("R-64 G-56 P-56 P-57 a shared maintainer's state moves and promotes exactly the owners who trust it", () => {
  const shared = state("carol", "1", 10);
  const world = view({
    announcements: [
      waiting(announcementEvent("alice", { maintainers: ["carol"] })),
      waiting(announcementEvent("bob", { maintainers: ["carol"] })),
      waiting(announcementEvent("mallory")),
    ],
    waitingStates: [stateRow(shared)],
  });
  const result = released(world, [shared], ["alice", "bob", "mallory"]);
  deepStrictEqual([result.refs, result.promoted], [{ alice: "1", bob: "1" }, ["alice", "bob"]]);
});

Deno.test("P-60 an owner whose repository could not be aligned stays waiting, the others are served", () => {
  const shared = state("carol", "1", 10);
  const world = view({
    announcements: [
      waiting(announcementEvent("alice", { maintainers: ["carol"] })),
      waiting(announcementEvent("bob", { maintainers: ["carol"] })),
    ],
    waitingStates: [stateRow(shared)],
  });
  const partly = released(world, [shared], ["alice", "bob"], ["bob"]);
  deepStrictEqual([partly.promoted, partly.served], [["alice"], [shared.id]]);
  const nowhere = released(world, [shared], ["alice", "bob"], ["alice", "bob"]);
  deepStrictEqual([nowhere.promoted, nowhere.served], [[], []]);
});

Deno.test("a state that lost its authority while waiting is dropped and never served", () => {
  const stranger = state("mallory", "1", 10);
  const result = released(alone(stranger), [stranger], ["alice"]);
  deepStrictEqual([result.served, result.unauthorised, result.promoted], [[], [stranger.id], []]);
});

Deno.test("P-4 R-65 a state without refs never promotes, and is served once the announcement is", () => {
  const empty = event("bob", 30618, [["d", REPO]], 30);
  const full = state("alice", "1", 10);
  const world = alone(empty, full);
  deepStrictEqual(released(world, [], ["alice"]).served, []);
  deepStrictEqual(released(world, [full], ["alice"]).served, [full.id, empty.id]);
});

Deno.test("P-11 P-12 P-15 P-17 P-18 expiry: soft first, never with data or in use, fully after the day", () => {
  const row = waitingRow(announcementEvent("alice"), {
    deadlineAt: NOW,
    firstEnteredAt: NOW - DURATION.announcementMs,
  });
  const idle = { inUse: false, hasRefs: false };
  const cases = [
    [row, idle, NOW - 1, "skip"],
    [row, idle, NOW, "softExpire"],
    [row, { ...idle, inUse: true }, NOW, "skip"],
    [row, { ...idle, hasRefs: true }, NOW, "release"],
    [{ ...row, phase: "soft" as const }, idle, NOW, "expire"],
    [{ ...row, firstEnteredAt: NOW - DURATION.announcementCapMs }, idle, NOW, "expire"],
  ] as const;
  for (const [entry, facts, now, action] of cases) {
    strictEqual(decideExpiry(entry, facts, now).action, action);
  }
  const soft = decideExpiry(row, idle, NOW + 5);
  deepStrictEqual(soft, { action: "softExpire", deadlineAt: NOW + 5 + DURATION.softExpiredMs });
});

Deno.test("P-86 P-91 after a restart deadlines are clamped, and active entries get 120 s", () => {
  const durations = { fullMs: DURATION.stateMs, capMs: DURATION.stateCapMs };
  const at = (deadlineAt: number, firstEnteredAt: number) =>
    deadlineAfterRestart({ deadlineAt, firstEnteredAt }, durations, NOW);
  strictEqual(at(NOW + 600_000, NOW - 1), NOW + 600_000);
  strictEqual(at(NOW - 1, NOW - 3_600_000), NOW + DURATION.restartGraceMs);
  strictEqual(at(NOW + 86_400_000, NOW + 86_400_000), NOW + DURATION.stateMs);
  strictEqual(at(NOW - 1, NOW - DURATION.stateCapMs - 1), NOW - 1);
});

Deno.test("a state older than its author's served one without refs moves no refs and is dropped", () => {
  const old = state("alice", "1", 2000);
  const world = view({
    announcements: [served(announcementEvent("alice"))],
    stored: [stateEvent("alice", {}, 3000)],
    waitingStates: [stateRow(old)],
  });
  const { refs, superseded } = released(world, [old], ["alice"]);
  deepStrictEqual([refs, superseded], [{}, [old.id]]);
});

Deno.test("refs never move to a state older than the served one, although its data is lost", () => {
  const old = state("bob", "1", 2000);
  const world = view({
    announcements: [served(announcementEvent("alice", { maintainers: ["bob"] }))],
    stored: [state("alice", "2", 3000)],
    waitingStates: [stateRow(old)],
  });
  const { refs, served: saved } = released(world, [old], ["alice"]);
  deepStrictEqual([refs, saved], [{}, [old.id]]);
});
