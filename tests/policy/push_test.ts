import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { ZERO_OID } from "../../lib/nostr/mod.ts";
import {
  decidePush,
  DURATION,
  type IdentifierView,
  type PullRequestKnowledge,
  type PushCase,
  type RefCommand,
} from "../../lib/policy/mod.ts";
import {
  announcementEvent,
  elsewhere,
  KEYS,
  type Name,
  NOW,
  oid,
  OPEN,
  served,
  stateEvent,
  stateRow,
  view,
  waiting,
} from "./support.ts";

const main = (digit: string, old = ZERO_OID): RefCommand => ({
  ref: "refs/heads/main",
  oldOid: old,
  newOid: oid(digit),
});
const remove = (ref: string, old: string): RefCommand => ({ ref, oldOid: old, newOid: ZERO_OID });

function push(
  world: IdentifierView,
  commands: readonly RefCommand[],
  present: readonly string[] = [],
  owner: Name = "alice",
  more: Partial<PushCase> = {},
) {
  return decidePush({
    view: world,
    owner: KEYS[owner],
    commands,
    present: new Set(present),
    rules: OPEN,
    pullRequests: new Map(),
    placeholdersFull: false,
    now: NOW,
    ...more,
  });
}

const waitingState = (author: Name, refs: Record<string, string>, at = 2000) =>
  stateRow(stateEvent(author, refs, at));
const hosted = (...states: ReturnType<typeof waitingState>[]) =>
  view({ announcements: [waiting(announcementEvent("alice"))], waitingStates: states });

Deno.test("G-25 a push of exactly the refs of a waiting state is accepted and pins what it uses", () => {
  const row = waitingState("alice", { "refs/heads/main": oid("1") });
  const verdict = push(hosted(row), [main("1")]);
  ok(verdict.ok);
  deepStrictEqual(verdict.pins, { states: [row.event.id], announcement: true, pullRequests: [] });
  strictEqual(verdict.changesRefs, true);
});

Deno.test("P-13 P-43 an authorised push extends announcement and state, never shortens", () => {
  const state = stateRow(stateEvent("alice", { "refs/heads/main": oid("1") }), { deadlineAt: NOW + 1_000 });
  const verdict = push(
    view({
      announcements: [waiting(announcementEvent("alice"), { deadlineAt: NOW + 1_000 })],
      waitingStates: [state],
    }),
    [main("1")],
  );
  ok(verdict.ok);
  const deadlines = verdict.effects.map((effect) =>
    "row" in effect ? [effect.type, effect.row.deadlineAt] : []
  );
  deepStrictEqual(deadlines, [
    ["holdAnnouncement", NOW + DURATION.announcementMs],
    ["holdState", NOW + DURATION.pushFloorMs],
  ]);
});

Deno.test("G-24 G-26 G-34 refusals name the reason per ref", () => {
  const none = push(hosted(), [main("1")]);
  ok(!none.ok);
  match(none.reasons.get("refs/heads/main")!, /^authorisation failed: No state events in purgatory$/);
  const wrong = push(hosted(waitingState("alice", { "refs/heads/main": oid("1") })), [main("2")]);
  ok(!wrong.ok);
  match(
    wrong.reasons.get("refs/heads/main")!,
    /1 state event in purgatory from authorized publisher but doesn't match push \(refs\/heads\/main would be at 22222222 but state declares 11111111\)/,
  );
  const partial = push(
    hosted(waitingState("alice", { "refs/heads/main": oid("1"), "refs/tags/v1": oid("3") })),
    [main("1")],
  );
  ok(!partial.ok);
  match(partial.text, /refs\/tags\/v1 missing \(state declares 33333333\)/);
  const stranger = push(hosted(waitingState("mallory", { "refs/heads/main": oid("1") })), [main("1")]);
  ok(!stranger.ok);
  match(stranger.text, /1 state event in purgatory but none from authorized publishers/);
});

