const PAGE = new URL("../docs/performance.md", import.meta.url);

/** Writes docs/performance.md: the numbers of this run and how to read them. */
export async function writePerformancePage(machine: readonly string[], table: string): Promise<void> {
  await Deno.writeTextFile(
    PAGE,
    `# Performance

Written by \`deno task bench --write\`. Numbers of one run on one machine, client and server on the same
cores: read the ratios, repeat the rest.

${machine.map((line) => `- ${line}`).join("\n")}

${table}
Medians, with the smallest and the largest sample. Ratio above 1: ours is better.

A *floor* is the same work with parts left out (the store without the network, sockets without a store);
it shows how far a part is from what it rests on. A *peer* is another program doing the same job: nginx,
fcgiwrap and \`git http-backend\` (Debian \`nginx-light\`, \`fcgiwrap\`) over a copy of the same repository,
with the same fsync and pack settings. Peers and servers run as children of the bench, listen on 127.0.0.1
only and keep their data in a temporary directory. CPU times of "all processes" include the client's.

\`deno task bench --quick\` takes two minutes; \`--rows events,clone\` chooses rows (\`events\`, \`events1\`,
\`reqs\`, \`inforefs\`, \`lsrefs\`, \`noop\`, \`clone\`, \`push\`, \`busy\`, \`fanout\`,
\`fanout10k\`, \`bystanders\`, \`paging\`, \`start\`, \`memory\`, and for sync \`latency\`, \`first-sync\`, \`second-sync\`, \`hunt\`);
\`--sync-events N\` sets the size of the set that is synced (100,000; 3,000 when quick); \`--json FILE\` keeps
every sample. In the sync rows the source, the follower, a proxy that counts bytes and the bench itself share the
machine's cores.
`,
  );
}
