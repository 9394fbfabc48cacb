/** A seed that failed once, with what was wrong then; all of them run with every test. */
export interface FailedSeed {
  readonly seed: number;
  /** Where it failed with another number of servers than the seed says. */
  readonly machines?: number;
  readonly why: string;
}

/** Seeds that found something: in the product, or in the oracle. */
export const FAILED_SEEDS: readonly FailedSeed[] = [
  { seed: 1, why: "oracle: a state that need not arrive replaced one that had to" },
  { seed: 2, why: "oracle: data of a pull request also lies with the maintainers of its home" },
  { seed: 63, why: "oracle: servers that met through a repository deleted later need not know each other" },
  { seed: 73, why: "oracle: a pull request has its ref in one of its repositories, not in all" },
  { seed: 85, why: "oracle: what came over a link that a deletion ended may stay" },
  { seed: 171, why: "oracle: the same, for whole repositories" },
  { seed: 339, why: "oracle: a clone URL helps only where that owner's announcement is known" },
  { seed: 34, why: "oracle: a server that was left and listed again has to be told" },
  { seed: 170, why: "oracle: a maintainer's announcement outlives the one that let it in, and goes stale" },
  { seed: 305, why: "oracle: a deletion may come over a link that did not last" },
  { seed: 354, why: "oracle: an older version does not spread where a newer one took its place" },
  { seed: 467, why: "oracle: an older version stays where the newer one need not arrive" },
  { seed: 457, why: "workload: a pull request was pushed to a repository it does not concern" },
  { seed: 619, why: "oracle: an older version may have come before it was replaced at its source" },
  { seed: 653, why: "lib/sync: a repository that left a server and came back had lost its root events" },
  {
    seed: 1286,
    machines: 8,
    why: "oracle: a version that listed a server is not kept there for others to lean on",
  },
  {
    seed: 1514,
    machines: 8,
    why: "lib/sync: an announcement refused long ago was not asked for where it came from",
  },
  { seed: 2256, machines: 8, why: "oracle: a pull request whose deletion may have come needs no ref" },
];
