const PAGE = new URL("../docs/performance.md", import.meta.url);

/** One run of the bench, as it is shown. */
export interface Report {
  /** One line each. */
  readonly machine: readonly string[];
  /** What was run. */
  readonly command: string;
  /** Markdown tables. */
  readonly table: string;
  readonly goals: string;
  /** Names of all rows there are. */
  readonly rows: readonly string[];
  /** How long this run took, in a line. */
  readonly took: string;
}

/** Writes docs/performance.md: the numbers of this run and how to read them. */
export async function writePerformancePage(report: Report): Promise<void> {
  const { machine, command, table, goals, rows, took } = report;
  await Deno.writeTextFile(
    PAGE,
    `# Performance

Written by \`deno task bench --write\`. Numbers of one run on one machine, client and server on the same
cores: read the ratios, repeat the rest.

${[...machine, `\`${command}\``].map((line) => `- ${line}`).join("\n")}

## Goals

${goals}
## Rows

${table}
Medians, with the smallest and the largest sample. Ratio above 1: ours is better.

${took}

A *floor* is the same work with parts left out (the store without the network, sockets without a store);
it shows how far a part is from what it rests on. A *peer* is another program doing the same job: nginx,
fcgiwrap and \`git http-backend\` (Debian \`nginx-light\`, \`fcgiwrap\`) over a copy of the same repository,
with the same fsync and pack settings. Ref advertisements, ref listings and no-op fetches are asked for by
\`wrk\` (Debian \`wrk\`) over connections kept alive, so that the client takes next to nothing of the cores; one
answer before and one after each sample is read and compared. Peers and servers run as children of the bench, listen on 127.0.0.1
only and keep their data in a temporary directory. CPU of our server includes its git children; CPU of the peer is
what the machine used in its turn less what the clients did, so other work on the machine shows in it; of "all
processes" includes the clients. What is below one clock tick (10 ms) per sample is not measurable.

Large repositories are generated, the same bytes each time, and stay in \`ngit-grasp-bench-samples\` below the
temporary directory (\`TMPDIR\`; about 1.7 GiB, a run takes 6 GiB more): 150,000 objects, 10,000 refs, 500 MiB and 1 GiB
that do not compress. Clones of them are cold: that server keeps no packs (\`NGIT_PACK_CACHE_MB=0\`).

\`deno task bench\` takes up to 15 minutes on two idle cores, \`--quick\` (smaller samples, fewer runs) two;
\`--rows events,clone\` chooses rows; \`--json FILE\` keeps every sample and further figures; \`--sync-events N\` sets the
size of the set that is synced (20,000; 3,000 when quick); \`--peer none\` leaves out nginx;
\`--peer-url URL --peer-repo PATH\` takes a running server as the peer of rows that only read: clones, fetches and
listings of that one repository, which a copy on our server answers too. A row that fails, or is late, stays in the table.
How to compare two checkouts, and to profile the server: [testing.md](testing.md#speed).

Rows: ${rows.map((name) => `\`${name}\``).join(", ")}.
In those of sync the source, the follower, a proxy that counts
bytes and the bench itself share the machine's cores.
`,
  );
}
