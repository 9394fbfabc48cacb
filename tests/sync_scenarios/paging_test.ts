import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import type { NostrEvent } from "../../lib/nostr/mod.ts";
import { announcement, Author, issue, manyIssues } from "../support/sync_events.ts";
import type { Quirks } from "../support/quirks.ts";
import { type Elsewhere, scenario, type Story } from "./support.ts";

const stranger = new Author();

async function paged(
  story: Story,
  quirks: Quirks,
  make: (address: string) => readonly NostrEvent[],
): Promise<{ source: Elsewhere; issues: readonly NostrEvent[] }> {
  const source = story.peer("source");
  source.peer.quirks = { negentropy: "notice", ...quirks };
  const repo = await story.repo("alpha", { relays: [source.url] });
  const issues = make(repo.address);
  source.peer.hold(repo.announcement, ...issues);
  story.start();
  return { source, issues };
}

/** The pages of the filter for repository references, as asked for. */
function pages({ log }: Elsewhere) {
  return log.historic().filter(({ via, filter }) => via === "REQ" && "#a" in filter);
}

scenario(
  "S-47 scenario S35: 1,000 events by pages of 100; each until is the previous minimum",
  async (story) => {
    const { source, issues } = await paged(
      story,
      { cap: 100 },
      (address) => manyIssues(stranger, address, 1_000),
    );
    await story.connected(source, 300_000);
    ok(await story.has(...issues));
    deepStrictEqual(source.log.of("us", "NEG-OPEN"), []);
    const asked = pages(source);
    ok(asked.length >= 10);
    for (const [index, { id, filter }] of asked.entries()) {
      const next = asked[index + 1];
      if (!next) {
        break;
      }
      const times = source.log.of("peer", "EVENT").filter(({ message }) => message[1] === id)
        .map(({ message }) => (message[2] as NostrEvent).created_at);
      strictEqual(next.filter.until, Math.min(...times));
      strictEqual(next.filter.since, filter.since);
    }
  },
  { settings: { disableNegentropy: true } },
);

scenario(
  "S-50 scenario S36: an unadvertised cap of 50 is learned by one verification page; all 400 arrive",
  async (story) => {
    const { source, issues } = await paged(
      story,
      { cap: 50 },
      (address) => manyIssues(stranger, address, 400),
    );
    await story.connected(source, 300_000);
    ok(await story.has(...issues));
  },
);

scenario(
  "S-49 scenario S37: 500 events of one second behind a cap of 100 terminate, possibly incomplete",
  async (story) => {
    const second = 1_799_900_000;
    const { source, issues } = await paged(story, { cap: 100 }, (address) => [
      ...Array.from({ length: 500 }, () => issue(stranger, address, second)),
      ...manyIssues(stranger, address, 20, second - 100),
    ]);
    await story.connected(source);
    strictEqual(story.inspect(source)!.possiblyIncomplete, true);
    ok(await story.has(...issues.slice(500)), "what is older than the crowded second arrives");
    ok(pages(source).length < 20);
  },
);

scenario(
  "S-48 scenario S38: a first page of refused events does not hide the wanted ones behind it",
  async (story) => {
    const source = story.peer("source");
    source.peer.quirks = { negentropy: "notice", cap: 100 };
    await story.repo("alpha", { relays: [source.url] });
    const refused = Array.from(
      { length: 150 },
      (_, index) =>
        announcement(new Author(), `no${index}`, { listsUs: false, created_at: 1_799_500_000 + index }),
    );
    const wanted = Array.from(
      { length: 30 },
      (_, index) => announcement(new Author(), `yes${index}`, { created_at: 1_799_400_000 + index }),
    );
    source.peer.hold(...refused, ...wanted);
    story.start();
    await story.connected(source, 300_000);
    for (const event of wanted) {
      await story.held(event);
    }
    for (const event of refused.slice(0, 5)) {
      ok(!await story.has(event));
    }
  },
);

scenario("S-66 limits of the peer's NIP-11 document are obeyed", async (story) => {
  const { source, issues } = await paged(story, {
    cap: 40,
    maxSubscriptions: 12,
    information: { limitation: { max_limit: 40, max_subscriptions: 12 } },
  }, (address) => manyIssues(stranger, address, 200));
  await story.connected(source, 600_000);
  ok(await story.has(...issues));
  ok(source.log.mostOpen() <= 12, `${source.log.mostOpen()} open`);
  ok(pages(source).every(({ filter }) => (filter.limit as number) <= 40));
});
