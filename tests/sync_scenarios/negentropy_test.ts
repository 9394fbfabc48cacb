import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import type { NostrEvent } from "../../lib/nostr/mod.ts";
import { announcement, Author, issue, manyIssues } from "../support/sync_events.ts";
import { idsReq } from "../support/scripted_rules.ts";
import type { Quirks } from "../support/quirks.ts";
import { type Elsewhere, type Hosted, scenario, type Story } from "./support.ts";

const stranger = new Author();

async function negotiating(
  story: Story,
  quirks: Quirks,
  count = 120,
): Promise<{ source: Elsewhere; repo: Hosted; issues: readonly NostrEvent[] }> {
  const source = story.peer("source");
  source.peer.quirks = quirks;
  const repo = await story.repo("alpha", { relays: [source.url] });
  const issues = manyIssues(stranger, repo.address, count);
  source.peer.hold(repo.announcement, ...issues);
  story.start();
  return { source, repo, issues };
}

const opens = ({ log }: Elsewhere, from = 0) => log.of("us", "NEG-OPEN", from);
const verdict = (story: Story, source: Elsewhere) => story.inspect(source)?.memory.negentropy;

scenario(
  "S-62 scenario S29: a NOTICE about an unknown envelope starts REQ within 100 ms, for good",
  async (story) => {
    const { source, issues } = await negotiating(story, { negentropy: "notice" });
    await story.connected(source);
    ok(await story.has(...issues));
    const noticed = source.log.of("peer", "NOTICE")[0]!.at;
    const first = source.log.historic().find(({ via }) => via === "REQ")!.at;
    ok(first >= noticed && first - noticed <= 100, `${first - noticed} ms`);
    const mark = source.log.mark;
    await story.repo("beta", { relays: [source.url] });
    await story.until("beta is asked for", () => source.log.historic(mark).length > 0);
    deepStrictEqual(opens(source, mark), []);
    await story.connected(source);
  },
);

scenario(
  "S-63 scenario S30: NEG-OPEN without an answer becomes REQ after 10 s; the second time is a verdict",
  async (story) => {
    const { source, issues } = await negotiating(story, { negentropy: "silent" });
    await story.connected(source);
    ok(await story.has(...issues));
    const opened = opens(source)[0]!.at;
    const first = source.log.historic().find(({ via }) => via === "REQ")!.at;
    ok(first - opened >= 9_900 && first - opened <= 10_200, `${first - opened} ms`);
    story.network.cut(source.url);
    await story.until("reconnected", () => source.log.connections === 2);
    await story.connected(source);
    const mark = source.log.mark;
    story.network.cut(source.url);
    await story.until("reconnected", () => source.log.connections === 3);
    await story.connected(source);
    deepStrictEqual(opens(source, mark), [], "the verdict outlives the connection");
  },
);

for (const negentropy of ["garbage", "endless"] as const) {
  scenario(
    `scenario S31: ${negentropy} negotiation messages lead to REQ and a verdict`,
    async (story) => {
      const { source, issues } = await negotiating(story, { negentropy });
      await story.connected(source, 300_000);
      ok(await story.has(...issues));
      strictEqual(verdict(story, source), "unsupported");
      const mark = source.log.mark;
      await story.repo("beta", { relays: [source.url] });
      await story.until("beta is asked for", () => source.log.historic(mark).length > 0);
      deepStrictEqual(opens(source, mark), []);
    },
  );
}

scenario(
  "S-60 scenario S32: ids listed but not served by id: one retry, then paged REQ by meaning, for Layer 1 too",
  async (story) => {
    const source = story.peer("source");
    source.peer.quirks = { unserved: "all" };
    const repo = await story.repo("alpha", { relays: [source.url] });
    const issues = manyIssues(stranger, repo.address, 120);
    const others = Array.from({ length: 5 }, (_, index) => announcement(new Author(), `other${index}`));
    source.peer.hold(repo.announcement, ...issues, ...others);
    story.start();
    await story.connected(source, 300_000);
    ok(await story.has(...issues));
    for (const other of others) await story.held(other);
    strictEqual(verdict(story, source), "unsupported");
    ok(source.log.historic().some(({ via, filter }) => via === "REQ" && "#a" in filter));
    ok(
      source.log.historic().some(({ via, filter }) =>
        via === "REQ" && filter.kinds !== undefined && !("#d" in filter)
      ),
    );
  },
);

