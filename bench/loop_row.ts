import { createItemSet, initiate, reconcile, runSliced } from "../lib/negentropy/mod.ts";
import { countOf, valueOf, watchUntil } from "./follower.ts";
import { publishOver } from "./event_rows.ts";
import { signIssues } from "./relay_site.ts";
import type { Row } from "./row.ts";
import { BareSocket } from "./socket.ts";
import { openSyncSite, type SyncSite } from "./sync_site.ts";
import { type LongestTurns, longestTurns, watchedProgram } from "./turns.ts";

const DEADLINE_MS = 300_000;
/** Reports of the watch arrive a little later than what they are about. */
const SETTLE_MS = 100;
const ISSUES = 2_000;

/** What a server is asked to do while its event loop is watched. */
interface Task {
  readonly name: string;
  work(site: SyncSite): Promise<unknown>;
}

const TASKS: readonly Task[] = [
  {
    name: "REQs of 500",
    work: (site) => ask(site, 100, { kinds: [1621, 1111], "#A": [site.coordinate], limit: 500 }),
  },
  {
    name: "REQs of 5,000 by time alone",
    work: (site) => ask(site, 10, { limit: 5_000, since: 1, until: 4e9 }),
  },
  { name: "REQs of 8 filters", work: (site) => ask(site, 20, ...manyFilters(site.coordinate)) },
  { name: "COUNTs of everything", work: count },
  { name: "publishes", work: publish },
  { name: "negentropy of everything", work: negotiate },
];

/** What the goal asks for, whatever the rows of sync bring over. */
const EVENTS = 100_000;

/** The longest turn of the event loop of servers with many events, while they serve and while they follow. */
export const loopRow: Row = {
  name: "loop",
  deadlineMs: DEADLINE_MS,
  async measure(bench) {
    const events = bench.quick ? bench.syncEvents : EVENTS;
    const site = await openSyncSite(await bench.newDirectory("loop"), events, watchedProgram());
    try {
      const turns = new Map<string, LongestTurns>();
      for (const { name, work } of TASKS) turns.set(name, await watched(site, () => work(site)));
      turns.set("all at once", await watched(site, () => Promise.all(TASKS.map(({ work }) => work(site)))));
      turns.set("first sync", await firstSync(site, await bench.newDirectory("loop-follower")));
      const longest = (of: keyof LongestTurns) => Math.max(...[...turns.values()].map((each) => each[of]));
      const text = [...turns].map(([name, { feltMs, ownMs, busyMs }]) =>
        [name, ...[busyMs, ownMs, feltMs].map((ms) => ms.toFixed(0))].join(" ")
      );
      return {
        row: "longest turn of the event loop",
        unit: "ms",
        better: "lower",
        how:
          `${site.count.toLocaleString("en")} events; longest turns in ms (computing, with waiting for the ` +
          `disk, and with other processes on the cores): ${text.join("; ")}`,
        ours: [longest("ownMs")],
        beside: [],
        figures: { longestMs: longest("ownMs"), longestBusyMs: longest("busyMs"), events: site.count },
      };
    } finally {
      await site.close();
    }
  },
};

/** The source's longest turns while `work` is done. */
async function watched({ source }: SyncSite, work: () => Promise<unknown>): Promise<LongestTurns> {
  const from = Date.now();
  await work();
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  return longestTurns(source, from, Date.now());
}

/** A new server's longest turns until it has everything. */
async function firstSync(site: SyncSite, dataPath: string): Promise<LongestTurns> {
  const server = await site.follow(dataPath);
  try {
    const from = Date.now();
    const hasAll = (metrics: string) => valueOf(metrics, "ngit_sync_events_synced_total") >= site.count;
    await watchUntil(server, DEADLINE_MS, hasAll);
    return longestTurns(server, from, Date.now());
  } finally {
    await server.stop();
  }
}

async function withSocket(site: SyncSite, use: (socket: BareSocket) => Promise<unknown>): Promise<void> {
  const socket = await BareSocket.connect(site.source.wsUrl);
  try {
    await use(socket);
  } finally {
    socket.close();
  }
}

/** Sends the same REQ on two connections, `times` on each. */
async function ask(site: SyncSite, times: number, ...filters: readonly unknown[]): Promise<void> {
  const request = JSON.stringify(["REQ", "b", ...filters]);
  const repeat = () =>
    withSocket(site, async (socket) => {
      for (let n = 0; n < times; n++) await socket.countUntil(request, '["EOSE"');
    });
  await Promise.all([repeat(), repeat()]);
}

function manyFilters(coordinate: string): readonly unknown[] {
  return Array.from({ length: 8 }, (_, n) => ({
    kinds: [n % 2 === 0 ? 1621 : 1111],
    ...(n % 4 < 2 && { [n % 2 === 0 ? "#a" : "#A"]: [coordinate] }),
    until: 4e9 - n,
    limit: 500 * (1 + n),
  }));
}

async function count({ source }: SyncSite): Promise<void> {
  for (let n = 0; n < 5; n++) await countOf(source, { kinds: [1621, 1111] });
}

let batches = 0;

async function publish({ source, coordinate }: SyncSite): Promise<void> {
  const events = await signIssues(coordinate, ISSUES, batches++);
  await publishOver({ server: source }, events, 16);
}

/** Reconciles nothing with everything (NIP-77). */
async function negotiate(site: SyncSite): Promise<void> {
  const nothing =
    (await runSliced(createItemSet([]), () => Promise.resolve(), new AbortController().signal))!;
  const needed = new Set<string>();
  await withSocket(site, (socket) =>
    new Promise<void>((resolve, reject) => {
      socket.onEnd = (reason) => reject(new Error(reason));
      socket.onFrame = async (frame) => {
        const [type, , hex] = JSON.parse(frame) as [string, string, string];
        if (type !== "NEG-MSG") return reject(new Error(frame));
        const found = await runSliced(
          reconcile(nothing, Uint8Array.fromHex(hex)),
          () => Promise.resolve(),
          new AbortController().signal,
        );
        if (!found || "malformed" in found) return reject(new Error("malformed answer"));
        for (const id of found.need) needed.add(id);
        if (found.next) socket.send(JSON.stringify(["NEG-MSG", "n", found.next.toHex()]));
        else resolve();
      };
      const first = initiate(nothing).toHex();
      socket.send(JSON.stringify(["NEG-OPEN", "n", { kinds: [1621, 1111] }, first]));
    }));
  if (needed.size < site.count) throw new Error(`${needed.size} of ${site.count} events were found`);
}
