import { git } from "../tests/support/git_client.ts";
import { percentile } from "./measure.ts";
import { signIssues } from "./relay_site.ts";
import type { Row } from "./row.ts";
import { BareSocket } from "./socket.ts";

const SPACING_MS = 20;

/** Time from EVENT to OK while a large repository is cloned again and again. */
export const busyRow: Row = {
  name: "busy",
  async measure(bench) {
    const site = await bench.coldSite("big");
    const directory = await bench.newDirectory("busy");
    const { owner, identifier } = site.repository;
    const count = bench.quick ? 40 : 300;
    const events = await signIssues(`30617:${owner.pubkey}:${identifier}`, 2 * count, 0);
    const { host } = new URL(site.ours.url);
    const socket = await BareSocket.connect(`ws://${host}/`);
    let cloning = true;
    let clones = 0;
    const clone = async () => {
      while (cloning) {
        await git(directory, "clone", "-q", "--bare", site.ours.url, "copy.git");
        await Deno.remove(`${directory}/copy.git`, { recursive: true });
        clones++;
      }
    };
    try {
      const calm = await answerTimes(socket, events.slice(0, count));
      const background = clone();
      const busy = await answerTimes(socket, events.slice(count)).finally(() => cloning = false);
      await background;
      const p95 = (samples: readonly number[]) => percentile(samples, 0.95);
      return {
        row: "EVENT to OK during a clone, p95",
        unit: "ms",
        better: "lower",
        how: `${count} issues, one each ${SPACING_MS} ms, while ${clones} clones of ${site.size} ran one ` +
          `after the other; p50 ${percentile(busy, 0.5).toFixed(1)} ms`,
        ours: [p95(busy)],
        beside: [{ name: "the same without clones", samples: [p95(calm)] }],
      };
    } finally {
      socket.close();
    }
  },
};

async function answerTimes(socket: BareSocket, events: readonly unknown[]): Promise<number[]> {
  const samples: number[] = [];
  for (const event of events) {
    const sentAt = performance.now();
    await socket.countUntil(JSON.stringify(["EVENT", event]), '["OK"');
    samples.push(performance.now() - sentAt);
    await new Promise((resolve) => setTimeout(resolve, SPACING_MS));
  }
  return samples;
}
