import { encodePkt, flushPkt, joinBytes } from "../lib/git/pkt_line.ts";
import { git } from "../tests/support/git_client.ts";
import { contest } from "./contest.ts";
import { ratePerSecond } from "./measure.ts";
import type { Row } from "./row.ts";

const CONNECTIONS = 8;

/**
 * Fetches that find nothing new, as HTTP: the two requests stock git makes (protocol v2), without the
 * start of a git client, which would cost more than the server does.
 */
export const fetchRow: Row = {
  name: "noop",
  async measure(bench) {
    const site = await bench.gitSite();
    const tip = await git(site.repository.work, "rev-parse", "refs/heads/main");
    const seconds = bench.quick ? 1 : 3;
    await noopFetch(site.ours.url, tip);
    if ("url" in site.peer) await noopFetch(site.peer.url, tip);
    const { ours, beside, cpu } = await contest(site, bench.quick ? 1 : 3, async ({ url }) => {
      const sample = await ratePerSecond(CONNECTIONS, seconds, () => noopFetch(url, tip));
      return { sample, operations: sample * seconds };
    });
    return {
      row: `no-op fetches, ${CONNECTIONS} connections`,
      unit: "fetches/s",
      better: "higher",
      how: `GET info/refs and POST ls-refs (v2), 51 refs; ${cpu} per fetch`,
      ours,
      beside,
    };
  },
};

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

async function noopFetch(url: string, tip: string): Promise<void> {
  const headers = { "Git-Protocol": "version=2" };
  const advertised = await fetch(`${url}/info/refs?service=git-upload-pack`, { headers });
  const capabilities = await advertised.text();
  if (!capabilities.includes("ls-refs")) throw new Error(`info/refs: ${advertised.status} ${capabilities}`);
  const listed = await fetch(`${url}/git-upload-pack`, {
    method: "POST",
    headers: { ...headers, "Content-Type": "application/x-git-upload-pack-request" },
    body: LS_REFS as Uint8Array<ArrayBuffer>,
  });
  const refs = await listed.text();
  if (!refs.includes(`${tip} refs/heads/main`)) throw new Error(`ls-refs: ${listed.status} ${refs}`);
}
