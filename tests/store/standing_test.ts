import assert from "node:assert/strict";
import type { Changes, EventStanding } from "../../lib/store/mod.ts";
import type { NostrEvent } from "../../lib/nostr/mod.ts";
import { eachStore } from "./each_store.ts";
import { event, key, NOW, NOW_MS } from "./fixtures.ts";

const UNKNOWN: EventStanding = {
  served: false,
  tombstoned: false,
  waiting: false,
  refused: false,
  expired: false,
};
const TIMES = { firstEnteredAt: NOW_MS, enteredAt: NOW_MS, deadlineAt: NOW_MS + 100 };

const CASES: readonly [string, NostrEvent, (of: NostrEvent) => Changes, Partial<EventStanding>][] = [
  ["nobody has seen", event({ content: "0" }), () => ({}), {}],
  ["served", event({ content: "1" }), (of) => ({ insertEvents: [{ event: of }] }), { served: true }],
  [
    "served until its time came",
    event({ content: "2", tags: [["expiration", String(NOW)]] }),
    (of) => ({ insertEvents: [{ event: of }] }),
    {},
  ],
  [
    "deleted by its author",
    event({ content: "3" }),
    ({ id, pubkey }) => ({ putTombstones: [{ type: "id", id, pubkey }] }),
    { tombstoned: true },
  ],
  [
    "of a deleted coordinate",
    event({ kind: 30617, tags: [["d", "gone\0"]] }),
    ({ kind, pubkey }) => ({
      putTombstones: [{ type: "coordinate", kind, pubkey, identifier: "gone\0", until: NOW }],
    }),
    { tombstoned: true },
  ],
  [
    "a waiting announcement",
    event({ kind: 30617, tags: [["d", "w"]] }),
    (of) => ({
      putAnnouncements: [{
        event: of,
        owner: of.pubkey,
        identifier: "w",
        phase: "soft",
        source: "sync",
        ...TIMES,
      }],
    }),
    { waiting: true },
  ],
  [
    "a waiting state that was refused earlier",
    event({ kind: 30618, tags: [["d", "w"]] }),
    (of) => ({
      putStates: [{ event: of, author: of.pubkey, identifier: "w", source: "sync", ...TIMES }],
      putRefused: [refused(of, NOW_MS + 1)],
    }),
    { waiting: true, refused: true },
  ],
  [
    "a waiting pull request",
    event({ kind: 1618 }),
    (of) => ({
      putPullRequests: [{
        event: of,
        commit: "c",
        targets: [{ owner: key(1), identifier: "w" }],
        source: "direct",
        ...TIMES,
      }],
    }),
    { waiting: true },
  ],
  ["refused too long ago", event({ content: "8" }), (of) => ({ putRefused: [refused(of, NOW_MS)] }), {}],
  [
    "expired without data",
    event({ content: "9" }),
    ({ id }) => ({ putExpired: [{ id, at: NOW_MS, until: NOW_MS + 1 }] }),
    { expired: true },
  ],
];

function refused(of: NostrEvent, until: number) {
  return {
    id: of.id,
    type: "state" as const,
    kind: of.kind,
    author: of.pubkey,
    identifier: "w",
    createdAt: of.created_at,
    reason: "other",
    at: NOW_MS,
    attempts: 0,
    until,
    whole: undefined,
    keys: [],
  };
}

Deno.test(
  "R-6 R-86 S-89 one look tells of an arriving event whether it is served, deleted, waiting, refused or expired",
  eachStore(async ({ store }) => {
    for (const [, of, changes] of CASES) await store.commit(changes(of));
    for (const [name, of, , expected] of CASES) {
      assert.deepEqual(await store.standing(of), { ...UNKNOWN, ...expected }, name);
    }
    const together = await Promise.all(CASES.map(([, of]) => store.standing(of)));
    assert.deepEqual(together, CASES.map(([, , , expected]) => ({ ...UNKNOWN, ...expected })));
  }),
);

Deno.test(
  "an event that is too large for a database server stands in the way of no other one of its turn",
  eachStore(async ({ store }) => {
    const known = event({ content: "known" });
    await store.commit({ insertEvents: [{ event: known }] });
    const large = event({ kind: 30023, tags: [["d", "x".repeat(5_000_000)]] });
    const asked = [store.standing(large), store.standing(known), store.isRelated(large)];
    const related = store.isRelated(event({ tags: [["e", known.id]] }));
    const [, standing] = await Promise.allSettled(asked);
    assert.deepEqual(standing, { status: "fulfilled", value: { ...UNKNOWN, served: true } });
    assert.equal(await related, true);
  }),
);
