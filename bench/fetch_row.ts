import { encodePkt, flushPkt, joinBytes } from "../lib/git/pkt_line.ts";
import { git } from "../tests/support/git_client.ts";
import { contest } from "./contest.ts";
import type { GitSite } from "./git_site.ts";
import type { Bench, Row } from "./row.ts";
import { runWrk, type WireRequest } from "./wrk.ts";

const CONNECTIONS = 8;

/** What a client asks of one repository, and a text its answer holds. */
interface Question {
  readonly request: WireRequest;
  readonly expected: string;
}

const VERSION_2 = { "Git-Protocol": "version=2" };
const PREFIXES = ["refs/heads/", "refs/tags/", "HEAD"];
const LS_REFS = new TextDecoder().decode(joinBytes([
  encodePkt("command=ls-refs\n"),
  encodePkt("agent=git/2.39.5"),
  encodePkt("object-format=sha1"),
  new TextEncoder().encode("0001"),
  encodePkt("peel\n"),
  encodePkt("symrefs\n"),
  ...PREFIXES.map((prefix) => encodePkt(`ref-prefix ${prefix}\n`)),
  flushPkt(),
]));

function advertisement(path: string, headers: Record<string, string>, expected: string): Question {
  return {
    request: { method: "GET", path: `${path}/info/refs?service=git-upload-pack`, headers },
    expected,
  };
}

function listing(path: string, tip: string): Question {
  const headers = { ...VERSION_2, "Content-Type": "application/x-git-upload-pack-request" };
  return {
    request: { method: "POST", path: `${path}/git-upload-pack`, headers, body: LS_REFS },
    expected: tip,
  };
}

/** Asks once and reads the answer; returns its length in bytes. */
async function ask(origin: string, { request, expected }: Question): Promise<number> {
  const { method, path, headers, body } = request;
  const response = await fetch(origin + path, { method, headers, ...(body !== undefined && { body }) });
  const text = await response.text();
  if (response.status !== 200 || !text.includes(expected)) {
    throw new Error(`${path}: ${response.status} ${text.slice(0, 200)}`);
  }
  return new TextEncoder().encode(text).length;
}

/** What a row asks for: one kind of request, or several in turn; `tip` is a line of the answer. */
interface Discovery {
  /** Of a request or fetch. */
  readonly each: "request" | "fetch";
  readonly how: string;
  /** Asked about the repository at `path`, in this order. */
  readonly questions: (path: string, tip: string) => readonly Question[];
}

function discoveryRow(
  name: string,
  label: string,
  { each, how, questions }: Discovery,
  siteOf: (bench: Bench) => Promise<GitSite> = (bench) => bench.gitSite(),
): Row {
  return {
    name,
    async measure(bench) {
      const site = await siteOf(bench);
      const { work: source } = site.repository;
      const tip = `${await git(source, "rev-parse", "HEAD")} ${await git(source, "symbolic-ref", "HEAD")}`;
      const seconds = bench.quick ? 1 : 3;
      const directory = await bench.newDirectory(name);
      const { ours, beside, cpu, figures } = await contest(site, bench.quick ? 1 : 3, async ({ url }) => {
        const { origin, pathname } = new URL(url);
        const asked = questions(pathname, tip);
        const expected = await lengthOfAll(origin, asked);
        const run = await runWrk(origin, asked.map(({ request }) => request), {
          connections: CONNECTIONS,
          seconds,
          directory,
        });
        const after = await lengthOfAll(origin, asked);
        const operations = run.requests / asked.length;
        // The last round may be one of which only the short answers came.
        if (after !== expected || run.bytes < (operations - CONNECTIONS) * expected) {
          throw new Error(`${url}: ${run.bytes} bytes in ${run.requests} answers`);
        }
        return { sample: operations / run.seconds, operations };
      });
      return {
        row: `${label}, ${CONNECTIONS} connections`,
        unit: each === "fetch" ? "fetches/s" : "requests/s",
        better: "higher",
        how: `${how}, client wrk, ${site.size}; ${cpu} per ${each}`,
        ours,
        beside,
        figures,
      };
    },
  };
}

async function lengthOfAll(origin: string, questions: readonly Question[]): Promise<number> {
  let length = 0;
  for (const question of questions) length += await ask(origin, question);
  return length;
}

const ADVERTISEMENT: Discovery = {
  each: "request",
  how: "GET info/refs (v0)",
  questions: (path, tip) => [advertisement(path, {}, tip)],
};
const LISTING: Discovery = {
  each: "request",
  how: "POST ls-refs (v2)",
  questions: (path, tip) => [listing(path, tip)],
};
const NOTHING_NEW: Discovery = {
  each: "fetch",
  how: "GET info/refs and POST ls-refs (v2)",
  questions: (path, tip) => [advertisement(path, VERSION_2, "ls-refs"), listing(path, tip)],
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
