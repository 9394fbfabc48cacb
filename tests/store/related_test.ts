import assert from "node:assert/strict";
import type { NostrEvent } from "../../lib/nostr/mod.ts";
import type { Store } from "../../lib/store/mod.ts";
import { nextTurn } from "../../lib/store/turn.ts";
import { eachStore } from "./each_store.ts";
import { event, HandClock, key, put, withMemory } from "./fixtures.ts";

const STRANGER = key(8);

async function relatedOnes(store: Store, tags: readonly (readonly string[])[]): Promise<string[]> {
  const found: string[] = [];
  for (const tag of tags) {
    if (await store.isRelated(event({ pubkey: STRANGER, tags: [tag] }))) found.push(tag.join(" "));
  }
  return found;
}

Deno.test(
  "R-73 coordinates in a, A and q lead to stored replaceable and addressable events",
  eachStore(async ({ store }) => {
    await put(
      store,
      event({ kind: 30617, tags: [["d", "x:y"]] }),
      event({ kind: 30023 }),
      event({ kind: 0 }),
      event({ kind: 1 }),
    );
    const k = key(1);
    const good = [
      ["a", `30617:${k}:x:y`],
      ["A", `30617:${k}:x:y`],
      ["q", `30617:${k}:x:y`],
      ["a", `30023:${k}:`],
      ["a", `30023:${k}`],
      ["A", `0:${k}:`],
      ["q", `0:${k}`],
      ["a", `30617:${k.toUpperCase()}:x:y`],
    ];
    const bad = [
      ["a", `30617:${k}:x`],
      ["a", `30617:${key(2)}:x:y`],
      ["a", `30618:${k}:x:y`],
      ["e", `30617:${k}:x:y`],
      ["d", `30617:${k}:x:y`],
      ["a", `0:${k}:x`],
      ["a", `1:${k}:`],
      ["a", "nonsense"],
      ["a"],
    ];
    assert.deepEqual(await relatedOnes(store, [...good, ...bad]), good.map((tag) => tag.join(" ")));
  }),
);

Deno.test(
  "R-74 ids in e, E and q lead to stored events",
  eachStore(async ({ store }) => {
    const issue = event({ kind: 1621 });
    await put(store, issue);
    const good = [["e", issue.id], ["E", issue.id, "wss://x"], ["q", issue.id]];
    const bad = [["a", issue.id], ["Q", issue.id], ["e", issue.id.toUpperCase()], ["e", key(5)], ["e", ""]];
    assert.deepEqual(await relatedOnes(store, [...good, ...bad]), good.map((tag) => tag.join(" ")));
  }),
);

Deno.test(
  "R-75 an event that a stored one names by id or coordinate is related",
  eachStore(async ({ store }) => {
    const candidates: [NostrEvent, string[]][] = [
      [event({ content: "a" }), ["e"]],
      [event({ content: "b" }), ["E"]],
      [event({ content: "c" }), ["q"]],
      [event({ kind: 30618, tags: [["d", "z"]] }), ["a", `30618:${key(1)}:z`]],
      [event({ kind: 30618, tags: [["d", "n\0"]] }), ["q", `30618:${key(1)}:n\0`]],
      [event({ kind: 10_002 }), ["A", `10002:${key(1)}:`]],
      [event({ kind: 10_003 }), ["a", `10003:${key(1)}`]],
      [event({ kind: 30_001 }), ["e"]],
    ];
    for (const [candidate] of candidates) assert.equal(await store.isRelated(candidate), false);
    const naming = candidates.map(([{ id }, [name, value]]) => [name!, value ?? id]);
    await put(store, event({ kind: 1621, pubkey: STRANGER, tags: naming }));
    for (const [candidate] of candidates) {
      assert.equal(await store.isRelated(candidate), true, candidate.content);
    }
    assert.equal(await store.isRelated(event({ kind: 30618, tags: [["d", "n"]] })), false);
    assert.equal(await store.isRelated(event({ content: "other" })), false);
  }),
);

Deno.test(
  "R-77 an address of one owner is not reached through another owner of the same kind",
  eachStore(async ({ store }) => {
    await put(store, event({ kind: 30617, pubkey: key(2), tags: [["d", "x"]] }));
    const tags = [["a", `30617:${key(3)}:x`], ["a", `30617:${key(2)}:y`]];
    assert.equal(await store.isRelated(event({ pubkey: STRANGER, tags })), false);
  }),
);

Deno.test(
  "R-78 kinds 5 and 10317 link to nothing and from nothing",
  eachStore(async ({ store }) => {
    const note = event({ pubkey: STRANGER, content: "spam" });
    const deletion = event({ kind: 5, tags: [["e", note.id]] });
    const list = event({ kind: 10317, tags: [["e", note.id]] });
    await put(store, deletion, list);
    const tags = [["e", deletion.id], ["q", list.id], ["a", `10317:${key(1)}:`]];
    assert.deepEqual(await relatedOnes(store, tags), []);
    assert.equal(await store.isRelated(note), false);
  }),
);

Deno.test(
  "R-76 no references relate to nothing, and only the first 1,000 are followed",
  eachStore(async ({ store }) => {
    const target = event();
    await put(store, target);
    const fill = (count: number) => Array.from({ length: count }, (_, i) => ["e", key(1_000 + i)]);
    assert.equal(await store.isRelated(event({ pubkey: STRANGER })), false);
    assert.equal(
      await store.isRelated(event({ pubkey: STRANGER, tags: [...fill(999), ["e", target.id]] })),
      true,
    );
    assert.equal(
      await store.isRelated(event({ pubkey: STRANGER, tags: [...fill(1_000), ["e", target.id]] })),
      false,
    );
  }),
);

Deno.test("the references of many events of one turn are looked up in several turns, each with its own answer", () => {
  /** Every look at the database takes all that reads may have of a turn. */
  const clock = Object.assign(new HandClock(), {
    elapsed: 0,
    monotonic: () => clock.elapsed += 10,
  });
  return withMemory(async ({ store }) => {
    const target = event();
    await put(store, target);
    const fill = Array.from({ length: 999 }, (_, i) => ["e", key(1_000 + i)]);
    const events = Array.from({ length: 20 }, (_, i) =>
      event({
        pubkey: STRANGER,
        content: String(i),
        tags: [...fill, ["e", i % 3 === 0 ? target.id : key(1)]],
      }));
    let turns = 0;
    let isOver = false;
    const counting = (async () => {
      for (; !isOver; turns++) await nextTurn();
    })();
    const related = await Promise.all(events.map((each) => store.isRelated(each)));
    isOver = true;
    await counting;
    assert.deepEqual(related, events.map((_, i) => i % 3 === 0));
    assert.ok(turns >= events.length, `all in ${turns} turns`);
  }, { clock });
});
