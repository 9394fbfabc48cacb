import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { parseAnnouncement } from "../../lib/nostr/mod.ts";
import {
  type AnnouncementCase,
  classifyAnnouncement,
  decideAnnouncement,
  DURATION,
  type Effect,
} from "../../lib/policy/mod.ts";
import {
  announcementEvent,
  DOMAIN,
  elsewhere,
  event,
  KEYS,
  NOW,
  OPEN,
  parsedAnnouncement,
  parsedState,
  REPO,
  served,
  stateEvent,
  stateRow,
  view,
  waiting,
} from "./support.ts";

function decide(
  source: ReturnType<typeof announcementEvent>,
  overrides: Partial<AnnouncementCase> = {},
  rules = OPEN,
) {
  const announcement = parsedAnnouncement(source);
  return decideAnnouncement({
    announcement,
    classification: classifyAnnouncement(announcement, rules),
    source: "direct",
    adopts: false,
    view: view({}),
    proven: false,
    retired: undefined,
    retiredStates: [],
    expired: false,
    waitingOfAuthor: 0,
    waitingInTotal: 0,
    now: NOW,
    ...overrides,
  });
}

const types = (effects: readonly Effect[]) => effects.map(({ type }) => type);
const message = (decision: ReturnType<typeof decide>) =>
  decision.verdict.ok ? decision.verdict.message : `${decision.verdict.prefix}: ${decision.verdict.text}`;

Deno.test("R-24 a new announcement that lists us waits, with a repository made first", () => {
  const decision = decide(announcementEvent("alice"));
  strictEqual(message(decision), "purgatory: won't be served until git data arrives");
  deepStrictEqual(types(decision.effects), [
    "ensureRepository",
    "holdAnnouncement",
    "forgetExpired",
    "release",
  ]);
  const held = decision.effects.find((effect) => effect.type === "holdAnnouncement")!;
  strictEqual(held.row.deadlineAt, NOW + DURATION.announcementMs);
});

Deno.test("R-29 R-31 R-26 structural and listing refusals say what is wrong", () => {
  const base: [string, string][] = [["relays", `wss://${DOMAIN}`], ["clone", `https://${DOMAIN}/x`]];
  const parse = (tags: string[][]) => parseAnnouncement(event("alice", 30617, tags));
  const cases: [string[][], RegExp][] = [
    [base, /Missing required 'd' tag/],
    [[["d"], ...base], /missing 'd' tag/],
    [[["d", REPO], ...base, ["clone", "https://b.org/x"]], /multiple clone tags/],
    [[["d", ""], ...base], /identifier must not be empty/],
    [[["d", "."], ...base], /reserved path component/],
    [[["d", ".."], ...base], /reserved path component/],
    [[["d", "a/b"], ...base], /path separator '\/'/],
    [[["d", "a\\b"], ...base], /path separator '\\'/],
    [[["d", "a\0b"], ...base], /null byte/],
    [[["d", "a\ud800"], ...base], /valid Unicode/],
    [[["d", "x".repeat(252)], ...base], /longer than 251 bytes/],
  ];
  for (const [tags, text] of cases) {
    const parsed = parse(tags);
    ok(!parsed.ok);
    match(parsed.text, text);
    match(parsed.text, /^[\x20-\x7e]*$/);
  }
  ok(parse([["d", "x".repeat(251)], ...base]).ok);
  const notListed = decide(announcementEvent("alice", { domain: "elsewhere.org" }));
  match(message(notListed), /^blocked: .*'clone' and 'relays'/);
});

Deno.test("R-46 a repository whitelist takes what matches and nothing else", () => {
  const rules = { ...OPEN, repositoryWhitelist: [{ kind: "owner" as const, pubkey: KEYS.alice }] };
  match(message(decide(announcementEvent("alice"), {}, rules)), /^purgatory:/);
  match(message(decide(announcementEvent("bob"), {}, rules)), /^blocked: .*not in whitelist/);
  match(
    message(decide(announcementEvent("alice", { domain: "b.org" }), {}, rules)),
    /^blocked: .*must list service/,
  );
});