scenario("S-61 scenario S32: ids that never come at all leave the relay degraded", async (story) => {
  const source = story.peer("source");
  const repo = await story.repo("alpha", { relays: [source.url] });
  const issues = manyIssues(stranger, repo.address, 60);
  source.peer.hold(repo.announcement, ...issues);
  const hidden = issues[7]!;
  source.peer.quirks = { unserved: new Set(issues.map(({ id }) => id)) };
  // Listed in negotiations, served by no request at all.
  source.peer.rules.push({
    when: (message) => message[0] === "REQ",
    act: async (message, talk) => {
      source.peer.shelf.remove(hidden.id);
      await talk.proceed(message);
      source.peer.shelf.put(hidden);
    },
  });
  story.start();
  await story.degraded(source);
  ok(await story.has(...issues.filter(({ id }) => id !== hidden.id)));
});

scenario(
  "S-57 S-59 scenario S33: ids capped at 50 are asked for in rounds while some arrive; verdict supported",
  async (story) => {
    const { source, issues } = await negotiating(story, { idsCap: 50 }, 400);
    await story.connected(source, 300_000);
    ok(await story.has(...issues));
    strictEqual(verdict(story, source), "supported");
    for (const { filter } of source.log.asked()) ok(((filter.ids as string[]) ?? []).length <= 300);
    ok(!source.log.historic().some(({ via }) => via === "REQ"));
  },
);

scenario(
  "scenario S34: NEG-ERR blocked halves the time range until the sets are small enough",
  async (story) => {
    const source = story.peer("source");
    source.peer.quirks = { maxNegotiated: 60 };
    const repo = await story.repo("alpha", { relays: [source.url] });
    // Some five days apart: halving a range ends at about 20 days.
    const issues = Array.from(
      { length: 400 },
      (_, index) => issue(stranger, repo.address, 1_600_000_000 + index * 450_000),
    );
    source.peer.hold(repo.announcement, ...issues);
    story.start();
    await story.connected(source, 300_000);
    ok(await story.has(...issues));
    ok(opens(source).some(({ message }) => "until" in (message[2] as object)));
    strictEqual(verdict(story, source), "supported");
  },
);

scenario("S-54 with equal data on both sides no event is transferred", async (story) => {
  const source = story.peer("source");
  const repo = await story.repo("alpha", { relays: [source.url] });
  const issues = manyIssues(stranger, repo.address, 300);
  await story.world.store.commit({ insertEvents: issues.map((event) => ({ event })) });
  source.peer.hold(repo.announcement, ...issues);
  story.start();
  await story.connected(source);
  deepStrictEqual(source.log.deliveredIds(), []);
  deepStrictEqual(source.log.requestedIds(), []);
});

scenario("S-53 without negentropy by configuration no NEG-OPEN is sent", async (story) => {
  const { source, issues } = await negotiating(story, {});
  await story.connected(source);
  ok(await story.has(...issues));
  deepStrictEqual(opens(source), []);
}, { settings: { disableNegentropy: true } });

scenario("S-65 a negotiation that fails for one filter leaves the others negotiated", async (story) => {
  const source = story.peer("source");
  source.peer.rules.push({
    when: (message) => message[0] === "NEG-OPEN" && "#A" in (message[2] as object),
    act: (message, talk) => talk.send(["NEG-ERR", message[1], "closed: too busy"]),
  });
  const repo = await story.repo("alpha", { relays: [source.url] });
  const issues = manyIssues(stranger, repo.address, 30);
  source.peer.hold(repo.announcement, ...issues);
  story.start();
  await story.connected(source);
  ok(await story.has(...issues));
  const requested = source.log.historic().filter(({ via }) => via === "REQ");
  ok(requested.length >= 1 && requested.every(({ filter }) => "#A" in filter), JSON.stringify(requested));
  ok(source.log.frames.some(({ from, message }) => from === "us" && idsReq(message)));
});

scenario(
  "S-60 S-74 events too far in the future are not asked for by id: a stranger cannot degrade a relay with them",
  async (story) => {
    const source = story.peer("source");
    const repo = await story.repo("alpha", { relays: [source.url] });
    const issues = manyIssues(stranger, repo.address, 20);
    const future = Array.from(
      { length: 120 },
      (_, index) => issue(stranger, repo.address, story.seconds + 86_400 + index),
    );
    source.peer.hold(repo.announcement, ...issues, ...future);
    story.start();
    await story.connected(source);
    ok(await story.has(...issues));
    strictEqual(story.inspect(source)?.status, "Connected");
    strictEqual(verdict(story, source), "supported");
    strictEqual(source.log.connections, 1);
    strictEqual(story.world.counts.of("dropped future"), 0);
  },
);
