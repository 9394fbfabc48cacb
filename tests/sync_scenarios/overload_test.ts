import { ok, strictEqual } from "node:assert/strict";
import type { NostrEvent } from "../../lib/nostr/mod.ts";
import type { Store } from "../../lib/store/mod.ts";
import { Author } from "../support/sync_events.ts";
import type { SteppingClock } from "../support/stepping_clock.ts";
import { scenario } from "./support.ts";

const STORE_LATENCY_MS = 200;

/** From here on the store is slow. */
let isSlow = false;

/** Every commit takes its time; reading does not. */
function slowCommits(store: Store, clock: SteppingClock): Store {
  /** What is submitted while the disk turns is written together. */
  let disk: Promise<void> | undefined;
  return new Proxy(store, {
    get: (object, name) => {
      const value: unknown = Reflect.get(object, name, object);
      if (typeof value !== "function") return value;
      if (name !== "commit") return value.bind(object);
      return async (...args: unknown[]) => {
        if (isSlow) await (disk ??= clock.sleep(STORE_LATENCY_MS).finally(() => disk = undefined));
        return await value.apply(object, args);
      };
    },
  });
}

const stranger = new Author();

/** Not issues: those would each be followed in turn. */
function comments(address: string, count: number, until: number): NostrEvent[] {
  return Array.from(
    { length: count },
    (_, index) =>
      stranger.sign({ kind: 1111, tags: [["a", address]], content: `${index}`, created_at: until - index }),
  );
}

scenario(
  "S-110 scenario S62: 20,000 events in a burst before a slow store: the buffer is bounded and nothing is lost",
  async (story) => {
    const source = story.peer("source");
    const repo = await story.repo("alpha", { relays: [source.url] });
    const old = comments(repo.address, 3_000, 1_799_000_000);
    source.peer.hold(repo.announcement, ...old);
    isSlow = true;
    story.start();
    await story.until("the live feed is open", () => source.log.live().some(({ filter }) => "#a" in filter));
    const burst = comments(repo.address, 20_000, story.seconds);
    source.peer.publish(...burst);
    let deepest = 0;
    await story.until("all is stored", () => {
      deepest = Math.max(deepest, story.inspect(source)?.queueDepth ?? 0);
      return story.world.counts.of("synced") === 23_000;
    }, 3_600_000);
    ok(deepest > 0 && deepest <= 4 * story.world.settings.bufferedEvents, `${deepest} events buffered`);
    strictEqual(source.log.connections, 1);
    await story.connected(source, 600_000);
    const stored = await story.world.store.unwanted([...old, ...burst].map(({ id }) => id));
    strictEqual(stored.size, 23_000);
    strictEqual(story.world.counts.of("synced"), 23_000);
  },
  { tamper: slowCommits },
);
