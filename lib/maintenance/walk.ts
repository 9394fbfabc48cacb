import { encodeNpub } from "../nostr/mod.ts";
import type { RepositoryRef } from "../git/mod.ts";
import type { MaintenanceParts, Pace } from "./ports.ts";

/** At gentle pace a job works at most this share of the time. */
const WORK_SHARE = 0.25;
const MAX_REST_MS = 600_000;

/** How long to rest after `workedMs` of work. */
export function restAfter(workedMs: number, pace: Pace): number {
  return pace === "brisk" ? 0 : Math.min(MAX_REST_MS, workedMs * (1 / WORK_SHARE - 1));
}

/** What a walk over repositories came to. */
export interface WalkResult {
  readonly looked: number;
  readonly failed: number;
}

/**
 * Runs `work` on one repository after the other, and rests in between in proportion to the time used. A
 * repository whose work fails is logged and passed over; a stop ends the walk.
 */
export async function eachRepository<T extends RepositoryRef>(
  { clock, signal, pace, log }: MaintenanceParts,
  repositories: readonly T[],
  work: (repository: T) => Promise<void>,
): Promise<WalkResult> {
  let looked = 0;
  let failed = 0;
  for (const repository of repositories) {
    if (signal.aborted) break;
    const startedAt = clock.monotonic();
    looked++;
    try {
      await work(repository);
    } catch (error) {
      failed++;
      log.error("maintenance of a repository failed", {
        ...subjectOf(repository),
        error: error instanceof Error ? error.message : String(error),
      });
    }
    const restMs = restAfter(clock.monotonic() - startedAt, pace);
    if (restMs > 0 && looked < repositories.length) await clock.sleep(restMs, signal);
  }
  return { looked, failed };
}

/** Hosted repositories and those of contributors, hosted ones first. */
export async function allRepositories({ repositories }: MaintenanceParts): Promise<RepositoryRef[]> {
  return [...await repositories.list(), ...await repositories.contributions()];
}

/** Log fields that name a repository. */
export function subjectOf({ owner, identifier, space }: RepositoryRef) {
  return { repo: identifier, npub: encodeNpub(owner), ...(space && { space }) };
}

/** A key of maps for a repository. */
export function keyOf({ owner, identifier, space }: RepositoryRef): string {
  return `${space ?? ""}/${owner}/${identifier}`;
}
