import { git } from "../tests/support/git_client.ts";
import { contest } from "./contest.ts";
import { secondsOf } from "./measure.ts";
import type { Row } from "./row.ts";

/** Wall time of `git clone` of the large repository, checkout included; `git fsck` of one clone afterwards. */
export const cloneRow: Row = {
  name: "clone",
  async measure(bench) {
    const site = await bench.gitSite();
    const directory = await bench.newDirectory("clones");
    let clones = 0;
    const clone = async (url: string) => {
      const target = `clone-${clones++}`;
      const seconds = await secondsOf(() => git(directory, "clone", "-q", url, target));
      return { target, seconds };
    };
    const first = await clone(site.ours.url);
    await git(`${directory}/${first.target}`, "fsck", "--full");
    const tip = await git(`${directory}/${first.target}`, "rev-parse", "HEAD");
    if (tip !== await git(site.repository.work, "rev-parse", "main")) throw new Error(`cloned ${tip}`);
    const { ours, beside, cpu } = await contest(site, bench.quick ? 1 : 5, async ({ url }) => {
      const { target, seconds } = await clone(url);
      await Deno.remove(`${directory}/${target}`, { recursive: true });
      return { sample: seconds * 1000, operations: 1 };
    });
    return {
      row: "clone time",
      unit: "ms",
      better: "lower",
      how: `git clone, ${site.size}; fsck clean; ${cpu} per clone`,
      ours,
      beside,
    };
  },
};
