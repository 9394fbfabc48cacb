import type { Measured } from "./table.ts";
import type { GitSite } from "./git_site.ts";
import type { RelaySite } from "./relay_site.ts";

/** What every row is given; sites are started when the first row asks for them and shared. */
export interface Bench {
  /** Shorter and fewer runs. */
  readonly quick: boolean;
  /** A server with one small repository. */
  relaySite(): Promise<RelaySite>;
  /** A server with a large repository, and the peer with a copy of it. */
  gitSite(): Promise<GitSite>;
  /** An empty directory below the temporary one. */
  newDirectory(name: string): Promise<string>;
}

/** One row of the table. */
export interface Row {
  /** As given to `--rows`. */
  readonly name: string;
  /** Measures; throws with the reason when it cannot. */
  measure(bench: Bench): Promise<Measured>;
}
