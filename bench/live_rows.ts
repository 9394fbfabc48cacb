import type { NostrEvent } from "../lib/nostr/mod.ts";
import { cpuSeconds, percentile } from "./measure.ts";
import { openRelaySite } from "./relay_site.ts";
import type { Row } from "./row.ts";
import { BareSocket, subscribe } from "./socket.ts";
import { median } from "./table.ts";
import { startBareServer } from "./bare_server.ts";

const CONNECTIONS = 40;
const DEADLINE_MS = 20_000;

/** Time from sending an event until each of `subscriptions` live subscriptions has it. */
export function fanOutRow(name: string, subscriptions: number): Row {
  return {
    name,
    async measure(bench) {
      const site = await openRelaySite(await bench.newDirectory(name));
      const each = subscriptions / CONNECTIONS;
      const events = await site.sign(bench.quick ? 5 : 30);
      const frame = `["EVENT","s${each}",${JSON.stringify(events[0])}]`;
      const floor = await startBareServer(new URL("./broadcast_server.ts", import.meta.url), {
        frame,
        copies: each,
      });
      try {
        const filter = { kinds: [1621], "#a": [site.coordinate], limit: 0 };
        let before = 0;
        const listening = async (sockets: readonly BareSocket[]) => {
          await Promise.all(sockets.map((socket) => subscribe(socket, each, filter)));
          before = await cpuSeconds([site.server.pid]);
        };
        const { wsUrl } = site.server;
        const ours = await deliveries({ publishUrl: wsUrl, listenUrl: wsUrl, each, events, listening });
        const cpu = (await cpuSeconds([site.server.pid]) - before) / events.length / subscriptions;
        const url = `ws://127.0.0.1:${floor.port}`;
        const bare = await deliveries({ publishUrl: `${url}/`, listenUrl: `${url}/listen`, each, events });
        const p99 = (samples: readonly number[]) => percentile(samples, 0.99).toFixed(1);
        return {
          row: `live event to ${subscriptions.toLocaleString("en")} subscriptions`,
          unit: "ms",
          better: "lower",
          how: `${CONNECTIONS} connections, ${events.length} events one after the other, time until a ` +
            `subscription has it (median of all); p99 ${p99(ours)} ms, floor's ${p99(bare)} ms; ` +
            `server CPU ${(cpu * 1e6).toFixed(1)} µs per delivery`,
          ours: [median(ours)],
          beside: [{ name: "bare sockets sending the same frames", samples: [median(bare)] }],
          figures: { p99Ms: percentile(ours, 0.99), floorP99Ms: percentile(bare, 0.99) },
        };
      } finally {
        await floor.stop();
        await site.close();
      }
    },
  };
}

interface DeliveriesInput {
  readonly publishUrl: string;
  readonly listenUrl: string;
  /** Frames of one event on one connection. */
  readonly each: number;
  readonly events: readonly NostrEvent[];
  /** Called when all are connected. */
  readonly listening?: (sockets: readonly BareSocket[]) => Promise<void>;
}

/** Milliseconds from publishing an event until each of its frames arrived. */
async function deliveries(
  { publishUrl, listenUrl, each, events, listening }: DeliveriesInput,
): Promise<number[]> {
  const sockets = await Promise.all(
    Array.from({ length: CONNECTIONS }, () => BareSocket.connect(listenUrl)),
  );
  const publisher = await BareSocket.connect(publishUrl);
  const samples: number[] = [];
  try {
    await listening?.(sockets);
    for (const event of events) {
      const expected = samples.length + CONNECTIONS * each;
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const timer = setTimeout(
        () => reject(new Error(`${samples.length} of ${expected} frames came`)),
        DEADLINE_MS,
      );
      const sentAt = performance.now();
      for (const socket of sockets) {
        socket.onFrame = () => {
          if (samples.push(performance.now() - sentAt) === expected) resolve();
        };
      }
      publisher.send(JSON.stringify(["EVENT", event]));
      await promise.finally(() => clearTimeout(timer));
    }
    return samples;
  } finally {
    for (const socket of [...sockets, publisher]) socket.close();
  }
}
