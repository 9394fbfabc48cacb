/** A seed that failed once, with what was wrong then; all of them run with every test. */
export interface FailedSeed {
  readonly seed: number;
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
  { seed: 467, why: "oracle: an older version stays where the newer one need not arrive" },
];
