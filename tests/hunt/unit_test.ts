import assert from "node:assert/strict";
import { huntUnits, wantedBy } from "../../lib/hunt/unit.ts";
import type { IdentifierView } from "../../lib/policy/mod.ts";
import {
  announcementEvent,
  elsewhere,
  KEYS,
  type Name,
  oid,
  served,
  stateEvent,
  stateRow,
  view,
  waiting,
} from "../policy/support.ts";
import { proposed } from "./support.ts";

const stateOf = (author: Name, digit = "1") =>
  stateRow(stateEvent(author, { "refs/heads/main": oid(digit) }));
const homes = (known: IdentifierView) =>
  huntUnits(known).map(({ owner, states, pullRequests }) => {
    const name = Object.entries(KEYS).find(([, key]) => key === owner)![0];
    return `${name}: ${states.length} states, ${pullRequests.length} pull requests`;
  });

const alice = served(announcementEvent("alice", { maintainers: ["bob"], at: 1 }));
const bob = served(announcementEvent("bob", { at: 5 }));
const listing = served(announcementEvent("mallory", { maintainers: ["alice", "bob"], at: 9 }));

const CASES: readonly [string, IdentifierView, readonly string[]][] = [
  ["the author's own repository", view({ announcements: [alice], waitingStates: [stateOf("alice")] }), [
    "alice: 1 states, 0 pull requests",
  ]],
  [
    "P-84 a stranger who lists the author, however new, is not the home",
    view({ announcements: [alice, listing], waitingStates: [stateOf("alice")] }),
    ["alice: 1 states, 0 pull requests"],
  ],
  [
    "P-84 a stranger who lists the owner is not the home of a maintainer's state either",
    view({ announcements: [alice, listing], waitingStates: [stateOf("bob")] }),
    ["alice: 1 states, 0 pull requests"],
  ],
  [
    "of owners who list each other, the one with the newest announcement",
    view({
      announcements: [
        served(announcementEvent("alice", { maintainers: ["dave", "bob"], at: 1 })),
        served(announcementEvent("dave", { maintainers: ["alice"], at: 2 })),
      ],
      waitingStates: [stateOf("bob")],
    }),
    ["dave: 1 states, 0 pull requests"],
  ],
  [
    "a maintainer without repository: the owner who lists him",
    view({
      announcements: [alice, elsewhere(announcementEvent("bob", { at: 5 }))],
      waitingStates: [stateOf("bob")],
    }),
    ["alice: 1 states, 0 pull requests"],
  ],
  [
    "a maintainer with a repository: his own",
    view({ announcements: [alice, bob], waitingStates: [stateOf("bob"), stateOf("alice", "2")] }),
    ["bob: 1 states, 0 pull requests", "alice: 1 states, 0 pull requests"],
  ],
  [
    "no repository to fetch into while everything is soft-expired",
    view({
      announcements: [waiting(announcementEvent("alice"), { phase: "soft" })],
      waitingStates: [stateOf("alice")],
    }),
    [],
  ],
  [
    "a repository in purgatory is one",
    view({ announcements: [waiting(announcementEvent("alice"))], waitingStates: [stateOf("alice")] }),
    ["alice: 1 states, 0 pull requests"],
  ],
  ["nobody stands for the author", view({ announcements: [alice], waitingStates: [stateOf("carol")] }), []],
  [
    "P-37 nothing that can never be satisfied",
    view({
      announcements: [alice],
      waitingStates: [
        stateRow(stateEvent("alice", { "refs/heads/main": "--upload-pack=x" })),
        stateRow(stateEvent("alice", {})),
      ],
      waitingPullRequests: [proposed("carol", ["alice"], "HEAD")],
    }),
    [],
  ],
  [
    "a pull request: the first tagged owner with a stored announcement",
    view({
      announcements: [bob, alice],
      waitingPullRequests: [proposed("carol", ["dave", "alice", "bob"], oid("3"))],
    }),
    ["alice: 0 states, 1 pull requests"],
  ],
  [
    "a pull request to a maintainer without repository here: who lists him",
    view({ announcements: [alice], waitingPullRequests: [proposed("carol", ["bob"], oid("3"))] }),
    ["alice: 0 states, 1 pull requests"],
  ],
];

for (const [name, known, expected] of CASES) {
  const id = /^P-\d+ /.test(name) ? "" : "home of an event: ";
  Deno.test(`${id}${name}`, () => assert.deepEqual(homes(known), expected));
}

Deno.test("a unit wants every declared object and every pull request's commit, once", () => {
  const [unit] = huntUnits(view({
    announcements: [alice],
    waitingStates: [
      stateRow(stateEvent("alice", { "refs/heads/main": oid("1"), "refs/heads/dev": oid("2") })),
      stateRow(stateEvent("alice", { "refs/heads/main": oid("2") })),
    ],
    waitingPullRequests: [proposed("carol", ["alice"], oid("3"))],
  }));
  assert.deepEqual([...wantedBy(unit!)].sort(), [oid("1"), oid("2"), oid("3")]);
});
