import type { NostrEvent } from "../lib/nostr/mod.ts";
import { countOf, statusOf, watchUntil } from "./follower.ts";
import type { Row } from "./row.ts";
import { signDiscussion } from "./sync_events.ts";
import type { SyncSite } from "./sync_site.ts";

const DEADLINE_MS = 900_000;

/** What a server that has 99 % already transfers until it has the rest, by either method. */
export const secondSyncRow: Row = {
  name: "second-sync",
  deadlineMs: DEADLINE_MS,
  async measure(bench) {
    const site = await bench.syncSite();
    const [one, other] = await Promise.all([bench.newDirectory("second-1"), bench.newDirectory("second-2")]);
    await bringUp(site, one!);
    await Deno.remove(other!, { recursive: true });
    await new Deno.Command("cp", { args: ["-r", one!, other!] }).output();
    const missing = await signDiscussion(
      site.coordinate,
      site.count / 100,
      Math.floor(Date.now() / 1000) - 5_000,
    );
    await site.add(missing);
    const negentropy = await secondSync(site, one!, missing, false);
    const paging = await secondSync(site, other!, missing, true);
    const size = missing.reduce((sum, event) => sum + JSON.stringify(event).length, 0) / 1024;
    return {
      row: "second sync, 1 % missing",
      unit: "KiB",
      better: "lower",
      how:
        `bytes both ways between a restarted server and a peer with ${
          site.count.toLocaleString("en")
        } events, ` +
        `${missing.length} of them missing; ${negentropy.seconds.toFixed(1)} s by negentropy, ` +
        `${paging.seconds.toFixed(1)} s by paging`,
      ours: [negentropy.kib],
      beside: [
        { name: "the missing events alone", samples: [size] },
        { name: "the same by paging (negentropy disabled)", samples: [paging.kib] },
      ],
    };
  },
};

/** Fills a data directory with everything the source has. */
async function bringUp(site: SyncSite, dataPath: string): Promise<void> {
  const server = await site.follow(dataPath);
  await watchUntil(server, DEADLINE_MS, (metrics) => statusOf(metrics, site.sourceUrl) === 3)
    .finally(() => server.stop());
}

async function secondSync(
  site: SyncSite,
  dataPath: string,
  missing: readonly NostrEvent[],
  paging: boolean,
): Promise<{ readonly seconds: number; readonly kib: number }> {
  const transferred = () => site.proxy.toBackend.passed + site.proxy.toClient.passed;
  const before = transferred();
  const server = await site.follow(dataPath, { NGIT_SYNC_DISABLE_NEGENTROPY: `${paging}` });
  try {
    const { seconds } = await watchUntil(
      server,
      DEADLINE_MS,
      (metrics) => statusOf(metrics, site.sourceUrl) === 3,
    );
    const kib = (transferred() - before) / 1024;
    const since = Math.min(...missing.map(({ created_at }) => created_at));
    const got = await countOf(server, { kinds: [1621, 1111], since });
    if (got < missing.length) throw new Error(`Connected with ${got} of ${missing.length} missing events`);
    return { seconds, kib };
  } finally {
    await server.stop();
  }
}
