import type { Clock } from "../world/mod.ts";
import type { RepositoryRef } from "./repository_ref.ts";

/** Disk space of the repositories of one owner. */
export interface OwnerBytes {
  /** Hex key. */
  readonly owner: string;
  readonly repositories: number;
  readonly bytes: number;
}

/** Disk space by owner, largest first; `at` in milliseconds since the epoch. */
export interface UsageReport {
  readonly at: number;
  readonly owners: readonly OwnerBytes[];
}

/** What is added up, and how. */
export interface UsageParts {
  readonly list: () => Promise<readonly RepositoryRef[]>;
  readonly bytes: (repository: RepositoryRef) => Promise<number>;
  readonly clock: Clock;
  readonly stopping: AbortSignal;
}

/** How long a report is shown before the next look makes another one. */
const FRESH_MS = 600_000;
/** How long somebody who looks waits for the first report. */
const PATIENCE_MS = 2_000;

/** Adds up disk space when somebody looks, at most every ten minutes and one walk at a time. */
export class OwnerUsage {
  readonly #parts: UsageParts;
  #report: UsageReport | undefined;
  #walk: Promise<void> | undefined;

  constructor(parts: UsageParts) {
    this.#parts = parts;
  }

  /** The last report; undefined when the first one takes longer than two seconds. */
  async look(): Promise<UsageReport | undefined> {
    const { clock, stopping } = this.#parts;
    if (!this.#report || clock.now() - this.#report.at > FRESH_MS) {
      this.#walk ??= this.#add().finally(() => this.#walk = undefined);
      if (!this.#report) await Promise.race([this.#walk, clock.sleep(PATIENCE_MS, stopping)]);
    }
    return this.#report;
  }

  /** Resolves when no walk is under way. */
  async settled(): Promise<void> {
    await this.#walk;
  }

  async #add(): Promise<void> {
    const { list, bytes, clock, stopping } = this.#parts;
    const sums = new Map<string, { repositories: number; bytes: number }>();
    for (const repository of await list()) {
      if (stopping.aborted) return;
      const sum = sums.get(repository.owner) ?? { repositories: 0, bytes: 0 };
      sum.repositories++;
      sum.bytes += await bytes(repository);
      sums.set(repository.owner, sum);
    }
    const owners = Array.from(sums, ([owner, sum]) => ({ owner, ...sum }));
    owners.sort((a, b) => b.bytes - a.bytes || (a.owner < b.owner ? -1 : 1));
    this.#report = { at: clock.now(), owners };
  }
}
