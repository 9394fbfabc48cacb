import type { GitData, RepositoryRef } from "../git/mod.ts";
import type { FetchResult, HuntGroup, Logger, NaughtyCategory } from "../observe/mod.ts";
import type { NaughtyList } from "../outgoing/mod.ts";
import type { Store } from "../store/mod.ts";
import type { Clock, Random } from "../world/mod.ts";

/** What to bring from one URL into one repository. */
export interface FetchRequest {
  /** Normalised `http:` or `https:` clone URL. */
  readonly url: string;
  /** The caller holds a use of it. */
  readonly target: RepositoryRef;
  /** Object ids wanted, with everything they reach. */
  readonly oids: readonly string[];
  /** Waiting pull requests (event ids): their refs may hold wanted commits. */
  readonly pullRequestIds: readonly string[];
  /** False asks by id only: branches of that server must not enter the target. */
  readonly branches: boolean;
  readonly signal: AbortSignal;
}

/** What one fetch came to. */
export interface FetchOutcome {
  readonly result: FetchResult;
  /** Wanted ids that are complete in the target and held there by a keep ref. */
  readonly obtained: ReadonlySet<string>;
  /** Wanted ids the server said it does not have. */
  readonly absent: ReadonlySet<string>;
  /** The host asked us to stay away for so long. */
  readonly retryAfterMs?: number;
  /** A fault that lists the host. */
  readonly category?: NaughtyCategory;
  /** One line for our log; never shown to clients. */
  readonly text: string;
  /** Bytes that came over the wire, as far as known. */
  readonly bytes: number;
}

/** Fetches git data from other servers. A simulated network implements it in memory. */
export interface RemoteGit {
  /** One attempt. Never rejects; ends within its deadlines, at once when `signal` aborts. */
  fetch(request: FetchRequest): Promise<FetchOutcome>;
}

/** What the operator decides about the hunt. */
export interface HuntSettings {
  /** False keeps to local repositories (`NGIT_SYNC_ENABLE`). */
  readonly enabled: boolean;
  readonly maxConcurrentPerHost: number;
  readonly maxPerMinutePerHost: number;
  /** Hunts under way at once, each with at most one git child. */
  readonly maxRunning: number;
  /** False pauses fetching: the disk is nearly full. */
  hasSpace(): Promise<boolean>;
  /** True when a URL names this service, by whatever name. */
  isOwn(url: string): boolean;
  /** Contributors' repositories below `/prs/` are offered here (GRASP-06). */
  readonly contributions?: boolean;
  /** Host of the relay that delivered a waiting event, when known. */
  relayHostOf?(eventId: string): string | undefined;
}

/** Parts the hunt works with. */
export interface HuntParts {
  readonly store: Store;
  readonly repositories: GitData;
  /** Takes the identifier's lock and releases what the data in `receivedBy`'s repository completes. */
  release(identifier: string, receivedBy: string): Promise<void>;
  readonly remote: RemoteGit;
  /** Git hosts with faults that do not heal in minutes; apart from the list of relays. */
  readonly naughty: Pick<NaughtyList, "record" | "get" | "clear" | "entries">;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly metrics: HuntGroup;
  readonly settings: HuntSettings;
}
