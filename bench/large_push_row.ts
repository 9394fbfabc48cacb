import { git } from "../tests/support/git_client.ts";
import type { ServerProcess } from "../tests/support/server_process.ts";
import { clientGit } from "./client_git.ts";
import { contest, type GitHost } from "./contest.ts";
import type { GitSite } from "./git_site.ts";
import { secondsOf } from "./measure.ts";
import type { Row } from "./row.ts";
import { formatNumber } from "./table.ts";

const SAMPLE_MS = 25;
const MIB = 2 ** 20;

/** Wall time of the first push of 1 GiB, and how much more memory our server takes while it lasts. */
export const largePushRow: Row = {
  name: "push-large",
  deadlineMs: 240_000,
  async measure(bench, signal) {
    const runs = bench.quick ? 1 : 2;
    const sites: GitSite[] = [];
    for (let run = 0; run < runs; run++) sites.push(await bench.emptySite("huge", `huge-${run}`));
    const first = sites[0]!;
    const work = first.repository.work;
    const growth: number[] = [];
    const hostOf = (host: GitHost, run: number) => {
      const site = sites[run]!;
      return host === first.ours ? site.ours : site.peer as GitHost;
    };
    const { ours, beside, cpu, figures } = await contest(first, runs, async (host, run) => {
      const { url } = hostOf(host, run);
      const push = () => clientGit(signal, work, "push", "-q", url, "refs/heads/main");
      if (host !== first.ours) return { sample: await secondsOf(push), operations: 1 };
      const watch = await MemoryWatch.start(first.server);
      const sample = await secondsOf(push).finally(() => watch.stop());
      growth.push(watch.growth / MIB);
      return { sample, operations: 1 };
    }, async (host, run) => {
      const { directory } = hostOf(host, run);
      await clientGit(signal, directory!, "fsck", "--connectivity-only", "--no-dangling");
      const [pushed, sent] = [directory!, work].map((path) => git(path, "rev-parse", "refs/heads/main"));
      if (await pushed !== await sent) throw new Error(`${directory} does not have what was pushed`);
    });
    const memoryGrowthMiB = Math.max(...growth);
    const bytes = await sizeOf(work);
    return {
      row: "first push, many bytes",
      unit: "s",
      better: "lower",
      how: `git push of ${formatNumber(bytes / MIB)} MiB, ${first.size}, same fsync settings; fsck clean; ` +
        `our server's memory grew by at most ${formatNumber(memoryGrowthMiB)} MiB; ${cpu} per push`,
      ours,
      beside,
      figures: { ...figures, memoryGrowthMiB, pushedMiB: bytes / MIB },
    };
  },
};

/** Largest resident memory of a server from `start` to `stop`, sampled. */
class MemoryWatch {
  readonly #server: ServerProcess;
  readonly #before: number;
  #largest: number;
  #stopped = false;
  #done: Promise<void> = Promise.resolve();

  private constructor(server: ServerProcess, before: number) {
    this.#server = server;
    this.#before = before;
    this.#largest = before;
  }

  static async start(server: ServerProcess): Promise<MemoryWatch> {
    const watch = new MemoryWatch(server, await residentBytes(server.pid));
    watch.#done = watch.#sample();
    return watch;
  }

  /** Bytes. */
  get growth(): number {
    return this.#largest - this.#before;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#done;
  }

  async #sample(): Promise<void> {
    while (!this.#stopped) {
      await new Promise((resolve) => setTimeout(resolve, SAMPLE_MS));
      this.#largest = Math.max(this.#largest, await residentBytes(this.#server.pid));
    }
  }
}

async function residentBytes(pid: number): Promise<number> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
}

/** Bytes of all packs of a repository. */
async function sizeOf(path: string): Promise<number> {
  return Number(/^size-pack: (\d+)$/m.exec(await git(path, "count-objects", "-v"))?.[1]) * 1024;
}
