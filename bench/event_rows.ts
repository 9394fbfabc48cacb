import { type Filter, type NostrEvent, openSecp256k1, parseFilter } from "../lib/nostr/mod.ts";
import { loadWasmSignatureCheck, nativeSignatureCheck, type SignatureCheck } from "../lib/nostr/signature.ts";
import { openStore, type Store } from "../lib/store/mod.ts";
import { systemClock } from "../lib/world/mod.ts";
import { fakeLogger } from "../tests/git/quiet_log.ts";
import { RelayClient } from "../tests/support/relay_client.ts";
import { cpuSeconds, secondsOf } from "./measure.ts";
import type { RelaySite } from "./relay_site.ts";
import type { Bench, Row } from "./row.ts";
import { BareSocket, publishAll } from "./socket.ts";
import { median } from "./table.ts";

const WINDOW = 64;
const STORE_GROUP = 500;

/** Events in per second over `connections` sockets, every OK awaited. */
export function eventRow(name: string, connections: number): Row {
  return {
    name,
    async measure(bench) {
      const site = await bench.relaySite();
      const count = bench.quick ? 2_000 : 6_000;
      const runs = bench.quick ? 1 : 3;
      const { check, by, close } = await checkInUse();
      await publishOver(site, await site.sign(500), connections);
      const ours: number[] = [];
      const cpu: number[] = [];
      const store: number[] = [];
      const verify: number[] = [];
      for (let run = 0; run < runs; run++) {
        const events = await site.sign(count);
        const before = await cpuSeconds([site.server.pid]);
        ours.push(count / await publishOver(site, events, connections));
        cpu.push((await cpuSeconds([site.server.pid]) - before) / count);
        store.push(await storeRate(bench, `${name}-${run}`, events));
        verify.push(await verifyRate(check, events));
      }
      close();
      await expectStored(site, runs * count);
      const micros = Math.round(median(cpu) * 1e6);
      return {
        row: `events in, ${connections} connections`,
        unit: "events/s",
        better: "higher",
        how: `${count} signed issues (kind 1621), window of ${WINDOW} per connection, ` +
          `every OK awaited; server CPU ${micros} µs per event`,
        ours,
        beside: [
          { name: `store alone, groups of ${STORE_GROUP}`, samples: store },
          { name: `${by} verification alone, one thread`, samples: verify },
        ],
        figures: { serverCpuMicros: micros },
      };
    },
  };
}

/** Publishes `events`, dealt out to the sockets; returns seconds from the first frame to the last OK. */
export async function publishOver(
  { server }: Pick<RelaySite, "server">,
  events: readonly NostrEvent[],
  connections: number,
): Promise<number> {
  const frames = events.map((event) => JSON.stringify(["EVENT", event]));
  const sockets = await Promise.all(
    Array.from({ length: connections }, () => BareSocket.connect(server.wsUrl)),
  );
  try {
    return await secondsOf(() =>
      Promise.all(
        sockets.map((socket, index) =>
          publishAll(socket, frames.filter((_, at) => at % connections === index), WINDOW)
        ),
      )
    );
  } finally {
    for (const socket of sockets) socket.close();
  }
}

/** Throws unless at least `count` issues are served: an OK that stored nothing must not count as speed. */
async function expectStored({ server, coordinate }: RelaySite, count: number): Promise<void> {
  const relay = await RelayClient.connect(server.wsUrl);
  relay.send(["COUNT", "all", { kinds: [1621], "#a": [coordinate] }]);
  const [, , answer] = await relay.waitFor(([type]) => type === "COUNT" || type === "CLOSED");
  await relay.close();
  const stored = (answer as { count?: number }).count ?? 0;
  if (stored < count) throw new Error(`${count} events were acknowledged, ${stored} are stored`);
}

/** Opens a store of its own below the temporary directory. */
export async function openBenchStore(bench: Bench, name: string): Promise<Store> {
  const directory = await bench.newDirectory(`store-${name}`);
  return await openStore({
    location: `${directory}/relay.db`,
    backend: "libsql",
    clock: systemClock,
    limits: { defaultFilterLimit: 500, maxFilterLimit: 5_000 },
    log: fakeLogger,
  });
}

/** Inserts `events` in groups; every group is committed before the next begins. */
export async function insertAll(store: Store, events: readonly NostrEvent[]): Promise<void> {
  for (let from = 0; from < events.length; from += STORE_GROUP) {
    await Promise.all(
      events.slice(from, from + STORE_GROUP).map((event) => store.commit({ insertEvents: [{ event }] })),
    );
  }
}

async function storeRate(bench: Bench, name: string, events: readonly NostrEvent[]): Promise<number> {
  const store = await openBenchStore(bench, name);
  try {
    const seconds = await secondsOf(() => insertAll(store, events));
    const stored = await store.count([parseFilter({ kinds: [1621] }) as Filter]);
    if (stored !== events.length) {
      throw new Error(`the store alone kept ${stored} of ${events.length} events`);
    }
    return events.length / seconds;
  } finally {
    await store.close();
  }
}

/** The check a server of this machine uses without settings. */
async function checkInUse(): Promise<{ check: SignatureCheck; by: string; close: () => void }> {
  const { library } = openSecp256k1("");
  return library
    ? { check: nativeSignatureCheck(library), by: "libsecp256k1", close: () => library.close() }
    : { check: await loadWasmSignatureCheck(), by: "nostr-wasm", close: () => {} };
}

async function verifyRate(check: SignatureCheck, events: readonly NostrEvent[]): Promise<number> {
  const seconds = await secondsOf(() => {
    if (!events.every(check)) throw new Error("a signature that is right was not accepted");
    return Promise.resolve();
  });
  return events.length / seconds;
}
