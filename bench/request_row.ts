import { type Filter, parseFilter } from "../lib/nostr/mod.ts";
import { insertAll, openBenchStore, publishOver } from "./event_rows.ts";
import { alternate, cpuSeconds, ratePerSecond } from "./measure.ts";
import { openRelaySite, type RelaySite } from "./relay_site.ts";
import type { Bench, Row } from "./row.ts";
import { BareSocket } from "./socket.ts";
import { type Measured, median } from "./table.ts";
import { startBareServer } from "./bare_server.ts";

const CONNECTIONS = 2;
const EVENTS = 500;

/** REQs with 500 stored events per second, to EOSE. */
export const requestRow: Row = {
  name: "reqs",
  async measure(bench) {
    // A server of its own: the store measured beside it must hold the same events.
    const site = await openRelaySite(await bench.newDirectory("reqs"));
    try {
      return await measureRequests(bench, site);
    } finally {
      await site.close();
    }
  },
};

async function measureRequests(bench: Bench, site: RelaySite): Promise<Measured> {
  // Short turns, often: noise of the machine should meet the server and its floor alike.
  const [seconds, runs] = bench.quick ? [1, 1] : [1.5, 7];
  const events = await site.sign(bench.quick ? 1_000 : 5_000);
  const filter = { kinds: [1621], "#a": [site.coordinate], limit: EVENTS };
  await publishOver(site, events, 8);
  const request = JSON.stringify(["REQ", "b", filter]);
  const frames = await framesOf(site.server.wsUrl, request);
  if (frames.length !== EVENTS + 1) throw new Error(`${frames.length} frames instead of ${EVENTS + 1}`);
  const floor = await startBareServer(new URL("./frame_server.ts", import.meta.url), frames);
  const store = await openBenchStore(bench, "reqs");
  try {
    await insertAll(store, events);
    const parsed = parseFilter(filter) as Filter;
    const cpu: CpuTimes = { ours: [], bare: [] };
    const [ours, bare, query] = await alternate(runs, [
      () => requestRate({ url: site.server.wsUrl, pid: site.server.pid, request, seconds }, cpu.ours),
      () => requestRate({ url: `ws://127.0.0.1:${floor.port}/`, pid: floor.pid, request, seconds }, cpu.bare),
      () => ratePerSecond(1, seconds, () => store.query([parsed])),
    ]);
    const micros = (seconds: readonly number[]) => Math.round(median(seconds) * 1e6);
    const figures = { serverCpuMicros: micros(cpu.ours), bareCpuMicros: micros(cpu.bare) };
    return {
      row: `REQs of ${EVENTS} events, ${CONNECTIONS} connections`,
      unit: "REQ/s",
      better: "higher",
      how:
        `kind and #a filter, ${events.length} events stored, ${
          Math.round(frames.join("").length / 1024)
        } KiB per REQ, ` +
        `one REQ after the other on each connection; server CPU ${figures.serverCpuMicros} µs per REQ, ` +
        `of the bare server ${figures.bareCpuMicros} µs`,
      ours: ours!,
      beside: [
        { name: "bare Deno.serve sending the same frames", samples: bare! },
        { name: "store query alone", samples: query! },
      ],
      figures,
    };
  } finally {
    await floor.stop();
    await store.close();
  }
}

async function framesOf(url: string, request: string): Promise<string[]> {
  const socket = await BareSocket.connect(url);
  const frames: string[] = [];
  await new Promise<void>((resolve, reject) => {
    socket.onEnd = (reason) => reject(new Error(reason));
    socket.onFrame = (frame) => {
      frames.push(frame);
      if (!frame.startsWith('["EVENT"')) resolve();
    };
    socket.send(request);
  });
  socket.close();
  return frames;
}

/** CPU seconds per REQ, one for each run. */
interface CpuTimes {
  readonly ours: number[];
  readonly bare: number[];
}

interface RateInput {
  readonly url: string;
  /** Process that answers. */
  readonly pid: number;
  readonly request: string;
  readonly seconds: number;
}

/** REQs per second; adds the CPU seconds of one to `cpu`. */
async function requestRate({ url, pid, request, seconds }: RateInput, cpu: number[]): Promise<number> {
  const sockets = await Promise.all(Array.from({ length: CONNECTIONS }, () => BareSocket.connect(url)));
  let answered = 0;
  const before = await cpuSeconds([pid]);
  try {
    return await ratePerSecond(CONNECTIONS, seconds, async (connection) => {
      const count = await sockets[connection]!.countUntil(request, '["EOSE"');
      if (count !== EVENTS + 1) throw new Error(`${count} frames instead of ${EVENTS + 1}`);
      answered++;
    });
  } finally {
    cpu.push((await cpuSeconds([pid]) - before) / answered);
    for (const socket of sockets) socket.close();
  }
}
