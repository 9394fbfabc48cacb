import { countOf, type Followed, valueOf, watchUntil } from "./follower.ts";
import type { Row } from "./row.ts";
import type { SyncSite } from "./sync_site.ts";

const DEADLINE_MS = 900_000;

/** Events per second from an empty server to one that has everything its peer has, by either method. */
export const firstSyncRow: Row = {
  name: "first-sync",
  deadlineMs: DEADLINE_MS,
  async measure(bench) {
    const site = await bench.syncSite();
    const negentropy = await firstSync(site, await bench.newDirectory("first-negentropy"), false);
    const paging = await firstSync(site, await bench.newDirectory("first-paging"), true);
    const rate = ({ seconds }: Followed) => site.count / seconds;
    return {
      row: "first sync by negentropy",
      unit: "events/s",
      better: "higher",
      how:
        `${
          site.count.toLocaleString("en")
        } issues and comments from the start of an empty server until they are ` +
        `served, git data included; negentropy: ${describe(negentropy)}; paging: ${describe(paging)}`,
      ours: [rate(negentropy)],
      beside: [{ name: "the same by paging (negentropy disabled)", samples: [rate(paging)] }],
    };
  },
};

/** Lets a new server follow the source until it holds everything. */
async function firstSync(site: SyncSite, dataPath: string, paging: boolean): Promise<Followed> {
  const server = await site.follow(dataPath, { NGIT_SYNC_DISABLE_NEGENTROPY: `${paging}` });
  try {
    const hasAll = (metrics: string) => valueOf(metrics, "ngit_sync_events_synced_total") >= site.count;
    const followed = await watchUntil(server, DEADLINE_MS, hasAll);
    const count = await countOf(server, { kinds: [1621, 1111] });
    if (count !== site.count) throw new Error(`finished with ${count} of ${site.count} events`);
    return followed;
  } finally {
    await server.stop();
  }
}

function describe({ seconds, healthP50Ms, healthP99Ms, worstLagMs, maxResidentMiB }: Followed): string {
  return `${seconds.toFixed(1)} s, /healthz p50 ${healthP50Ms.toFixed(1)} ms and p99 ${
    healthP99Ms.toFixed(0)
  } ms, ` +
    `longest event loop delay ${worstLagMs.toFixed(0)} ms, ${Math.round(maxResidentMiB)} MiB resident`;
}