Deno.test("G-29 P-57 a push is judged by the URL's owner alone", () => {
  const world = view({
    announcements: [waiting(announcementEvent("alice")), waiting(announcementEvent("bob"))],
    waitingStates: [waitingState("bob", { "refs/heads/main": oid("1") })],
  });
  ok(!push(world, [main("1")]).ok);
  ok(push(world, [main("1")], [], "bob").ok);
});

Deno.test("G-35 IO-16 declared refs that are not pushed must be here already", () => {
  const world = hosted(waitingState("alice", { "refs/heads/main": oid("1"), "refs/heads/dev": oid("2") }));
  ok(push(world, [main("1")], [oid("2")]).ok);
  ok(!push(world, [main("1")], []).ok);
});

Deno.test("G-31 G-32 IO-18 deletions are allowed for what the state does not list, and for nothing else", () => {
  const world = hosted(waitingState("alice", { "refs/heads/main": oid("1") }));
  ok(push(world, [main("1"), remove("refs/heads/dev", oid("2"))]).ok);
  ok(push(world, [main("1"), remove("refs/heads/gone", ZERO_OID)]).ok);
  const verdict = push(world, [remove("refs/heads/main", oid("1"))], [oid("1")]);
  ok(!verdict.ok);
  match(verdict.text, /refs\/heads\/main missing/);
});

Deno.test("G-37 P-35 a ref outside heads and tags refuses the whole push", () => {
  const world = hosted(waitingState("alice", { "refs/heads/main": oid("1") }));
  const verdict = push(world, [main("1"), { ref: "refs/notes/x", oldOid: ZERO_OID, newOid: oid("2") }]);
  ok(!verdict.ok);
  match(verdict.reasons.get("refs/notes/x")!, /only refs\/heads, refs\/tags and refs\/nostr are accepted/);
  match(verdict.reasons.get("refs/heads/main")!, /another ref in this push was refused/);
});

Deno.test("G-38 a push that changes nothing is accepted without a state and releases nothing", () => {
  const verdict = push(hosted(), [main("1", oid("1"))]);
  ok(verdict.ok);
  strictEqual(verdict.changesRefs, false);
  ok(!push(view({}), [main("1", oid("1"))]).ok);
});

Deno.test("G-39 P-36 the served state authorises re-pushing; an older waiting one authorises nothing", () => {
  const world = view({
    announcements: [served(announcementEvent("alice", { maintainers: ["bob"] }))],
    stored: [stateEvent("alice", { "refs/heads/main": oid("2") }, 3000)],
    waitingStates: [waitingState("bob", { "refs/heads/main": oid("1") }, 2000)],
  });
  ok(!push(world, [main("1", oid("2"))]).ok);
  ok(push(world, [main("2")]).ok);
});

Deno.test("G-41 P-29 of two states with equal times the lower id is tried first", () => {
  const first = waitingState("alice", { "refs/heads/main": oid("1") }, 2000);
  const second = waitingState("alice", { "refs/heads/main": oid("1") }, 2000);
  const verdict = push(hosted(second, first), [main("1")]);
  ok(verdict.ok);
  deepStrictEqual(verdict.pins.states, [[first.event.id, second.event.id].sort()[0]]);
});

Deno.test("a repository nobody announced here, or announced for another server only, takes no push", () => {
  const missing = push(view({}), [main("1")]);
  ok(!missing.ok);
  match(missing.text, /No repository announcement found$/);
  const other = push(view({ announcements: [served(announcementEvent("bob"))] }), [main("1")]);
  ok(!other.ok);
  match(other.text, new RegExp(`No repository announcement found for owner ${KEYS.alice}`));
  const away = push(view({ announcements: [elsewhere(announcementEvent("alice"))] }), [main("1")]);
  ok(!away.ok);
  match(away.text, /read-only archive/);
});

const ID = "ab".repeat(32);
const offer = (ref = `refs/nostr/${ID}`, newOid = oid("7")): RefCommand => ({
  ref,
  oldOid: ZERO_OID,
  newOid,
});

