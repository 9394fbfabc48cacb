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

/** Adds up repositories by owner, largest first. Keys may be written in any one way. */
export function bytesByOwner(
  repositories: Iterable<{ readonly owner: string; readonly bytes: number }>,
): OwnerBytes[] {
  const sums = new Map<string, OwnerBytes>();
  for (const { owner, bytes } of repositories) {
    const sum = sums.get(owner) ?? { owner, repositories: 0, bytes: 0 };
    sums.set(owner, { owner, repositories: sum.repositories + 1, bytes: sum.bytes + bytes });
  }
  return [...sums.values()].sort((a, b) => b.bytes - a.bytes || (a.owner < b.owner ? -1 : 1));
}

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
    const found: { owner: string; bytes: number }[] = [];
    for (const repository of await list()) {
      if (stopping.aborted) return;
      found.push({ owner: repository.owner, bytes: await bytes(repository) });
    }
    this.#report = { at: clock.now(), owners: bytesByOwner(found) };
  }
}