Deno.test("R-45 the three blacklist forms refuse with their own text, also for a maintainer elsewhere", () => {
  const trusting = view({ announcements: [served(announcementEvent("bob", { maintainers: ["alice"] }))] });
  const forms = [
    [{ kind: "owner", pubkey: KEYS.alice }, /Repository owner npub1\w+ is blacklisted/],
    [
      { kind: "repository", pubkey: KEYS.alice, identifier: REPO },
      /Repository npub1\w+\/repo is blacklisted/,
    ],
    [{ kind: "identifier", identifier: REPO }, /Repository identifier repo is blacklisted/],
  ] as const;
  for (const [entry, text] of forms) {
    const rules = { ...OPEN, repositoryBlacklist: [entry], repositoryWhitelist: [entry] };
    match(message(decide(announcementEvent("alice"), { view: trusting }, rules)), text);
  }
});

Deno.test("R-34 R-35 a newer version is served at once with proof, and stays waiting without", () => {
  const newer = announcementEvent("alice", { at: 2000 });
  const proven = decide(newer, {
    view: view({ announcements: [served(announcementEvent("alice"))] }),
    proven: true,
  });
  strictEqual(message(proven), "");
  deepStrictEqual(types(proven.effects), ["serve", "release"]);
  const replacing = decide(newer, { view: view({ announcements: [waiting(announcementEvent("alice"))] }) });
  match(message(replacing), /^purgatory:/);
  ok(!types(replacing.effects).includes("serve"));
});

Deno.test("P-21 a served announcement without data here does not let the next one bypass purgatory", () => {
  const newer = announcementEvent("alice", { at: 2000 });
  const decision = decide(newer, {
    view: view({ announcements: [served(announcementEvent("alice"))] }),
    proven: false,
  });
  match(message(decision), /^purgatory:/);
});

Deno.test("R-36 P-7 an older announcement changes neither event nor deadline of a waiting one", () => {
  const world = view({ announcements: [waiting(announcementEvent("alice", { at: 2000 }))] });
  const decision = decide(announcementEvent("alice", { at: 1500 }), { view: world });
  strictEqual(message(decision), "duplicate: have a newer version");
  deepStrictEqual(decision.effects, []);
});

Deno.test("P-8 the same announcement by sync changes nothing; by a user it renews or revives", () => {
  const source = announcementEvent("alice");
  for (const phase of ["active", "soft"] as const) {
    const world = view({
      announcements: [waiting(source, { phase, deadlineAt: NOW + 5, firstEnteredAt: NOW - 60_000 })],
    });
    const synced = decide(source, { view: world, source: "sync" });
    strictEqual(message(synced), "duplicate: in purgatory");
    deepStrictEqual(synced.effects, []);
    const direct = decide(source, { view: world });
    const held = direct.effects.find((effect) => effect.type === "holdAnnouncement")!;
    deepStrictEqual([held.row.phase, held.row.deadlineAt], ["active", NOW + DURATION.announcementMs]);
    ok(types(direct.effects).includes("ensureRepository"));
  }
});

Deno.test("P-16 re-sending cannot keep an announcement without data longer than 48 h", () => {
  const source = announcementEvent("alice");
  const firstEnteredAt = NOW - DURATION.announcementCapMs + 1_000;
  const decision = decide(source, { view: view({ announcements: [waiting(source, { firstEnteredAt })] }) });
  const held = decision.effects.find((effect) => effect.type === "holdAnnouncement")!;
  strictEqual(held.row.deadlineAt, NOW + 1_000);
});

