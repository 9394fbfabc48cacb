import { deepStrictEqual, match, strictEqual } from "node:assert/strict";
import {
  type CurationRules,
  decideModeration,
  type Effect,
  type IdentifierView,
  isAnchor,
  operatorRefusal,
  targetsRefusal,
} from "../../lib/policy/mod.ts";
import {
  announcementEvent,
  elsewhere,
  KEYS,
  type Name,
  OPEN,
  REPO,
  served,
  stateEvent,
  stateRow,
  view,
  waiting,
} from "./support.ts";

const REF = { "refs/heads/main": "1".repeat(40) };

const owners = (...names: Name[]): CurationRules => ({
  ...OPEN,
  repositoryBlacklist: names.map((name) => ({ kind: "owner", pubkey: KEYS[name] })),
});
const authors = (...names: Name[]): CurationRules => ({
  ...OPEN,
  eventBlacklist: new Set(names.map((name) => KEYS[name])),
});
const identifier = (name: string): CurationRules => ({
  ...OPEN,
  repositoryBlacklist: [{ kind: "identifier", identifier: name }],
});
const repository = (name: Name, id: string): CurationRules => ({
  ...OPEN,
  repositoryBlacklist: [{ kind: "repository", pubkey: KEYS[name], identifier: id }],
});

/** Effects with names of keys instead of keys, and kind and author instead of events. */
function readable(effects: readonly Effect[]): string[] {
  const name = (key: string) => Object.entries(KEYS).find(([, value]) => value === key)?.[0] ?? key;
  return effects.map((effect) => {
    switch (effect.type) {
      case "retire": {
        const events = effect.events.map(({ kind, pubkey }) => `${kind}:${name(pubkey)}`);
        return `retire ${name(effect.owner)} (${effect.reason}) with ${events.join(" ")}`;
      }
      case "dropAnnouncement":
        return `drop announcement of ${name(effect.owner)}`;
      case "removeRepository":
        return `remove repository of ${name(effect.owner)}`;
      case "dropState":
        return "drop state";
      default:
        return effect.type;
    }
  });
}

Deno.test("stored announcements on a blacklist are retired, waiting ones dropped, other owners keep theirs", () => {
  const alice = announcementEvent("alice");
  const trusting = announcementEvent("alice", { maintainers: ["carol"] });
  const bob = announcementEvent("bob");
  const ofAlice = stateEvent("alice", REF);
  const ofBob = stateEvent("bob", REF);
  const ofCarol = stateEvent("carol", REF);
  const both = view({ announcements: [served(alice), served(bob)], stored: [ofAlice, ofBob] });
  const onlyAlice = ["retire alice (operator) with 30617:alice 30618:alice"];
  const onlyBob = ["retire bob (operator) with 30617:bob 30618:bob"];
  const cases: [string, IdentifierView, CurationRules, string[]][] = [
    ["no entry", both, OPEN, []],
    ["the owner", both, owners("alice"), onlyAlice],
    ["the owner as an author", both, authors("alice"), onlyAlice],
    ["the repository", both, repository("alice", REPO), onlyAlice],
    ["another repository of the owner", both, repository("alice", "other"), []],
    ["the identifier", both, identifier(REPO), [...onlyAlice, ...onlyBob]],
    ["another identifier", both, identifier("other"), []],
    ["an author without announcement", both, authors("carol"), []],
    [
      "a maintainer's state leaves with the only owner who trusts the maintainer",
      view({ announcements: [served(trusting), served(bob)], stored: [ofAlice, ofBob, ofCarol] }),
      owners("alice"),
      ["retire alice (operator) with 30617:alice 30618:alice 30618:carol"],
    ],
    [
      "a maintainer's state stays with another owner who trusts the maintainer",
      view({
        announcements: [served(trusting), served(announcementEvent("bob", { maintainers: ["carol"] }))],
        stored: [ofAlice, ofCarol],
      }),
      owners("alice"),
      onlyAlice,
    ],
    [
      "a blacklisted owner who is somebody's maintainer loses the repository, not the say",
      view({
        announcements: [served(alice), served(announcementEvent("bob", { maintainers: ["alice"] }))],
        stored: [ofAlice],
      }),
      owners("alice"),
      ["retire alice (operator) with 30617:alice"],
    ],
    [
      "a maintainer's own announcement leaves with the owner who named the maintainer",
      view({ announcements: [served(trusting), elsewhere(announcementEvent("carol"))], stored: [ofCarol] }),
      owners("alice"),
      ["retire alice (operator) with 30617:alice 30617:carol 30618:carol"],
    ],
    [
      "a waiting one leaves purgatory with its repository and states",
      view({
        announcements: [waiting(alice), served(bob)],
        waitingStates: [stateRow(ofAlice), stateRow(ofBob)],
      }),
      owners("alice"),
      ["remove repository of alice", "drop announcement of alice", "drop state"],
    ],
    [
      "a soft-expired one too",
      view({ announcements: [waiting(alice, { phase: "soft" })] }),
      identifier(REPO),
      ["remove repository of alice", "drop announcement of alice"],
    ],
    [
      "what several blacklisted owners trusted is held once",
      view({
        announcements: [served(trusting), served(announcementEvent("bob", { maintainers: ["carol"] }))],
        stored: [ofCarol],
      }),
      identifier(REPO),
      [
        "retire alice (operator) with 30617:alice 30618:carol",
        "retire bob (operator) with 30617:bob",
      ],
    ],
  ];
  for (const [name, found, rules, expected] of cases) {
    deepStrictEqual(readable(decideModeration(found, rules).effects), expected, name);
  }
});

Deno.test("R-44 R-45 the refusal of a repository names the list that has it, of an author before others", () => {
  const target = { owner: KEYS.alice, identifier: REPO };
  match(operatorRefusal(target, authors("alice"))!.text, /^Event author npub1\w+ is blacklisted$/);
  match(operatorRefusal(target, owners("alice"))!.text, /^Repository owner npub1\w+ is blacklisted$/);
  strictEqual(operatorRefusal(target, owners("bob")), undefined);
  match(
    operatorRefusal(target, {
      ...owners("alice"),
      ...identifier("x"),
      eventBlacklist: new Set([KEYS.alice]),
    })!.text,
    /^Event author/,
  );
});

Deno.test("R-45 a pull request is unwanted when all repositories it names are blacklisted", () => {
  const rules = owners("alice", "bob");
  const to = (...names: Name[]) => ({
    targets: names.map((name) => ({ owner: KEYS[name], identifier: REPO })),
  });
  strictEqual(targetsRefusal(to("alice", "bob"), rules)?.reason, "blacklisted_repo");
  strictEqual(targetsRefusal(to("alice", "carol"), rules), undefined);
  strictEqual(targetsRefusal(to(), rules), undefined);
});

Deno.test("only announcements that are not blacklisted hold what is linked to them", () => {
  strictEqual(isAnchor(announcementEvent("alice"), OPEN), true);
  strictEqual(isAnchor(announcementEvent("alice"), owners("alice")), false);
  strictEqual(isAnchor(announcementEvent("alice"), authors("bob")), true);
});
