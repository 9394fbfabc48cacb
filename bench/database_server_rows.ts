import { Sqld } from "../tests/support/sqld.ts";
import { publishOver } from "./event_rows.ts";
import { alternate, ratePerSecond } from "./measure.ts";
import { openRelaySite, type RelaySite } from "./relay_site.ts";
import type { Bench, Row } from "./row.ts";
import { BareSocket } from "./socket.ts";
import type { Measured } from "./table.ts";

const CONNECTIONS = 16;

/** The same server with a database server on loopback and with a file, in turns. */
export const databaseServerRows: readonly Row[] = [
  {
    name: "server-events",
    measure: (bench) =>
      besideFile(bench, "events", async (remote, file) => {
        const count = bench.quick ? 1_000 : 2_000;
        const rate = async (site: RelaySite, connections: number) => {
          const events = await site.sign(connections === 1 ? Math.ceil(count / 4) : count);
          return events.length / await publishOver(site, events, connections);
        };
        const [many, manyFile, one, oneFile] = await alternate(bench.quick ? 1 : 3, [
          () => rate(remote, CONNECTIONS),
          () => rate(file, CONNECTIONS),
          () => rate(remote, 1),
          () => rate(file, 1),
        ]);
        return {
          row: `events in, ${CONNECTIONS} connections, database server (sqld) on loopback`,
          unit: "events/s",
          better: "higher",
          how: `${count} signed issues (kind 1621), every OK awaited; both processes share the cores`,
          ours: many!,
          beside: [
            { name: "database file", samples: manyFile! },
            { name: "1 connection, database server", samples: one! },
            { name: "1 connection, database file", samples: oneFile! },
          ],
        };
      }),
  },
  {
    name: "server-reqs",
    measure: (bench) =>
      besideFile(bench, "reqs", async (remote, file) => {
        const events = bench.quick ? 1_000 : 4_000;
        for (const site of [remote, file]) await publishOver(site, await site.sign(events), 8);
        const rate = (site: RelaySite, limit: number) =>
          requestRate(site, { kinds: [1621], "#a": [site.coordinate], limit }, bench.quick ? 1 : 2);
        const [page, pageFile, one, oneFile] = await alternate(bench.quick ? 1 : 3, [
          () => rate(remote, 500),
          () => rate(file, 500),
          () => rate(remote, 1),
          () => rate(file, 1),
        ]);
        return {
          row: "REQs of 500 events, 2 connections, database server (sqld) on loopback",
          unit: "REQ/s",
          better: "higher",
          how: `kind and #a filter, ${events} events stored, one REQ after the other on each connection`,
          ours: page!,
          beside: [
            { name: "database file", samples: pageFile! },
            { name: "1 event, database server", samples: one! },
            { name: "1 event, database file", samples: oneFile! },
          ],
        };
      }),
  },
];

/** Runs `work` with two servers, one of which keeps its events on a database server. */
async function besideFile(
  bench: Bench,
  name: string,
  work: (remote: RelaySite, file: RelaySite) => Promise<Measured>,
): Promise<Measured> {
  const sqld = await Sqld.start({ directory: await bench.newDirectory(`sqld-${name}`) });
  const sites: RelaySite[] = [];
  try {
    for (const env of [{ NGIT_DATABASE_URL: sqld.url }, {}]) {
      sites.push(await openRelaySite(await bench.newDirectory(`server-${name}-${sites.length}`), env));
    }
    return await work(sites[0]!, sites[1]!);
  } finally {
    for (const site of sites) await site.close();
    await sqld.kill();
  }
}

async function requestRate({ server }: RelaySite, filter: object, seconds: number): Promise<number> {
  const request = JSON.stringify(["REQ", "b", filter]);
  const sockets = await Promise.all([1, 2].map(() => BareSocket.connect(server.wsUrl)));
  try {
    return await ratePerSecond(sockets.length, seconds, async (connection) => {
      await sockets[connection]!.countUntil(request, '["EOSE"');
    });
  } finally {
    for (const socket of sockets) socket.close();
  }
}
