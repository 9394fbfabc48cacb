import type { NostrEvent } from "../lib/nostr/mod.ts";
import type { Changes } from "../lib/store/mod.ts";
import { publishOver } from "./event_rows.ts";
import { fillStore } from "./filled_store.ts";
import { cpuSeconds } from "./measure.ts";
import { openRelaySite, type RelaySite } from "./relay_site.ts";
import type { Row } from "./row.ts";
import { BareSocket, subscribe } from "./socket.ts";
import { median } from "./table.ts";

const CONNECTIONS = 16;
const SUBSCRIPTIONS_PER_SOCKET = 250;
const AUTHORS = 500;

/** What a server is loaded with; the row compares much of it with a tenth of it. */
interface Load {
  readonly name: string;
  /** How the load is called after its number. */
  readonly of: string;
  readonly amount: number;
  readonly open: (directory: string, amount: number) => Promise<LoadedSite>;
}

interface LoadedSite {
  readonly site: RelaySite;
  readonly close: () => Promise<void>;
}

/** Events in per second, and the server's CPU for one, under a load and under a tenth of it: they should be equal. */
function flatRow({ name, of, amount, open }: Load): Row {
  return {
    name,
    async measure(bench) {
      const most = bench.quick ? amount / 10 : amount;
      const count = bench.quick ? 1_000 : 2_000;
      const opened: LoadedSite[] = [];
      try {
        for (const load of [most, most / 10]) {
          opened.push(await open(await bench.newDirectory(`${name}-${load}`), load));
        }
        const rates: number[][] = [[], []];
        const micros: number[][] = [[], []];
        // The first turn warms up.
        for (let run = 0; run <= (bench.quick ? 2 : 4); run++) {
          for (const [index, { site }] of opened.entries()) {
            const { rate, cpu } = await publish(site, count);
            if (run > 0) rates[index]!.push(rate);
            if (run > 0) micros[index]!.push(cpu);
          }
        }
        const [much, little] = micros.map(median) as [number, number];
        return {
          row: `events in, ${most.toLocaleString("en")} ${of}`,
          unit: "events/s",
          better: "higher",
          how: `${count} issues over ${CONNECTIONS} connections, both servers in turn; ` +
            `server CPU ${Math.round(much)} µs per event, beside it ${Math.round(little)} µs`,
          ours: rates[0]!,
          beside: [{ name: `${(most / 10).toLocaleString("en")} ${of}`, samples: rates[1]! }],
          figures: { cpuTimes: much / little },
        };
      } finally {
        for (const { close } of opened) await close();
      }
    },
  };
}

async function publish(site: RelaySite, count: number): Promise<{ rate: number; cpu: number }> {
  const events = await site.sign(count);
  const before = await cpuSeconds([site.server.pid]);
  const seconds = await publishOver(site, events, CONNECTIONS);
  return { rate: count / seconds, cpu: (await cpuSeconds([site.server.pid]) - before) / count * 1e6 };
}

/** While many subscriptions are open that none of the events matches. */
export const bystandersRow: Row = flatRow({
  name: "bystanders",
  of: "other subscriptions open",
  amount: 10_000,
  async open(directory, amount) {
    const site = await openRelaySite(directory);
    const sockets: BareSocket[] = [];
    const close = async () => {
      for (const socket of sockets) socket.close();
      await site.close();
    };
    for (let n = 0; n * SUBSCRIPTIONS_PER_SOCKET < amount; n++) {
      const socket = await BareSocket.connect(site.server.wsUrl);
      sockets.push(socket);
      const each = Math.min(SUBSCRIPTIONS_PER_SOCKET, amount);
      await subscribe(socket, each, { kinds: [1621, 1111], "#e": [key(n)], limit: 0 });
    }
    return { site, close };
  },
});

/** With many events stored already. */
export const storedRow: Row = flatRow({
  name: "stored",
  of: "events stored",
  amount: 100_000,
  async open(directory, amount) {
    const units = Array.from(
      { length: amount },
      (_, n): Changes => ({ insertEvents: [{ event: issue(n) }] }),
    );
    await fillStore(`${directory}/data`, units);
    const site = await openRelaySite(directory);
    return { site, close: site.close };
  },
});

/** Unsigned: what is stored is not verified again. Ids and authors are spread as those of real events are. */
function issue(n: number): NostrEvent {
  return {
    id: spread(n),
    pubkey: spread(n % AUTHORS),
    created_at: 1_700_000_000 + n,
    kind: 1621,
    tags: [["a", `30617:${spread(n % 1_000)}:project`], ["p", spread(n % 1_000)], ["t", "bug"]],
    content: `issue ${n}: ${"text ".repeat(60)}`,
    sig: "0".repeat(128),
  };
}

/** 64 hex digits that differ for each `n` and follow no order. */
function spread(n: number): string {
  return (BigInt(n) * 0x9e3779b97f4a7c15f39cc0605cedc835n % 2n ** 128n).toString(16).padStart(32, "0").repeat(
    2,
  );
}

function key(n: number): string {
  return n.toString(16).padStart(64, "0");
}
