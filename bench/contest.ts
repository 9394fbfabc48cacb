import { alternate, clientCpuTicks, cpuTicks, machineCpuTicks, TICK_MS } from "./measure.ts";
import { type Beside, formatNumber, median } from "./table.ts";

/** What the peer is called when nothing else is said. */
export const USUAL_PEER = "nginx + fcgiwrap + git http-backend";

/** One of the two servers a git row measures. */
export interface GitHost {
  /** URL to clone from and push to. */
  readonly url: string;
  /** Its name in the table, when it is not {@link USUAL_PEER} on this machine. */
  readonly name?: string;
  /** Where the repository is stored, when that is on this machine. */
  readonly directory?: string;
}

/** Our server and the peer, with the same repository. */
export interface Contestants {
  readonly ours: GitHost;
  readonly serverPid: number;
  /** The peer, or why there is none. */
  readonly peer: GitHost | { readonly missing: string };
}

/** Samples of both hosts of a git row, and a phrase about the CPU time used per operation. */
export interface Contest {
  readonly ours: readonly number[];
  readonly beside: readonly Beside[];
  readonly cpu: string;
  /**
   * Medians per operation: `serverCpuMs` of our server with its children and `clientCpuMs` of its clients;
   * `peerCpuMs` of the peer: what the machine used in its turn less what the clients did.
   */
  readonly figures: Readonly<Record<string, number>>;
}

/** CPU time in clock ticks. */
interface Usage {
  readonly server: number;
  readonly clients: number;
  readonly machine: number;
}

/**
 * Measures our server and the peer in turns; `operations` is how many operations one sample stands for, `run` counts
 * from 0. `check` follows each sample, and none of its work is counted.
 */
export async function contest(
  site: Contestants,
  runs: number,
  measure: (host: GitHost, run: number) => Promise<{ readonly sample: number; readonly operations: number }>,
  check: (host: GitHost, run: number) => Promise<void> = () => Promise.resolve(),
): Promise<Contest> {
  const hosts = "url" in site.peer ? [site.ours, site.peer] : [site.ours];
  const spent: Usage[][] = hosts.map(() => []);
  const operationsOfSamples: number[] = [];
  const samples = await alternate(
    runs,
    hosts.map((host, index) => async (run) => {
      const before = await usage(site);
      const { sample, operations } = await measure(host, run);
      const after = await usage(site);
      const each = (part: keyof Usage) => (after[part] - before[part]) * TICK_MS / operations;
      spent[index]!.push({ server: each("server"), clients: each("clients"), machine: each("machine") });
      operationsOfSamples.push(operations);
      await check(host, run);
      return sample;
    }),
  );
  const middle = (index: number, value: (spent: Usage) => number) => median(spent[index]!.map(value));
  const serverCpuMs = middle(0, ({ server }) => server);
  // Nothing of a peer elsewhere shows here.
  const isLocalPeer = "url" in site.peer && site.peer.name === undefined;
  const peerCpuMs = isLocalPeer ? middle(1, ({ machine, clients }) => Math.max(0, machine - clients)) : NaN;
  const cpu = (milliseconds: number) => describeCpu(milliseconds, TICK_MS / median(operationsOfSamples));
  return {
    ours: samples[0]!,
    beside: [besideOf(site.peer, samples[1] ?? [])],
    cpu: `CPU of our server ${cpu(serverCpuMs)}` + (isLocalPeer ? `, of the peer ${cpu(peerCpuMs)}` : "") +
      `, of all processes in our turn ${cpu(middle(0, ({ machine }) => machine))}`,
    figures: {
      serverCpuMs,
      clientCpuMs: middle(0, ({ clients }) => clients),
      ...(isLocalPeer && { peerCpuMs }),
    },
  };
}

/** CPU time per operation as text; `least` is the smallest that can be told from none. */
export function describeCpu(milliseconds: number, least: number): string {
  return milliseconds < least ? "not measurable" : `${formatNumber(milliseconds)} ms`;
}

function besideOf(peer: Contestants["peer"], samples: readonly number[]): Beside {
  if ("missing" in peer) return { name: USUAL_PEER, samples: [], missing: peer.missing };
  return { name: peer.name ?? USUAL_PEER, samples };
}

/** fcgiwrap does not wait for its children, so the CPU time of the peer shows in the machine's only. */
async function usage(site: Contestants): Promise<Usage> {
  return {
    server: await cpuTicks([site.serverPid]),
    clients: await clientCpuTicks(),
    machine: await machineCpuTicks(),
  };
}
