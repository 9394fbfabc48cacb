import { git } from "../tests/support/git_client.ts";
import { contest } from "./contest.ts";
import { secondsOf } from "./measure.ts";
import type { Row } from "./row.ts";
import type { SampleName } from "./samples.ts";

const CLONES_AT_ONCE = 8;

interface Kind {
  readonly name: string;
  readonly label: string;
  readonly sample?: SampleName;
  readonly atOnce?: number;
  /** An option git passes on and nobody heeds: equal for requests that may have one answer. */
  readonly option: (sample: number) => string;
}

/** A row of clones, checkout included, from a server that keeps packs; `git fsck` of one clone before. */
function row({ name, label, sample: source = "small", atOnce = 1, option }: Kind): Row {
  return {
    name,
    async measure(bench) {
      const site = await bench.gitSite(source);
      const directory = await bench.newDirectory(name);
      let clones = 0;
      let samples = 0;
      const clone = async (url: string, sample: number) => {
        const target = `clone-${clones++}`;
        await git(directory, "clone", "-q", `--server-option=${option(sample)}`, url, target);
        return target;
      };
      const first = await clone(site.ours.url, samples++);
      await git(`${directory}/${first}`, "fsck", "--full");
      const tip = await git(`${directory}/${first}`, "rev-parse", "HEAD");
      if (tip !== await git(site.repository.work, "rev-parse", "HEAD")) throw new Error(`cloned ${tip}`);
      // What is asked for a second time is kept.
      await clone(site.ours.url, samples++);
      const { ours, beside, cpu, figures } = await contest(site, bench.quick ? 1 : 5, async ({ url }) => {
        const sample = samples++;
        let targets: string[] = [];
        const seconds = await secondsOf(async () => {
          targets = await Promise.all(Array.from({ length: atOnce }, () => clone(url, sample)));
        });
        for (const target of targets) await Deno.remove(`${directory}/${target}`, { recursive: true });
        return { sample: seconds * 1000, operations: atOnce };
      });
      return {
        row: label,
        unit: "ms",
        better: "lower",
        how: `git clone, ${site.size}; fsck clean; ${cpu} per clone`,
        ours,
        beside,
        figures,
      };
    },
  };
}

/** Wall time of `git clone` of what nobody has cloned before. */
export const cloneRow: Row = row({
  name: "clone",
  label: "first clone",
  option: (sample) => `first-${sample}`,
});

/** The same when others have: from the pack cache. */
export const warmCloneRows: readonly Row[] = [
  row({ name: "clonewarm", label: "later clone", option: () => "later" }),
  row({ name: "clonewarm-big", label: "later clone, many objects", sample: "big", option: () => "later" }),
];

/** Many at once of what nobody has cloned before; time until the last one is done. */
export const manyClonesRow: Row = row({
  name: "clones",
  label: `${CLONES_AT_ONCE} first clones at once`,
  atOnce: CLONES_AT_ONCE,
  option: (sample) => `many-${sample}`,
});
