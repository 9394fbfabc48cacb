import { declareAll, pushAll } from "../tests/scenarios/support.ts";
import { commitFile, git } from "../tests/support/git_client.ts";
import { contest } from "./contest.ts";
import { secondsOf } from "./measure.ts";
import type { Row } from "./row.ts";

/** Wall time of `git push` of one small commit; our state event is published before the clock starts. */
export const pushRow: Row = {
  name: "push",
  async measure(bench) {
    const site = await bench.emptySite("small", "pushed");
    await pushAll(site.repository);
    if ("url" in site.peer) await pushAll({ work: site.repository.work, url: site.peer.url });
    const directory = await bench.newDirectory("pushes");
    const work = `${directory}/work`;
    await git(directory, "clone", "-q", site.repository.work, work);
    const repository = { ...site.repository, work };
    let createdAt = Math.floor(Date.now() / 1000) - 500;
    let commits = 0;
    const isOurs = (url: string) => url === site.ours.url;
    const push = async (url: string) => {
      // The peer gets the commit our server has just got.
      if (isOurs(url)) {
        await commitFile(work, "pushed.txt", `${++commits}\n`);
        await declareAll(site.relay, repository, "purgatory:", createdAt++);
      }
      const seconds = await secondsOf(() => git(work, "push", "-q", url, "main"));
      return { sample: seconds * 1000, operations: 1 };
    };
    await push(site.ours.url);
    if ("url" in site.peer) await push(site.peer.url);
    const { ours, beside, cpu, figures } = await contest(site, bench.quick ? 3 : 9, ({ url }) => push(url));
    for (const { directory } of [site.ours, site.peer].filter((host) => "url" in host)) {
      await git(directory!, "fsck", "--connectivity-only", "--no-dangling");
      const [stored, sent] = [
        await git(directory!, "rev-parse", "main"),
        await git(work, "rev-parse", "main"),
      ];
      if (stored !== sent) throw new Error(`${directory} does not have what was pushed`);
    }
    return {
      row: "push of one commit",
      unit: "ms",
      better: "lower",
      how: `git push into ${site.size}, same fsync settings; fsck clean; ${cpu} per push`,
      ours,
      beside,
      figures,
    };
  },
};
