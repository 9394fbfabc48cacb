import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { decideState, DURATION, type Effect, LIMIT, type StateCase } from "../../lib/policy/mod.ts";
import {
  announcementEvent,
  elsewhere,
  event,
  KEYS,
  NOW,
  oid,
  parsedState,
  REPO,
  served,
  stateEvent,
  stateRow,
  view,
  waiting,
} from "./support.ts";

const MAIN = { "refs/heads/main": oid("1") };

function decide(source: ReturnType<typeof stateEvent>, overrides: Partial<StateCase> = {}) {
  return decideState({
    state: parsedState(source),
    source: "direct",
    view: view({ announcements: [waiting(announcementEvent("alice"))] }),
    repositoryBlacklist: [],
    complete: false,
    expired: false,
    waitingInTotal: 0,
    now: NOW,
    ...overrides,
  });
}

const types = (effects: readonly Effect[]) => effects.map(({ type }) => type);
const message = ({ verdict }: ReturnType<typeof decide>) =>
  verdict.ok ? verdict.message : `${verdict.prefix}: ${verdict.text}`;

Deno.test("R-55 R-56 P-23 a state without announcement, and one by a stranger, are refused", () => {
  strictEqual(
    message(decide(stateEvent("alice", MAIN), { view: view({}) })),
    "invalid: no announcement exists for this repository",
  );
  strictEqual(
    message(decide(stateEvent("mallory", MAIN))),
    "invalid: author not authorized for this repository",
  );
});

Deno.test("R-57 G-27 states by owner, maintainer and second-level maintainer wait for data", () => {
  const world = view({
    announcements: [
      waiting(announcementEvent("alice", { maintainers: ["bob"] })),
      elsewhere(announcementEvent("bob", { maintainers: ["carol"] })),
    ],
  });
  for (const author of ["alice", "bob", "carol"] as const) {
    strictEqual(
      message(decide(stateEvent(author, MAIN), { view: world })),
      "purgatory: won't be served until git data arrives",
    );
  }
  match(message(decide(stateEvent("mallory", MAIN), { view: world })), /not authorized/);
});

Deno.test("a former maintainer whose announcement is not hosted does not authorise itself", () => {
  const world = view({
    announcements: [served(announcementEvent("alice")), elsewhere(announcementEvent("bob"))],
  });
  match(message(decide(stateEvent("bob", MAIN), { view: world })), /not authorized/);
});

Deno.test("R-58 P-24 a malformed object id makes the state wait, never refuse", () => {
  for (const value of ["abc123", "--upload-pack=x", "0".repeat(40), "f".repeat(64), "HEAD"]) {
    const decision = decide(stateEvent("alice", { "refs/heads/main": value }));
    match(message(decision), /^purgatory:/);
    ok(parsedState(stateEvent("alice", { "refs/heads/main": value })).unsatisfiable);
  }
});

Deno.test("R-67 IO-6 a state that waits already is a duplicate; a user's copy makes a synced one direct", () => {
  const source = stateEvent("alice", MAIN);
  const world = (origin: "direct" | "sync") =>
    view({
      announcements: [waiting(announcementEvent("alice"))],
      waitingStates: [stateRow(source, { source: origin, deadlineAt: NOW + 1 })],
    });
  deepStrictEqual(decide(source, { view: world("direct") }).effects, []);
  const upgraded = decide(source, { view: world("sync") });
  strictEqual(message(upgraded), "duplicate: in purgatory");
  const held = upgraded.effects[0]!;
  ok(held.type === "holdState");
  deepStrictEqual([held.row.source, held.row.deadlineAt], ["direct", NOW + DURATION.stateMs]);
});

Deno.test("P-30 a state older than the served one of its author is a duplicate", () => {
  const world = view({
    announcements: [served(announcementEvent("alice"))],
    stored: [stateEvent("alice", MAIN, 3000)],
  });
  strictEqual(
    message(decide(stateEvent("alice", MAIN, 2999), { view: world })),
    "duplicate: have a newer version",
  );
});

Deno.test("R-66 P-13 P-14 an authorised state extends the announcement and revives a soft-expired one", () => {
  const active = decide(stateEvent("alice", MAIN), {
    view: view({
      announcements: [waiting(announcementEvent("alice"), { deadlineAt: NOW + 60_000, firstEnteredAt: NOW })],
    }),
  });
  const extended = active.effects[0]!;
  ok(extended.type === "holdAnnouncement");
  strictEqual(extended.row.deadlineAt, NOW + DURATION.announcementMs);
  const soft = decide(stateEvent("alice", MAIN), {
    view: view({
      announcements: [waiting(announcementEvent("alice"), { phase: "soft", deadlineAt: NOW + 80_000_000 })],
    }),
  });
  deepStrictEqual(types(soft.effects).slice(0, 2), ["ensureRepository", "holdAnnouncement"]);
  const revived = soft.effects[1]!;
  ok(revived.type === "holdAnnouncement");
  deepStrictEqual([revived.row.phase, revived.row.deadlineAt], ["active", NOW + DURATION.announcementMs]);
});

