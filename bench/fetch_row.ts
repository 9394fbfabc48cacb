import { encodePkt, flushPkt, joinBytes } from "../lib/git/pkt_line.ts";
import { git } from "../tests/support/git_client.ts";
import { contest } from "./contest.ts";
import { ratePerSecond } from "./measure.ts";
import type { GitSite } from "./git_site.ts";
import type { Bench, Row } from "./row.ts";

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
  return ask(`${url}/git-upload-pack`, init, tip);
}

async function noopFetch(url: string, tip: string): Promise<void> {
  await ask(`${url}/info/refs?service=git-upload-pack`, { headers: VERSION_2 }, "ls-refs");
  await listRefs(url, tip);
}

/** What a row asks for: one kind of request, or several in turn; `tip` is a line of the answer. */
interface Discovery {
  /** Of a request or fetch. */
  readonly each: "request" | "fetch";
  readonly how: string;
  readonly work: (url: string, tip: string) => Promise<void>;
}

function discoveryRow(
  name: string,
  label: string,
  { each, how, work }: Discovery,
  siteOf: (bench: Bench) => Promise<GitSite> = (bench) => bench.gitSite(),
): Row {
  return {
    name,
    async measure(bench) {
      const site = await siteOf(bench);
      const { work: source } = site.repository;
      const tip = `${await git(source, "rev-parse", "HEAD")} ${await git(source, "symbolic-ref", "HEAD")}`;
      const seconds = bench.quick ? 1 : 3;
      await work(site.ours.url, tip);
      if ("url" in site.peer) await work(site.peer.url, tip);
      const { ours, beside, cpu, figures } = await contest(site, bench.quick ? 1 : 3, async ({ url }) => {
        const sample = await ratePerSecond(CONNECTIONS, seconds, () => work(url, tip));
        return { sample, operations: sample * seconds };
      });
      return {
        row: `${label}, ${CONNECTIONS} connections`,
        unit: each === "fetch" ? "fetches/s" : "requests/s",
        better: "higher",
        how: `${how}, ${site.size}; ${cpu} per ${each}`,
        ours,
        beside,
        figures,
      };
    },
  };
}

const ADVERTISEMENT: Discovery = {
  each: "request",
  how: "GET info/refs (v0)",
  work: (url, tip) => ask(`${url}/info/refs?service=git-upload-pack`, {}, tip),
};
const LISTING: Discovery = { each: "request", how: "POST ls-refs (v2)", work: listRefs };
const NOTHING_NEW: Discovery = {
  each: "fetch",
  how: "GET info/refs and POST ls-refs (v2)",
  work: noopFetch,
};
const manyRefs = (bench: Bench) => bench.coldSite("refs");

/** The advertisement that clients without protocol v2 (libgit2) read, and everybody who pushes. */
export const infoRefsRow: Row = discoveryRow("inforefs", "ref advertisements", ADVERTISEMENT);

/** The listing of protocol v2 alone. */
export const listRow: Row = discoveryRow("lsrefs", "ref listings", LISTING);

/**
 * Fetches that find nothing new, as HTTP: the two requests stock git makes (protocol v2), without the
 * start of a git client, which would cost more than the server does.
 */
export const fetchRow: Row = discoveryRow("noop", "no-op fetches", NOTHING_NEW);

/** The same of a repository with very many refs. */
export const manyRefsRows: readonly Row[] = [
  discoveryRow("inforefs-many", "ref advertisements, many refs", ADVERTISEMENT, manyRefs),
  discoveryRow("lsrefs-many", "ref listings, many refs", LISTING, manyRefs),
  discoveryRow("noop-many", "no-op fetches, many refs", NOTHING_NEW, manyRefs),
];
