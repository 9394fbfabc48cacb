import type { GitSite } from "./git_site.ts";
import type { RelaySite } from "./relay_site.ts";
import type { SampleName } from "./samples.ts";
import type { SyncSite } from "./sync_site.ts";
import type { Measured } from "./table.ts";

/** What every row is given; sites are started when the first row asks for them and shared. */
export interface Bench {
  /** Shorter and fewer runs. */
  readonly quick: boolean;
  /** Size of the set that sync rows bring over. */
  readonly syncEvents: number;
  /** A server with one small repository. */
  relaySite(): Promise<RelaySite>;
  /** A server with a sample, `small` unless another is named, and the peer with a copy of it. */
  gitSite(sample?: SampleName): Promise<GitSite>;
  /** The same on a server that keeps no packs for later clones. */
  coldSite(sample: SampleName): Promise<GitSite>;
  /** Servers that expect the first push of `sample` as repository `identifier`; its `work` is the sample. */
  emptySite(sample: SampleName, identifier: string): Promise<GitSite>;
  /** A server with {@link syncEvents} events about one repository that another server shall host too. */
  syncSite(): Promise<SyncSite>;
  /** A directory below the temporary one. */
  newDirectory(name: string): Promise<string>;
}

/** One row of the table. */
export interface Row {
  /** As given to `--rows`. */
  readonly name: string;
  /** Longest time of a full run in milliseconds, when the usual two minutes are too short. */
  readonly deadlineMs?: number;
  /** Measures; throws with the reason when it cannot. `signal` aborts at the row's deadline: stop and disturb no other. */
  measure(bench: Bench, signal: AbortSignal): Promise<Measured>;
}
