/** What the operator's status page shows. All times in milliseconds since the epoch. */
export interface StatusFacts {
  readonly at: number;
  readonly version: string;
  readonly commit: string;
  readonly uptimeSeconds: number;
  readonly storedEvents: number;
  readonly repositories: number;
  /** Undefined when outgoing connections are switched off. */
  readonly peers: Listing<PeerFacts> | undefined;
  readonly waiting: Listing<WaitingFacts>;
  readonly hunts: Listing<HuntFacts>;
  /** Undefined while it is added up for the first time. */
  readonly disk: DiskFacts | undefined;
}

/** The first entries of something, and how many there are. */
export interface Listing<T> {
  readonly shown: readonly T[];
  readonly total: number;
}

/** One relay that is followed. */
export interface PeerFacts {
  readonly relay: string;
  /** `Connected`, `Syncing`, `ConnectedDegraded` and the other words of the sync chapter's life cycle. */
  readonly connection: string;
  readonly health: string;
  readonly failures: number;
  /** When anything last came from it; undefined when nothing ever did. */
  readonly lastHeardAt: number | undefined;
  /** When its history was last complete here; undefined when it never was. */
  readonly completeAt: number | undefined;
  /** Historic batches still under way: what is known to be behind. */
  readonly pendingBatches: number;
  readonly subscriptions: number;
  /** Events received and not yet judged. */
  readonly queued: number;
  /** What is wrong beyond the words above; undefined when nothing is. */
  readonly remark: string | undefined;
}

/** One entry of purgatory. */
export interface WaitingFacts {
  readonly sort: "announcement" | "announcement (soft-expired)" | "state" | "pull request" | "placeholder";
  /** Event id. */
  readonly id: string;
  readonly repository: RepositoryName | undefined;
  readonly waitsFor: string;
  readonly source: "direct" | "sync" | undefined;
  readonly since: number;
  readonly until: number;
}

/** A repository as pages name it. */
export interface RepositoryName {
  readonly npub: string;
  readonly identifier: string;
}

/** One repository whose git data is searched on other servers. */
export interface HuntFacts {
  readonly repository: RepositoryName;
  /** Number of events that wait for it. */
  readonly events: number;
  /** Searches in a row that did not find everything. */
  readonly attempts: number;
  /** Undefined while a search is under way. */
  readonly nextAt: number | undefined;
  readonly servers: readonly { readonly url: string; readonly result: string; readonly at: number }[];
}

/** Disk space by owner, largest first. */
export interface DiskFacts {
  /** When it was added up. */
  readonly at: number;
  readonly totalBytes: number;
  readonly owners: Listing<
    { readonly npub: string; readonly repositories: number; readonly bytes: number }
  >;
}