Deno.test("R-37 P-9 a strictly newer announcement without us removes entry and repository; an equal one does not", () => {
  const world = view({ announcements: [waiting(announcementEvent("alice", { at: 2000 }))] });
  const newer = decide(announcementEvent("alice", { at: 2001, domain: "b.org" }), { view: world });
  match(message(newer), /^blocked:/);
  deepStrictEqual(types(newer.effects), ["removeRepository", "dropAnnouncement"]);
  const equal = decide(announcementEvent("alice", { at: 2000, domain: "b.org" }), { view: world });
  deepStrictEqual(equal.effects, []);
});

Deno.test("P-10 withdrawal drops only the states nobody else authorises", () => {
  const states = [
    stateRow(stateEvent("alice", { "refs/heads/main": "1".repeat(40) })),
    stateRow(stateEvent("carol", { "refs/heads/main": "2".repeat(40) })),
  ];
  for (const other of [served, waiting]) {
    const world = view({
      announcements: [
        waiting(announcementEvent("alice")),
        other(announcementEvent("bob", { maintainers: ["carol"] })),
      ],
      waitingStates: states,
    });
    const decision = decide(announcementEvent("alice", { at: 3000, domain: "x.org" }), { view: world });
    const dropped = decision.effects.flatMap((effect) => effect.type === "dropState" ? [effect.id] : []);
    deepStrictEqual(dropped, [states[0]!.event.id]);
  }
});

Deno.test("R-40 R-41 R-42 the maintainer exception follows the recursive set, waiting links included", () => {
  const away = (name: "bob" | "carol" | "mallory") => announcementEvent(name, { domain: "b.org" });
  const chain = [
    waiting(announcementEvent("alice", { maintainers: ["bob"] })),
    served(announcementEvent("bob", { maintainers: ["carol"] })),
  ];
  const world = view({ announcements: chain });
  const accepted = decide(away("carol"), { view: world });
  strictEqual(message(accepted), "");
  deepStrictEqual(accepted.effects[0], {
    type: "serve",
    event: accepted.effects[0]!.type === "serve" ? accepted.effects[0]!.event : undefined,
    hosted: false,
  });
  ok(!types(accepted.effects).includes("ensureRepository"));
  match(message(decide(away("mallory"), { view: world })), /^blocked:/);
});

Deno.test("P-22 the 51st waiting announcement of one author is refused with rate-limited:", () => {
  match(message(decide(announcementEvent("alice"), { waitingOfAuthor: 49 })), /^purgatory:/);
  strictEqual(
    message(decide(announcementEvent("alice"), { waitingOfAuthor: 50 })),
    "rate-limited: too many repositories waiting for git data",
  );
});

Deno.test("P-15 R-90 a synced copy of an expired announcement is refused, a user's copy waits again", () => {
  const source = announcementEvent("alice");
  strictEqual(
    message(decide(source, { expired: true, source: "sync" })),
    "invalid: previously expired from purgatory without git data",
  );
  match(message(decide(source, { expired: true })), /^purgatory:/);
});

Deno.test("R-39 withdrawal of a served repository: retired, refused, and older versions kept from coming back", () => {
  const old = announcementEvent("alice", { at: 1000 });
  const state = stateEvent("alice", { "refs/heads/main": "1".repeat(40) });
  const world = view({ announcements: [served(old)], stored: [state] });
  const decision = decide(announcementEvent("alice", { at: 2000, domain: "b.org" }), {
    view: world,
    proven: true,
  });
  strictEqual(message(decision), "blocked: announcement no longer lists this service; hosting ended");
  const [retire, forbid] = decision.effects;
  ok(retire?.type === "retire" && forbid?.type === "forbid");
  deepStrictEqual(retire.events.map(({ id }) => id), [old.id, state.id]);
  deepStrictEqual(forbid.tombstone, {
    type: "coordinate",
    kind: 30617,
    pubkey: KEYS.alice,
    identifier: REPO,
    until: 2000,
  });
  deepStrictEqual(
    decide(announcementEvent("alice", { at: 900, domain: "b.org" }), { view: world }).effects,
    [],
  );
});

