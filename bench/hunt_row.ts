import type { Changes } from "../lib/store/mod.ts";
import { DURATION } from "../lib/policy/mod.ts";
import { announceOn } from "../tests/support/announce_on.ts";
import { git } from "../tests/support/git_client.ts";
import { declare, newSigner, type Signer } from "../tests/support/keys.ts";
import { ServerProcess } from "../tests/support/server_process.ts";
import { fillStore } from "./filled_store.ts";
import { countOf } from "./follower.ts";
import { buildRoots, type GitHost, type Manner, openGitHost } from "./git_hosts.ts";
import { secondsOf } from "./measure.ts";
import { SERVER_ENV } from "./relay_site.ts";
import type { Bench, Row } from "./row.ts";

const HOSTS = 10;
const SLOW_MS = 300;
/** Fetches at once from one host, ours and the floor's. */
const PER_HOST = 5;
const AUTHORS = 20;
const DOMAIN = "localhost:7334";
const DEADLINE_MS = 600_000;
const LOOK_MS = 100;

/** Time until every repository that can be fetched is, with many waiting, one dead and one slow host. */
export const huntRow: Row = {
  name: "hunt",
  deadlineMs: 2 * DEADLINE_MS,
  async measure(bench) {
    const count = bench.quick ? 100 : 500;
    const directory = await bench.newDirectory("hunt");
    const commits = await buildRoots(`${directory}/roots.git`, count);
    const manners: Manner[] = ["dead", "slow", ...Array<Manner>(HOSTS - 2).fill("prompt")];
    const hosts = manners.map((manner, number) =>
      openGitHost(`${directory}/roots.git`, number, manner, SLOW_MS)
    );
    try {
      const floor = await plainFetches(bench, hosts.slice(1), commits);
      await fill(`${directory}/data`, hosts, commits);
      const reachable = commits.filter((_, index) => index % HOSTS !== 0).length;
      const ours = await hunt(`${directory}/data`, reachable);
      return {
        row: "hunt for git data",
        unit: "s",
        better: "lower",
        how:
          `${count} repositories waiting at the start, on ${HOSTS} hosts of which one never answers and one ` +
          `takes ${SLOW_MS} ms per answer, until the ${reachable} others are served; ${PER_HOST} fetches per host`,
        ours: [ours],
        beside: [{ name: "plain git init and fetch of the same commits", samples: [floor] }],
      };
    } finally {
      await Promise.all(hosts.map((host) => host.close()));
    }
  },
};

/** Puts announcements and states into a database as a server that was stopped leaves them. */
async function fill(dataPath: string, hosts: readonly GitHost[], commits: readonly string[]): Promise<void> {
  const authors = Array.from({ length: AUTHORS }, () => newSigner());
  const units = commits.map((commit, index) =>
    waiting(authors[index % AUTHORS]!, `r${index}`, hosts[index % HOSTS]!, commit)
  );
  await fillStore(dataPath, units);
}

function waiting(author: Signer, identifier: string, host: GitHost, commit: string): Changes {
  const cloneUrls = [`${host.url}/${author.npub}/${identifier}.git`];
  const now = Date.now();
  const row = { identifier, source: "sync", firstEnteredAt: now, enteredAt: now } as const;
  return {
    putAnnouncements: [{
      ...row,
      event: announceOn(author, identifier, [DOMAIN], { cloneUrls }),
      owner: author.pubkey,
      phase: "active",
      deadlineAt: now + DURATION.announcementMs,
    }],
    putStates: [{
      ...row,
      event: declare(author, identifier, { "refs/heads/main": commit }, { head: "refs/heads/main" }),
      author: author.pubkey,
      deadlineAt: now + DURATION.stateMs,
    }],
  };
}

async function hunt(dataPath: string, expected: number): Promise<number> {
  const server = await ServerProcess.start({
    dataPath,
    env: { ...SERVER_ENV, NGIT_DOMAIN: DOMAIN, NGIT_SYNC_GIT_MAX_PER_MINUTE_PER_HOST: "100000" },
  });
  try {
    return await secondsOf(async () => {
      const end = performance.now() + DEADLINE_MS;
      for (let served = 0; served < expected; served = await countOf(server, { kinds: [30618] })) {
        if (performance.now() > end) throw new Error(`${served} of ${expected} repositories are served`);
        await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      }
    });
  } finally {
    await server.stop();
  }
}

/** The same without a server: one new repository and one fetch by id for each commit. */
async function plainFetches(
  bench: Bench,
  hosts: readonly GitHost[],
  commits: readonly string[],
): Promise<number> {
  const directory = await bench.newDirectory("plain");
  return await secondsOf(() =>
    Promise.all(hosts.flatMap((host, number) => {
      const todo = [...commits.entries()].filter(([index]) => index % HOSTS === number + 1);
      return Array.from({ length: PER_HOST }, async () => {
        for (let next = todo.pop(); next; next = todo.pop()) {
          const [index, commit] = next;
          const copy = `${directory}/${index}.git`;
          await git(directory, "init", "-q", "--bare", copy);
          await git(copy, "-c", "protocol.version=2", "fetch", "-q", `${host.url}/x/r${index}.git`, commit);
        }
      });
    }))
  );
}
