import type { Config } from "../../config/mod.ts";
import type { Repositories } from "../../git/mod.ts";
import type { AdmitAnswer } from "../../intake/mod.ts";
import type { Logger } from "../../observe/mod.ts";
import type { Store } from "../../store/mod.ts";
import type { Clock, Random } from "../../world/mod.ts";

/** What an import is opened with. */
export interface ImportInput {
  readonly config: Config;
  /** Change nothing: work on a copy. */
  readonly dryRun: boolean;
  /** A private directory that the caller removes. */
  readonly workPath: string;
  /** Threads that check signatures. */
  readonly workers: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Where programs are looked for (PATH). */
  readonly searchPath?: string;
}

/** Door 1 without a server around it. */
export interface ImportEngine {
  readonly store: Store;
  readonly repositories: Repositories;
  /** Judges one untrusted value like an event from outside; resolves when what follows is committed. */
  admit(event: unknown): Promise<AdmitAnswer>;
  /** Resolves when nothing is left to be judged again. */
  settled(): Promise<void>;
  /** Gives the data directories back. */
  close(): Promise<void>;
}

/** Opens the data for an import; rejects with one sentence. */
export type OpenImport = (input: ImportInput) => Promise<ImportEngine>;