function offered(known: PullRequestKnowledge | undefined, command = offer(), more: Partial<PushCase> = {}) {
  const pullRequests = new Map(known ? [[command.ref, known]] : []);
  const verdict = push(hosted(), [command], [], "alice", { pullRequests, ...more });
  return verdict.ok ? "" : verdict.reasons.get(command.ref)!;
}

Deno.test("G-45 G-48 R-68 P-45 pull request refs: unknown, placeholder, right and wrong commit", () => {
  strictEqual(offered({ type: "unknown", id: ID }), "");
  strictEqual(offered({ type: "placeholder", id: ID }), "");
  for (const type of ["waiting", "served"] as const) {
    strictEqual(offered({ type, id: ID, commit: oid("7") }), "");
    const where = type === "waiting" ? " \\(purgatory\\)" : "";
    match(
      offered({ type, id: ID, commit: oid("8") }),
      new RegExp(`PR event ${ID}${where} specifies commit ${oid("8")}, but push contains ${oid("7")}$`),
    );
  }
  match(offered({ type: "served", id: ID, commit: undefined }), /has no `c` tag/);
  match(offered({ type: "otherKind", id: ID }), /is not a pull request/);
});

Deno.test("G-46 G-51 malformed event ids and deletions under refs/nostr are refused", () => {
  for (const name of ["xyz", "a".repeat(63), ID.toUpperCase(), "note1xyz", `${ID}/x`]) {
    match(offered(undefined, offer(`refs/nostr/${name}`)), /Invalid event ID format in ref/);
  }
  match(
    offered({ type: "placeholder", id: ID }, offer(undefined, ZERO_OID)),
    /deleting refs\/nostr\/ refs is not allowed/,
  );
});

Deno.test("at the bound of unannounced pull request refs a new one is refused, a known one not", () => {
  match(
    offered({ type: "unknown", id: ID }, offer(), { placeholdersFull: true }),
    /too many unannounced PR refs$/,
  );
  strictEqual(offered({ type: "placeholder", id: ID }, offer(), { placeholdersFull: true }), "");
});

Deno.test("a branch and a pull request ref in one push are each judged by their own rule", () => {
  const world = hosted(waitingState("alice", { "refs/heads/main": oid("1") }));
  const pullRequests = new Map([[offer().ref, { type: "unknown", id: ID } as const]]);
  ok(push(world, [main("1"), offer()], [], "alice", { pullRequests }).ok);
  const wrong = push(world, [main("2"), offer()], [], "alice", { pullRequests });
  ok(!wrong.ok);
  match(wrong.reasons.get(offer().ref)!, /another ref in this push was refused/);
});

Deno.test("R-53 R-45 archived and blacklisted repositories take no push, refs/nostr included", () => {
  const world = hosted(waitingState("alice", { "refs/heads/main": oid("1") }));
  const archive = { ...OPEN.archive, all: true, readOnly: true };
  const readOnly = push(world, [main("1")], [], "alice", { rules: { ...OPEN, archive } });
  ok(!readOnly.ok);
  match(readOnly.text, /repository is a read-only archive/);
  const blacklisted = { ...OPEN, repositoryBlacklist: [{ kind: "owner" as const, pubkey: KEYS.alice }] };
  match(offered({ type: "unknown", id: ID }, offer(), { rules: blacklisted }), /is blacklisted/);
});

Deno.test("G-39 a waiting state older than its author's served one without refs authorises nothing", () => {
  const world = view({
    announcements: [served(announcementEvent("alice"))],
    stored: [stateEvent("alice", {}, 3000)],
    waitingStates: [waitingState("alice", { "refs/heads/main": oid("1") })],
  });
  const verdict = push(world, [main("1")]);
  strictEqual(
    verdict.ok ? "" : verdict.text,
    "authorisation failed: No matching state event found in purgatory from authorized publishers",
  );
});

Deno.test("a maintainer's waiting state that can never match is not called a stranger's", () => {
  const verdict = push(hosted(waitingState("alice", { "refs/heads/main": "abc123" })), [main("1")]);
  match(verdict.ok ? "" : verdict.text, /: No matching state event found in purgatory from authorized/);
});
