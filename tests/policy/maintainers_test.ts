import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { Authority, maintainerSet, MAX_MAINTAINERS } from "../../lib/policy/mod.ts";
import {
  announcementEvent,
  event,
  KEYS,
  type Name,
  parsedAnnouncement,
  REPO,
  served,
  view,
  waiting,
} from "./support.ts";

const known = (...specs: [Name, Name[]][]) =>
  view({
    announcements: specs.map(([owner, maintainers]) => served(announcementEvent(owner, { maintainers }))),
  });

const setOf = (owner: Name, world: ReturnType<typeof known>) =>
  [...new Authority(world).of(KEYS[owner]) ?? []].map((key) =>
    Object.entries(KEYS).find(([, k]) => k === key)![0]
  ).sort();

Deno.test("G-27 P-26 a maintainer of a maintainer is in the set, and delegation is directional", () => {
  const world = known(["alice", ["bob"]], ["bob", ["carol"]], ["carol", []]);
  deepStrictEqual(setOf("alice", world), ["alice", "bob", "carol"]);
  deepStrictEqual(setOf("bob", world), ["bob", "carol"]);
  deepStrictEqual(setOf("carol", world), ["carol"]);
});

Deno.test("G-28 a cycle of maintainers terminates; bob does not get alice when he does not list her", () => {
  deepStrictEqual(setOf("alice", known(["alice", ["bob"]], ["bob", ["alice"]])), ["alice", "bob"]);
  deepStrictEqual(setOf("bob", known(["alice", ["bob"]], ["bob", []])), ["bob"]);
});

Deno.test("a listed maintainer without an announcement is a member and adds nobody", () => {
  deepStrictEqual(setOf("alice", known(["alice", ["dave"]])), ["alice", "dave"]);
});

Deno.test("the newer of an author's served and waiting announcement decides who is listed", () => {
  const world = view({
    announcements: [
      served(announcementEvent("alice", { maintainers: ["bob"], at: 1000 })),
      waiting(announcementEvent("alice", { maintainers: ["carol"], at: 2000 })),
    ],
  });
  deepStrictEqual(setOf("alice", world), ["alice", "carol"]);
});

Deno.test("R-43 upper-case keys are folded and rubbish in maintainers is inert", () => {
  const rubbish = event("alice", 30617, [["d", REPO], [
    "maintainers",
    KEYS.bob.toUpperCase(),
    "npub1x",
    "",
    "zz",
  ]]);
  deepStrictEqual(parsedAnnouncement(rubbish).maintainers, [KEYS.bob]);
});

Deno.test(`a maintainer set stops at ${MAX_MAINTAINERS} keys`, () => {
  const keys = Array.from({ length: 3_000 }, (_, index) => index.toString(16).padStart(64, "f"));
  const owner = parsedAnnouncement(event("alice", 30617, [["d", REPO], ["maintainers", ...keys]]));
  strictEqual(maintainerSet(KEYS.alice, new Map([[KEYS.alice, owner]])).size, MAX_MAINTAINERS);
});
