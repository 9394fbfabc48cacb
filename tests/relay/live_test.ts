import assert from "node:assert/strict";
import fc from "fast-check";
import { type Filter, matchesFilter, type NostrEvent, serialiseEvent } from "../../lib/nostr/mod.ts";
import { LiveSubscriptions } from "../../lib/relay/live.ts";

const key = fc.constantFrom("a".repeat(64), "b".repeat(64), "c".repeat(64));
const kind = fc.constantFrom(1, 7, 1617, 30617);
const tagName = fc.constantFrom("e", "E", "a", "A", "d", "i", "k", "p");
const tagValue = fc.constantFrom("", "x", "y", "xx", "30617:" + "a".repeat(64) + ":r", "a".repeat(64));
const time = fc.integer({ min: 0, max: 5 });
const list = <T>(item: fc.Arbitrary<T>) => fc.uniqueArray(item, { maxLength: 3 });

const filter: fc.Arbitrary<Filter> = fc.record({
  ids: list(key),
  authors: list(key),
  kinds: list(kind),
  since: time,
  until: time,
  limit: time,
  tags: fc.uniqueArray(fc.tuple(tagName, list(tagValue)), { maxLength: 2, selector: ([name]) => name })
    .map((entries) => new Map(entries)),
}, { requiredKeys: ["tags"] });

const event: fc.Arbitrary<NostrEvent> = fc.record({
  id: key,
  pubkey: key,
  created_at: time,
  kind,
  tags: fc.array(
    fc.oneof(fc.tuple(tagName, tagValue), fc.tuple(tagName), fc.tuple(fc.constant("long"), tagValue)),
    {
      maxLength: 4,
    },
  ),
  content: fc.constant(""),
  sig: fc.constant(""),
});

class Recorder {
  readonly received: NostrEvent[] = [];
  constructor(readonly filters: readonly Filter[]) {}
  deliver(event: NostrEvent, text: string): void {
    assert.equal(text, serialiseEvent(event));
    this.received.push(event);
  }
}

Deno.test("R-7 live delivery equals matching every filter, once per subscription", () => {
  const subscriptions = fc.array(fc.array(filter, { minLength: 1, maxLength: 3 }), { maxLength: 8 });
  fc.assert(
    fc.property(
      subscriptions,
      fc.array(event, { maxLength: 6 }),
      fc.nat(),
      (filterLists, events, removed) => {
        const live = new LiveSubscriptions();
        const recorders = filterLists.map((filters) => new Recorder(filters));
        for (const recorder of recorders) live.add(recorder);
        const gone = recorders[removed % Math.max(1, recorders.length)];
        if (gone) live.remove(gone);
        for (const item of events) live.publish(item, serialiseEvent(item));
        for (const recorder of recorders) {
          const expected = recorder === gone
            ? []
            : events.filter((item) => recorder.filters.some((wanted) => matchesFilter(wanted, item)));
          assert.deepEqual(recorder.received, expected);
        }
        for (const recorder of recorders) live.remove(recorder);
        assert.deepEqual([live.size, live.indexSize], [0, 0]);
      },
    ),
    { numRuns: 500 },
  );
});

Deno.test("R-9 a subscription removed by another one's delivery receives nothing more", () => {
  const live = new LiveSubscriptions();
  const any: Filter = { tags: new Map() };
  const second = new Recorder([any]);
  live.add({ filters: [any], deliver: () => live.remove(second) });
  live.add(second);
  const item = fc.sample(event, 1)[0]!;
  live.publish(item, serialiseEvent(item));
  assert.equal(second.received.length, 0);
});
