import type { NostrEvent } from "../lib/nostr/mod.ts";
import { declareAll, publish, pushAll } from "../tests/scenarios/support.ts";
import { announceOn } from "../tests/support/announce_on.ts";
import { newWorkTree } from "../tests/support/git_client.ts";
import { newSigner, type Signer } from "../tests/support/keys.ts";
import { RelayClient } from "../tests/support/relay_client.ts";
import { ServerProcess } from "../tests/support/server_process.ts";
import { eventually } from "../tests/support/temp.ts";
import { percentile } from "./measure.ts";
import { SERVER_ENV } from "./relay_site.ts";
import type { Row } from "./row.ts";

const IDENTIFIER = "latency";
const SPACING_MS = 30;
const DEADLINE_MS = 60_000;

/** Time from sending an event to one server until a client of the other one has it. */
export const latencyRow: Row = {
  name: "latency",
  async measure(bench) {
    const directory = await bench.newDirectory("latency");
    const a = await ServerProcess.start({ dataPath: `${directory}/a`, env: SERVER_ENV });
    const servers = [a];
    try {
      const b = await ServerProcess.start({
        dataPath: `${directory}/b`,
        env: { ...SERVER_ENV, NGIT_SYNC_BOOTSTRAP_RELAY_URL: `ws://${a.domain}` },
      });
      servers.push(b);
      const owner = newSigner();
      await hostOnBoth(a, b, owner, `${directory}/work`);
      const count = bench.quick ? 50 : 500;
      const [near, far] = await latencies(a, b, owner, count);
      const p99 = (samples: readonly number[]) => percentile(samples, 0.99).toFixed(1);
      return {
        row: "live event, server to server",
        unit: "ms",
        better: "lower",
        how: `${count} comments sent to A, one each ${SPACING_MS} ms, until a client of B has them; ` +
          `p99 ${p99(far)} ms, of A's own clients ${p99(near)} ms`,
        ours: far,
        beside: [{ name: "a client of A itself", samples: near }],
      };
    } finally {
      await Promise.all(servers.map((server) => server.stop()));
    }
  },
};

/** Announces and pushes to A; resolves when a comment made on A has reached B over a live subscription. */
async function hostOnBoth(
  a: ServerProcess,
  b: ServerProcess,
  owner: Signer,
  directory: string,
): Promise<void> {
  const work = await newWorkTree(directory);
  const [onA, onB] = await Promise.all([RelayClient.connect(a.wsUrl), RelayClient.connect(b.wsUrl)]);
  const url = a.cloneUrl(owner.npub, IDENTIFIER);
  const hosted = { owner, identifier: IDENTIFIER, work, url };
  await publish(onA, announceOn(owner, IDENTIFIER, [a.domain, b.domain]), "purgatory:");
  await declareAll(onA, hosted, "purgatory:");
  await pushAll(hosted);
  // The second one is new when the subscription that brought the first one is open.
  for (const text of ["first", "second"]) {
    const event = commentOn(owner, text);
    await publish(onA, event, "");
    const arrived = async () => (await onB.query({ ids: [event.id] })).length === 1;
    await eventually(`a comment reaches B`, arrived, DEADLINE_MS);
  }
  await Promise.all([onA.close(), onB.close()]);
}

/** Milliseconds until each comment was received from A, and from B. */
async function latencies(
  a: ServerProcess,
  b: ServerProcess,
  owner: Signer,
  count: number,
): Promise<[near: number[], far: number[]]> {
  const comments = Array.from({ length: count }, (_, index) => commentOn(owner, `${index}`));
  const sentAt = new Map<string, number>();
  const [near, far] = [listen(a, sentAt, count), listen(b, sentAt, count)];
  await Promise.all([near.opened, far.opened]);
  const sender = await RelayClient.connect(a.wsUrl);
  for (const event of comments) {
    sentAt.set(event.id, performance.now());
    sender.send(["EVENT", event]);
    await new Promise((resolve) => setTimeout(resolve, SPACING_MS));
  }
  try {
    return await Promise.all([near.samples, far.samples]);
  } finally {
    await sender.close();
  }
}

/** A client that notes when it receives the events in `sentAt`. */
function listen(server: ServerProcess, sentAt: ReadonlyMap<string, number>, count: number) {
  const socket = new WebSocket(server.wsUrl);
  const opened = new Promise<void>((resolve, reject) => {
    socket.onopen = () => {
      socket.send(JSON.stringify(["REQ", "live", { kinds: [1111], limit: 0 }]));
      resolve();
    };
    socket.onerror = () => reject(new Error(`cannot connect to ${server.wsUrl}`));
  });
  const samples = new Promise<number[]>((resolve, reject) => {
    const found: number[] = [];
    const late = () => reject(new Error(`${found.length} of ${count} events arrived`));
    const timer = setTimeout(late, DEADLINE_MS);
    socket.onmessage = ({ data }) => {
      const now = performance.now();
      const [type, , event] = JSON.parse(String(data)) as [string, string, NostrEvent];
      const sent = type === "EVENT" ? sentAt.get(event.id) : undefined;
      if (sent !== undefined) found.push(now - sent);
      if (found.length < count) return;
      clearTimeout(timer);
      socket.close();
      resolve(found);
    };
  });
  return { opened, samples };
}

function commentOn(owner: Signer, content: string): NostrEvent {
  return owner.sign({ kind: 1111, tags: [["A", `30617:${owner.pubkey}:${IDENTIFIER}`]], content });
}
