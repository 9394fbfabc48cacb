import type { GitHost, GitSite } from "./git_site.ts";
import { alternate, cpuSeconds, machineCpuSeconds } from "./measure.ts";
import { type Beside, formatNumber, median } from "./table.ts";

const PEER = "nginx + fcgiwrap + git http-backend";

/** Samples of both hosts of a git row, and a phrase about the CPU time used per operation. */
export interface Contest {
  readonly ours: readonly number[];
  readonly beside: readonly Beside[];
  readonly cpu: string;
}

/** Measures our server and the peer in turns; `operations` is how many operations one sample stands for. */
export async function contest(
  site: GitSite,
  runs: number,
  measure: (host: GitHost) => Promise<{ readonly sample: number; readonly operations: number }>,
): Promise<Contest> {
  const hosts = "url" in site.peer ? [site.ours, site.peer] : [site.ours];
  const server: number[] = [];
  const machine: number[][] = hosts.map(() => []);
  const samples = await alternate(
    runs,
    hosts.map((host, index) => async () => {
      const before = await usage(site);
      const { sample, operations } = await measure(host);
      const after = await usage(site);
      machine[index]!.push((after.machine - before.machine) * 1000 / operations);
      if (index === 0) server.push((after.server - before.server) * 1000 / operations);
      return sample;
    }),
  );
  const beside: Beside = "url" in site.peer
    ? { name: PEER, samples: samples[1]! }
    : { name: PEER, samples: [], missing: site.peer.missing };
  const ms = (values: readonly number[]) => `${formatNumber(median(values))} ms`;
  const cpu = `CPU of our server ${ms(server)}, of all processes ${ms(machine[0]!)}` +
    (machine[1] ? ` (peer's turn ${ms(machine[1])})` : "");
  return { ours: samples[0]!, beside: [beside], cpu };
}

/** fcgiwrap does not wait for its children, so their CPU time shows in the machine's only. */
async function usage(site: GitSite): Promise<{ server: number; machine: number }> {
  return { server: await cpuSeconds([site.serverPid]), machine: await machineCpuSeconds() };
}
