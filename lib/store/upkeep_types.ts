import type { NostrEvent } from "../nostr/mod.ts";
import type { RepositoryKey, WaitingAnnouncement, WaitingPullRequest, WaitingState } from "./row_types.ts";

/** A repository on disk; with `space` one of a contributor (GRASP-06). */
export interface NotedRepository extends RepositoryKey {
  readonly space?: "prs";
}

/** What a job last found or did in one repository. */
export interface RepositoryNote {
  readonly repository: NotedRepository;
  readonly job: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly ok: boolean;
  /** What the job wants to know next time, or what it found; a text of its own format. */
  readonly detail: string;
}

/** How a job last ended. */
export interface JobRun {
  readonly job: string;
  /** When it last ended, and when it last succeeded (0: never), in milliseconds since the epoch. */
  readonly at: number;
  readonly succeededAt: number;
  readonly durationMs: number;
  /** What it did, or why it failed; one line. */
  readonly text: string;
}

/** A served event with its place in the order of arrival. */
export interface ArrivedEvent {
  readonly event: NostrEvent;
  readonly seq: number;
  /** Milliseconds since the epoch. */
  readonly arrivedAt: number;
}

/** Waiting events; placeholders are none. */
export interface WaitingEvents {
  readonly announcements: readonly WaitingAnnouncement[];
  readonly states: readonly WaitingState[];
  readonly pullRequests: readonly WaitingPullRequest[];
}

/** What maintenance asks of the store beside `Store`. */
export interface UpkeepStore {
  /** The notes of one job, in no particular order. */
  repositoryNotes(job: string): Promise<readonly RepositoryNote[]>;
  /** Replaces the note of the same job and repository. */
  putRepositoryNote(note: RepositoryNote): Promise<void>;
  /** Forgets the notes of repositories that are gone. */
  dropRepositoryNotes(repositories: readonly NotedRepository[]): Promise<void>;
  /** How each job last ended. */
  jobRuns(): Promise<readonly JobRun[]>;
  /** Replaces the run of the same job; one that failed keeps the time of the last success. */
  putJobRun(run: Omit<JobRun, "succeededAt"> & { readonly ok: boolean }): Promise<void>;
  /**
   * Served events with this `t` value that arrived at or before `arrivedBefore` (ms), in order of
   * arrival, those after place `afterSeq` only.
   */
  taggedServed(
    value: string,
    page: { readonly arrivedBefore: number; readonly afterSeq: number; readonly limit: number },
  ): Promise<readonly ArrivedEvent[]>;
  /** Waiting events whose text contains `text`; `limit` is for each sort. */
  waitingContaining(text: string, limit: number): Promise<WaitingEvents>;
  /**
   * Empties the write-ahead log into the database file and refreshes the planner's statistics. False
   * when a server of its own holds the database: then there is nothing to do.
   */
  checkpoint(): Promise<boolean>;
  /** Reads all pages of the database file; returns what is wrong with them. Blocks for one table at a time. */
  findDamage(): Promise<string | undefined>;
}