Deno.test("R-39 a withdrawing owner who is someone else's maintainer is retired and stays known", () => {
  const world = view({
    announcements: [
      served(announcementEvent("alice")),
      served(announcementEvent("bob", { maintainers: ["alice"] })),
    ],
  });
  const decision = decide(announcementEvent("alice", { at: 2000, domain: "b.org" }), {
    view: world,
    proven: true,
  });
  strictEqual(message(decision), "");
  deepStrictEqual(types(decision.effects), ["retire", "serve", "release"]);
});

Deno.test("a maintainer exception needs a hosted root: chains that lost theirs stop growing", () => {
  const world = view({ announcements: [elsewhere(announcementEvent("bob", { maintainers: ["carol"] }))] });
  match(message(decide(announcementEvent("carol", { domain: "b.org" }), { view: world })), /^blocked:/);
});

Deno.test("R-86 a fresh announcement of a retired repository restores it before waiting for proof", () => {
  const retired = {
    owner: KEYS.alice,
    identifier: REPO,
    reason: "deleted",
    directory: "x",
    retiredAt: 1,
    events: [],
  } as const;
  const state = parsedState(stateEvent("alice", { "refs/heads/main": "1".repeat(40) }));
  const decision = decide(announcementEvent("alice", { at: 5000 }), { retired, retiredStates: [state] });
  const first = types(decision.effects).slice(0, 5);
  deepStrictEqual(first, ["restore", "holdState", "forgetExpired", "ensureRepository", "holdAnnouncement"]);
});

Deno.test("R-47 R-48 R-49 archive rules take what they name; read-only takes nothing else", () => {
  const away = announcementEvent("alice", { domain: "git.other.org" });
  const archive = (parts: Partial<typeof OPEN.archive>) => ({
    ...OPEN,
    archive: { ...OPEN.archive, ...parts },
  });
  const byKey = [{ kind: "owner" as const, pubkey: KEYS.alice }];
  match(message(decide(away, {}, archive({ all: true, readOnly: true }))), /^purgatory:/);
  match(message(decide(away, {}, archive({ whitelist: byKey }))), /^purgatory:/);
  match(
    message(decide(away, {}, archive({ services: ["git.other.org", "b.org"], readOnly: true }))),
    /^purgatory:/,
  );
  match(message(decide(away, {}, archive({ services: ["b.org"] }))), /^blocked: .*must list service/);
  const hosted = announcementEvent("bob");
  match(
    message(decide(hosted, {}, archive({ whitelist: byKey, readOnly: true }))),
    /^blocked: Archive read-only mode/,
  );
  match(message(decide(hosted, {}, archive({ whitelist: byKey }))), /^purgatory:/);
  const both = {
    ...archive({ whitelist: byKey }),
    repositoryWhitelist: [{ kind: "owner" as const, pubkey: KEYS.bob }],
  };
  match(message(decide(announcementEvent("alice"), {}, both)), /^purgatory:/);
  match(message(decide(announcementEvent("carol"), {}, both)), /not in whitelist/);
});

Deno.test("M-37 the operator vouches for a repository with refs: its announcement is served, others wait again", () => {
  const event = announcementEvent("alice");
  const adopt = { adopts: true, source: "sync" } as const;
  const proven = decide(event, { ...adopt, proven: true, expired: true });
  strictEqual(message(proven), "");
  deepStrictEqual(types(proven.effects), ["serve", "release"]);
  const waits = view({ announcements: [waiting(event)] });
  deepStrictEqual(types(decide(event, { ...adopt, proven: true, view: waits }).effects), [
    "serve",
    "dropAnnouncement",
    "release",
  ]);
  const empty = decide(event, { ...adopt, expired: true });
  strictEqual(message(empty), "purgatory: won't be served until git data arrives");
  deepStrictEqual(types(decide(event, { ...adopt, view: waits }).effects).includes("holdAnnouncement"), true);
});
