import assert from "node:assert/strict";
import { orderUrls, urlsOf } from "../../lib/hunt/candidates.ts";
import { huntUnits } from "../../lib/hunt/unit.ts";
import type { IdentifierView } from "../../lib/policy/mod.ts";
import { OwnAddresses } from "../../lib/outgoing/mod.ts";
import { KEYS, oid, stateEvent, stateRow, view } from "../policy/support.ts";
import { graspUrl, hosted, proposed } from "./support.ts";

const own = new OwnAddresses({ domain: "grasp.io", aliases: ["old.grasp.io:8080"], bindAddresses: [] });
const rules = { isOwn: (url: string) => own.has(url) };

function urls(known: IdentifierView, more: Partial<Parameters<typeof urlsOf>[2]> = {}) {
  const unit = huntUnits(known).find(({ owner }) => owner === KEYS.alice)!;
  return urlsOf(known, unit, { ...rules, ...more });
}

const state = stateRow(stateEvent("alice", { "refs/heads/main": oid("1") }));
const order = (known: IdentifierView, past: Parameters<typeof orderUrls>[1] = () => undefined) =>
  orderUrls(urls(known).remote, past).map(({ url }) => url);

Deno.test("P-77 own service is never fetched from, a name containing it is; other schemes are skipped", () => {
  const known = view({
    announcements: [hosted("alice", [
      graspUrl("grasp.io", "alice"),
      "http://OLD.grasp.io:8080/x.git",
      "https://grasp.io:443/x",
      "https://notgrasp.io/x.git",
      "https://grasp.io:3000/x.git",
      "ssh://git@host.org/x",
      "nostr://npub1/x",
      "git://host.org/x",
      "git@host.org:x",
      "ext::sh -c true",
      "file:///etc",
      "https://user:pw@host.org/x",
      `https://host.org/${"x".repeat(2048)}`,
    ])],
    waitingStates: [state],
  });
  const found = urls(known);
  assert.deepEqual(found.remote.map(({ url }) => url), [
    "https://notgrasp.io/x.git",
    "https://grasp.io:3000/x.git",
  ]);
  const counts = Object.groupBy(found.skipped, (reason) => reason);
  assert.deepEqual([counts.own?.length, counts.shape?.length], [3, 2]);
  assert.equal(counts.scheme?.length, 6);
  assert.equal(found.own.length, 3);
});

Deno.test("identical URLs are one; more than 20 of one event are not read", () => {
  const known = view({
    announcements: [hosted("alice", [
      "https://Host.org/x.git#frag",
      "https://host.org:443/x.git/",
      ...Array.from({ length: 30 }, (_, index) => `https://h${index}.org/x`),
    ])],
    waitingStates: [state],
  });
  assert.equal(urls(known).remote.length, 19);
  assert.equal(urls(known).remote[0]!.url, "https://host.org/x.git");
});

Deno.test("P-76 P-84 order: pull request, GRASP-shaped, the owner's, maintainers', last those who only list the author", () => {
  const known = view({
    announcements: [
      hosted("mallory", ["https://mallory.org/x", graspUrl("m.org", "mallory")], {
        maintainers: ["alice"],
        at: 9,
      }),
      hosted("bob", ["https://bob.org/x", graspUrl("g2.org", "bob")], { at: 5 }),
      hosted("alice", ["https://alice.org/x", graspUrl("g1.org", "alice")], { maintainers: ["bob"], at: 1 }),
    ],
    waitingStates: [state],
    waitingPullRequests: [proposed("carol", ["alice"], oid("3"), ["https://carol.org/fork"])],
  });
  assert.deepEqual(order(known), [
    "https://carol.org/fork",
    graspUrl("g1.org", "alice"),
    graspUrl("g2.org", "bob"),
    "https://alice.org/x",
    "https://bob.org/x",
    graspUrl("m.org", "mallory"),
    "https://mallory.org/x",
  ]);
  const { remote } = urls(known);
  const carol = remote.find(({ origin }) => origin === "pullRequest")!;
  assert.deepEqual([...carol.only!], [oid("3")], "asked for its own commits only");
  assert.deepEqual(
    remote.filter(({ origin }) => origin === "listing").map(({ host }) => host).sort(),
    ["m.org", "mallory.org"],
  );
});

Deno.test("a URL that failed goes behind, never behind mere listers; one that delivered goes ahead", () => {
  const known = view({
    announcements: [
      hosted("mallory", ["https://mallory.org/x"], { maintainers: ["alice"], at: 9 }),
      hosted("alice", [graspUrl("g1.org", "alice"), "https://a.org/x", "https://b.org/x"]),
    ],
    waitingStates: [state],
  });
  const past = (url: string) =>
    url.includes("g1.org")
      ? { failed: true, delivered: false }
      : url.includes("b.org")
      ? { failed: false, delivered: true }
      : undefined;
  assert.deepEqual(order(known, past), [
    "https://b.org/x",
    "https://a.org/x",
    graspUrl("g1.org", "alice"),
    "https://mallory.org/x",
  ]);
});

Deno.test("hosts alternate; the host of the relay that delivered the event is preferred", () => {
  const known = view({
    announcements: [hosted("alice", [
      graspUrl("g1.org", "alice"),
      "https://a.org/1",
      "https://a.org/2",
      "https://a.org/3",
      "https://b.org/1",
      graspUrl("g2.org", "alice"),
    ])],
    waitingStates: [state],
  });
  const { remote } = urls(known, { relayHostOf: () => "g2.org" });
  assert.deepEqual(orderUrls(remote, () => undefined).map(({ url }) => url), [
    graspUrl("g2.org", "alice"),
    graspUrl("g1.org", "alice"),
    "https://a.org/1",
    "https://b.org/1",
    "https://a.org/2",
    "https://a.org/3",
  ]);
});

Deno.test("a flood of pull request URLs leaves room for the announcement's", () => {
  const known = view({
    announcements: [hosted("alice", ["https://alice.org/x"])],
    waitingPullRequests: Array.from(
      { length: 100 },
      (_, index) => proposed("carol", ["alice"], oid("3"), [`https://c${index}.org/x`]),
    ),
  });
  const ordered = order(known);
  assert.equal(ordered.length, 41);
  assert.ok(ordered.includes("https://alice.org/x"));
});