Deno.test("P-40 P-41 a synced copy of an expired state is refused unless its data is here by now", () => {
  const expired = { expired: true, source: "sync" as const };
  const refused = decide(stateEvent("alice", MAIN), expired);
  strictEqual(message(refused), "invalid: previously expired from purgatory without git data");
  deepStrictEqual(refused.effects, []);
  strictEqual(message(decide(stateEvent("alice", MAIN), { ...expired, complete: true })), "");
  match(message(decide(stateEvent("alice", MAIN), { expired: true })), /^purgatory:/);
});

Deno.test("R-65 G-42 a state without refs is served for an active repository and waits with a waiting one", () => {
  const empty = event("alice", 30618, [["d", REPO]]);
  const active = decide(empty, { view: view({ announcements: [served(announcementEvent("alice"))] }) });
  deepStrictEqual(types(active.effects), ["serve", "forgetExpired"]);
  match(message(decide(empty)), /^purgatory:/);
});

Deno.test("the 21st waiting state of one author and identifier displaces the oldest", () => {
  const rows = Array.from(
    { length: LIMIT.waitingStatesPerAuthorAndIdentifier },
    (_, index) => stateRow(stateEvent("alice", MAIN, 100 + index)),
  );
  const world = view({ announcements: [waiting(announcementEvent("alice"))], waitingStates: rows });
  const decision = decide(stateEvent("alice", MAIN, 5000), { view: world });
  deepStrictEqual(
    decision.effects.flatMap((effect) => effect.type === "dropState" ? [effect.id] : []),
    [rows[0]!.event.id],
  );
});

Deno.test("R-63 P-32 P-33 peeled entries are ignored, symbolic ones need no object, first occurrence wins", () => {
  const state = parsedState(event("alice", 30618, [
    ["d", REPO],
    ["refs/tags/v1", oid("1")],
    ["refs/tags/v1^{}", oid("2")],
    ["refs/heads/main", oid("3").toUpperCase()],
    ["refs/heads/main", oid("4")],
    ["refs/heads/alias", "ref: refs/heads/main"],
    ["refs/heads/none"],
    ["refs/notes/x", oid("5")],
    ["HEAD", "refs/heads/main"],
  ]));
  deepStrictEqual([...state.refs], [["refs/tags/v1", oid("1")], ["refs/heads/main", oid("3")]]);
  deepStrictEqual([...state.symbolic], ["refs/heads/alias"]);
  deepStrictEqual([state.head, state.unsatisfiable, state.author], [
    "refs/heads/main",
    undefined,
    KEYS.alice,
  ]);
});

Deno.test("P-37 ref names git refuses and directory conflicts make a state unsatisfiable", () => {
  const names = [
    "refs/heads/a..b",
    "refs/heads/-x ",
    "refs/heads/a~1",
    "refs/heads/.x",
    "refs/heads/x.lock",
    "refs/heads/",
    "refs/heads/a\nb",
  ];
  for (const name of names) ok(parsedState(stateEvent("alice", { [name]: oid("1") })).unsatisfiable, name);
  ok(
    parsedState(stateEvent("alice", { "refs/heads/a": oid("1"), "refs/heads/a/b": oid("2") })).unsatisfiable,
  );
});

Deno.test("R-61 IO-12 HEAD counts with and without 'ref: ', only for a branch the state lists", () => {
  const head = (value: string) => parsedState(stateEvent("alice", MAIN, 1, value)).head;
  strictEqual(head("ref: refs/heads/main"), "refs/heads/main");
  strictEqual(head("refs/heads/main"), "refs/heads/main");
  strictEqual(head("ref: refs/heads/dev"), undefined);
  strictEqual(head("refs/tags/main"), undefined);
});

Deno.test("R-45 a state that can only concern blacklisted repositories is refused like their announcement", () => {
  const blacklist = [{ kind: "identifier" as const, identifier: REPO }];
  match(
    message(decide(stateEvent("alice", MAIN), { repositoryBlacklist: blacklist })),
    /^blocked: Repository identifier repo is blacklisted/,
  );
  const world = view({
    announcements: [
      waiting(announcementEvent("alice", { maintainers: ["carol"] })),
      waiting(announcementEvent("bob", { maintainers: ["carol"] })),
    ],
  });
  const onlyAlice = [{ kind: "owner" as const, pubkey: KEYS.alice }];
  match(
    message(decide(stateEvent("carol", MAIN), { view: world, repositoryBlacklist: onlyAlice })),
    /^purgatory:/,
  );
});

Deno.test("the waiting states of one author and identifier take at most 4 MiB: older ones give way, a larger one is refused", () => {
  const large = (at: number, refs: number) =>
    stateEvent(
      "alice",
      Object.fromEntries(
        Array.from({ length: refs }, (_, index) => [`refs/heads/${index}${"x".repeat(200)}`, oid("1")]),
      ),
      at,
    );
  const rows = [stateRow(large(100, 6_000)), stateRow(large(200, 6_000))];
  const world = view({ announcements: [waiting(announcementEvent("alice"))], waitingStates: rows });
  const decision = decide(large(300, 6_000), { view: world });
  deepStrictEqual(decision.effects.flatMap((effect) => effect.type === "dropState" ? [effect.id] : []), [
    rows[0]!.event.id,
  ]);
  const huge = event("alice", 30618, [["d", REPO], ["refs/heads/main", oid("1"), "x".repeat(5 << 20)]]);
  strictEqual(message(decide(huge)), "invalid: state is too large to wait for its git data");
});
