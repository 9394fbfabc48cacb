import { encodePkt, flushPkt, joinBytes } from "../lib/git/pkt_line.ts";
import { git } from "../tests/support/git_client.ts";
import { contest } from "./contest.ts";
import { ratePerSecond } from "./measure.ts";
import type { Row } from "./row.ts";

const CONNECTIONS = 8;

/** What a client asks of one repository, and a text its answer holds. */
async function ask(url: string, init: RequestInit, expected: string): Promise<void> {
  const response = await fetch(url, init);
  const text = await response.text();
  if (!text.includes(expected)) throw new Error(`${url}: ${response.status} ${text.slice(0, 200)}`);
}

const VERSION_2 = { "Git-Protocol": "version=2" };
const PREFIXES = ["refs/heads/", "refs/tags/", "HEAD"];
const LS_REFS = joinBytes([
  encodePkt("command=ls-refs\n"),
  encodePkt("agent=git/2.39.5"),
  encodePkt("object-format=sha1"),
  new TextEncoder().encode("0001"),
  encodePkt("peel\n"),
  encodePkt("symrefs\n"),
  ...PREFIXES.map((prefix) => encodePkt(`ref-prefix ${prefix}\n`)),
  flushPkt(),
]);

function listRefs(url: string, tip: string): Promise<void> {
  const init = {
    method: "POST",
    headers: { ...VERSION_2, "Content-Type": "application/x-git-upload-pack-request" },
    body: LS_REFS as Uint8Array<ArrayBuffer>,
  };
  return ask(`${url}/git-upload-pack`, init, `${tip} refs/heads/main`);
}

async function noopFetch(url: string, tip: string): Promise<void> {
  await ask(`${url}/info/refs?service=git-upload-pack`, { headers: VERSION_2 }, "ls-refs");
  await listRefs(url, tip);
}

/** A row for one kind of request, or for several in turn. */
function discoveryRow(
  name: string,
  [label, each]: readonly [label: string, each: string],
  how: string,
  work: (url: string, tip: string) => Promise<void>,
): Row {
  return {
    name,
    async measure(bench) {
      const site = await bench.gitSite();
      const tip = await git(site.repository.work, "rev-parse", "refs/heads/main");
      const seconds = bench.quick ? 1 : 3;
      await work(site.ours.url, tip);
      if ("url" in site.peer) await work(site.peer.url, tip);
      const { ours, beside, cpu } = await contest(site, bench.quick ? 1 : 3, async ({ url }) => {
        const sample = await ratePerSecond(CONNECTIONS, seconds, () => work(url, tip));
        return { sample, operations: sample * seconds };
      });
      return {
        row: `${label}, ${CONNECTIONS} connections`,
        unit: each === "fetch" ? "fetches/s" : "requests/s",
        better: "higher",
        how: `${how}, 51 refs; ${cpu} per ${each}`,
        ours,
        beside,
      };
    },
  };
}

/** The advertisement that clients without protocol v2 (libgit2) read, and everybody who pushes. */
export const infoRefsRow: Row = discoveryRow(
  "inforefs",
  ["ref advertisements", "request"],
  "GET info/refs (v0)",
  (url, tip) => ask(`${url}/info/refs?service=git-upload-pack`, {}, `${tip} refs/heads/main`),
);

/** The listing of protocol v2 alone. */
export const listRow: Row = discoveryRow(
  "lsrefs",
  ["ref listings", "request"],
  "POST ls-refs (v2)",
  listRefs,
);

/**
 * Fetches that find nothing new, as HTTP: the two requests stock git makes (protocol v2), without the
 * start of a git client, which would cost more than the server does.
 */
export const fetchRow: Row = discoveryRow(
  "noop",
  ["no-op fetches", "fetch"],
  "GET info/refs and POST ls-refs (v2)",
  noopFetch,
);
