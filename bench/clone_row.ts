import { git } from "../tests/support/git_client.ts";
import { contest } from "./contest.ts";
import { secondsOf } from "./measure.ts";
import type { Row } from "./row.ts";

const CLONES_AT_ONCE = 8;

/** A row of clones of the large repository, checkout included; `git fsck` of one clone before. */
function row(
  name: string,
  label: string,
  how: string,
  atOnce: number,
  /** An option git passes on and nobody heeds: equal for requests that may have one answer. */
  option: (sample: number) => string,
): Row {
  return {
    name,
    async measure(bench) {
      const site = await bench.gitSite();
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
        how: `${how}, ${site.size}; fsck clean; ${cpu} per clone`,
        ours,
        beside,
        figures,
      };
    },
  };
}

/** Wall time of `git clone` of what nobody has cloned before. */
export const cloneRow: Row = row("clone", "first clone", "git clone", 1, (sample) => `first-${sample}`);

/** The same when somebody has: from the pack cache. */
export const warmCloneRow: Row = row("clonewarm", "later clone", "git clone", 1, () => "later");

/** Many at once of what nobody has cloned before; time until the last one is done. */
export const manyClonesRow: Row = row(
  "clones",
  `${CLONES_AT_ONCE} first clones at once`,
  "git clone",
  CLONES_AT_ONCE,
  (sample) => `many-${sample}`,
);
