import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { announcement, Author, issue, state } from "../support/sync_events.ts";
import { push, workOf } from "./git_data.ts";
import { scenario } from "./support.ts";

const BOOTSTRAP = { settings: { bootstrapRelays: ["wss://source.example"] } };

for (const count of [1, 3]) {
  scenario(
    `S-93 scenario S42: ${count} maintainers' refused announcements are stored within 1 s of the owner's promotion by push`,
    async (story) => {
      const source = story.peer("source");
      const owner = new Author();
      const maintainers = Array.from({ length: count }, () => new Author());
      const theirs = maintainers.map((author) => announcement(author, "alpha", { listsUs: false }));
      source.peer.hold(...theirs);
      story.start();
      await story.connected(source);
      for (const event of theirs) ok(!await story.has(event));
      const draft = { maintainers: maintainers.map(({ pubkey }) => pubkey) };
      await story.submit(announcement(owner, "alpha", draft));
      const work = await workOf(story, owner, "alpha");
      await story.submit(work.state);
      await push(story, work, owner, "alpha");
      await story.arrive(theirs, 1_000);
    },
    BOOTSTRAP,
  );
}

scenario(
  "S-94 scenario S43: after 125 s the copy is gone: a targeted fetch brings the maintainer's announcement within 10 s",
  async (story) => {
    const source = story.peer("source");
    const [owner, maintainer] = [new Author(), new Author()];
    const theirs = announcement(maintainer, "alpha", { listsUs: false });
    source.peer.hold(theirs);
    story.start();
    await story.connected(source);
    await story.clock.advance(125_000);
    const mark = source.log.mark;
    await story.submit(
      announcement(owner, "alpha", { maintainers: [maintainer.pubkey], relays: [source.url] }),
    );
    const known = async () =>
      await story.has(theirs) || await story.world.store.waitingKind(theirs.id) !== undefined;
    await story.until("it is known", known, 10_000);
    const targeted = source.log.asked(mark).filter(({ filter }) => "authors" in filter);
    ok(targeted.length >= 1);
    deepStrictEqual(targeted[0]!.filter.authors, [maintainer.pubkey]);
    deepStrictEqual(targeted[0]!.filter["#d"], ["alpha"]);
  },
  BOOTSTRAP,
);

scenario(
  "S-93 scenario S44: states seen before their announcement, by owner and maintainer, are taken when it enters purgatory",
  async (story) => {
    const source = story.peer("source");
    await story.repo("alpha", { relays: [source.url] });
    const [owner, maintainer] = [new Author(), new Author()];
    const refs = { "refs/heads/main": "1".repeat(40) };
    const states = [
      state(owner, "alpha", refs, 1_799_500_001),
      state(maintainer, "alpha", refs, 1_799_500_002),
    ];
    source.peer.hold(...states);
    story.start();
    await story.connected(source);
    for (const event of states) strictEqual(await story.world.store.waitingKind(event.id), undefined);
    const answer = await story.submit(announcement(owner, "alpha", { maintainers: [maintainer.pubkey] }));
    ok(answer.startsWith("purgatory:"), answer);
    for (const event of states) await story.held(event, 1_000);
  },
);

scenario(
  "S-95 scenario S45: an invalid key among the maintainers does not matter to the others",
  async (story) => {
    const source = story.peer("source");
    const [owner, maintainer] = [new Author(), new Author()];
    source.peer.hold(
      announcement(owner, "alpha", { maintainers: ["not-a-key", maintainer.pubkey, owner.pubkey] }),
      announcement(maintainer, "alpha", { listsUs: false, maintainers: [owner.pubkey] }),
    );
    story.start();
    await story.connected(source);
    strictEqual((await story.world.store.readIdentifier("alpha")).waitingAnnouncements.length >= 1, true);
  },
  BOOTSTRAP,
);

scenario(
  "S-91 scenario S64: an announcement that does not list us is neither stored nor requested again",
  async (story) => {
    const source = story.peer("source");
    const foreign = announcement(new Author(), "foreign", { listsUs: false });
    source.peer.hold(foreign);
    story.start();
    await story.connected(source);
    ok(source.log.requestedIds().includes(foreign.id));
    const mark = source.log.mark;
    story.cut(source);
    await story.clock.advance(1_000_000);
    story.restore(source);
    await story.until("reconnected", () => source.log.connections === 2, 3_600_000);
    await story.connected(source);
    ok(!await story.has(foreign));
    deepStrictEqual(source.log.requestedIds(mark), []);
    deepStrictEqual(source.log.deliveredIds(mark), []);
  },
  BOOTSTRAP,
);

scenario(
  "S-91 S-109 scenario S14: after a restart refused announcements are not requested again for 7 days",
  async (story) => {
    const source = story.peer("source");
    const foreign = announcement(new Author(), "foreign", { listsUs: false });
    source.peer.hold(foreign);
    story.start();
    await story.connected(source);
    const first = source.log.mark;
    await story.restart();
    await story.connected(source);
    deepStrictEqual(source.log.requestedIds(first), []);
    await story.stop();
    story.clock.jump(8 * 86_400_000);
    await story.open();
    story.start();
    await story.connected(source);
    deepStrictEqual(source.log.requestedIds(first), [foreign.id]);
  },
  BOOTSTRAP,
);

scenario(
  "scenario S65: an archive takes what does not list us, and discovers its relays",
  async (story) => {
    const source = story.peer("source");
    const further = story.peer("further");
    const foreign = announcement(new Author(), "foreign", { listsUs: false, relays: [further.url] });
    source.peer.hold(foreign);
    story.start();
    await story.held(foreign);
    await story.connected(further);
  },
  {
    ...BOOTSTRAP,
    rules: { archive: { all: true, whitelist: [], services: [], readOnly: true } },
    endsUnsettled: true,
  },
);

scenario(
  "S-27 S-54 scenario S13: after a restart with its data, no stored event is sent again",
  async (story) => {
    const source = story.peer("source");
    const repo = await story.repo("alpha", { relays: [source.url] });
    const issues = Array.from(
      { length: 150 },
      (_, index) => issue(new Author(), repo.address, 1_799_000_000 + index),
    );
    source.peer.hold(repo.announcement, ...issues);
    story.start();
    await story.connected(source);
    const mark = source.log.mark;
    await story.restart();
    await story.connected(source);
    ok(
      source.log.historic(mark).every(({ filter }) => filter.since === undefined),
    );
    deepStrictEqual(source.log.deliveredIds(mark), []);
  },
);

scenario(
  "scenario S12: a source that returns with an empty database takes nothing away",
  async (story) => {
    const source = story.peer("source");
    const repo = await story.repo("alpha", { relays: [source.url] });
    const root = issue(new Author(), repo.address);
    source.peer.hold(repo.announcement, root);
    story.start();
    await story.connected(source);
    story.cut(source);
    source.peer.shelf.clear();
    await story.clock.advance(20_000);
    story.restore(source);
    await story.until("reconnected", () => source.log.connections === 2);
    await story.connected(source);
    ok(await story.has(repo.announcement, root));
  },
);
