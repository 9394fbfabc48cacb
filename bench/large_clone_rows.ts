import { git } from "../tests/support/git_client.ts";
import { clientGit } from "./client_git.ts";
import { contest } from "./contest.ts";
import { secondsOf } from "./measure.ts";
import type { Row } from "./row.ts";
import type { SampleName } from "./samples.ts";

interface Kind {
  readonly name: string;
  readonly label: string;
  readonly sample: SampleName;
  /** Options of `git clone --bare`. */
  readonly options: readonly string[];
  readonly runs: number;
}

const KINDS: readonly Kind[] = [
  { name: "clone-big", label: "cold clone, many objects", sample: "big", options: [], runs: 3 },
  { name: "clone-heavy", label: "cold clone, many bytes", sample: "heavy", options: [], runs: 3 },
  { name: "clone-shallow", label: "shallow clone", sample: "big", options: ["--depth=1"], runs: 5 },
  { name: "clone-partial", label: "partial clone", sample: "big", options: ["--filter=blob:none"], runs: 3 },
];

/** Wall time of bare clones of large repositories from a server that keeps no packs; `git fsck` of every result. */
export const largeCloneRows: readonly Row[] = KINDS.map(rowOf);

function rowOf({ name, label, sample, options, runs }: Kind): Row {
  return {
    name,
    deadlineMs: 180_000,
    async measure(bench, signal) {
      const site = await bench.coldSite(sample);
      const tip = await git(site.repository.work, "rev-parse", "HEAD");
      const directory = await bench.newDirectory(name);
      const target = `${directory}/clone.git`;
      const { ours, beside, cpu, figures } = await contest(
        site,
        bench.quick ? 1 : runs,
        async ({ url }) => {
          const clone = () => clientGit(signal, directory, "clone", "-q", "--bare", ...options, url, target);
          return { sample: await secondsOf(clone) * 1000, operations: 1 };
        },
        async ({ url }) => {
          await clientGit(signal, target, "fsck", "--connectivity-only", "--no-dangling");
          const cloned = await git(target, "rev-parse", "HEAD");
          if (cloned !== tip) throw new Error(`${url} gave ${cloned}, not ${tip}`);
          await Deno.remove(target, { recursive: true });
        },
      );
      const how = ["git clone --bare", ...options].join(" ");
      return {
        row: label,
        unit: "ms",
        better: "lower",
        how: `${how}, ${site.size}, no pack kept; fsck clean; ${cpu} per clone`,
        ours,
        beside,
        figures,
      };
    },
  };
}
