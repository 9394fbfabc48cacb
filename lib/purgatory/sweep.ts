import { compareNewestFirst } from "../nostr/mod.ts";
import type { RegularJob } from "../observe/mod.ts";
import { DURATION, LIMIT } from "../policy/mod.ts";
import type { KeyedLock } from "../world/mod.ts";
import { type AnnouncementOutcome, expireAnnouncement, giveUpSoftExpired } from "./expire_announcement.ts";
import { expiredId } from "./expired_id.ts";
import { logExpiry } from "./expiry_log.ts";
import { tidyContribution } from "./contributions.ts";
import { pullRequestLock } from "./lock_keys.ts";
import { pullRequestPin, statePin } from "./pins.ts";
import { expirePlaceholder } from "./placeholders.ts";
import type { ReleaseParts } from "./ports.ts";
import { release } from "./release.ts";
import { discardRetired, hideLeftDependents, purgeExpiredEvents } from "./retention.ts";
import type { Placeholder, RepositoryKey, WaitingPullRequest, WaitingState } from "../store/mod.ts";

/** Most overdue entries of each kind handled in one sweep; the rest waits for the next one. */
const MAX_PER_SWEEP = 500;

/** What one sweep did, for the log. */
export interface SweepResult {
  readonly softExpired: number;
  readonly expired: number;
  readonly released: number;
}

/** Door 3: time. Expires what waited too long, one entry at a time, each under its identifier's lock. */
export class Sweep {
  readonly #parts: ReleaseParts;
  readonly #locks: KeyedLock;
  /** How long retired repositories are held, in milliseconds. */
  readonly #retentionMs: () => number;
  /** Retired repositories on which events may still hang. */
  readonly #leaving = new Map<string, RepositoryKey>();

  constructor(parts: ReleaseParts, locks: KeyedLock, retentionMs: () => number) {
    this.#parts = parts;
    this.#locks = locks;
    this.#retentionMs = retentionMs;
    parts.store.watch(({ putRetired }) => {
      for (const row of putRetired ?? []) this.#note(row);
    });
  }

  /** One pass over everything overdue. A failing entry is logged and left for the next pass. */
  async expire(signal?: AbortSignal): Promise<SweepResult> {
    const overdue = await this.#parts.store.overdue(this.#parts.clock.now(), MAX_PER_SWEEP);
    const counts: Record<AnnouncementOutcome, number> = { skip: 0, release: 0, softExpire: 0, expire: 0 };
    const run = async (keys: string | readonly string[], work: () => Promise<AnnouncementOutcome>) => {
      counts[await this.#guarded(typeof keys === "string" ? [keys] : keys, work) ?? "skip"]++;
    };
    for (const row of overdue.announcements) {
      await run(row.identifier, () => expireAnnouncement(this.#parts, row));
    }
    const surplus = await this.#parts.store.softExpiredBeyond(LIMIT.softExpiredAnnouncements, MAX_PER_SWEEP);
    for (const row of surplus) await run(row.identifier, () => giveUpSoftExpired(this.#parts, row));
    for (const row of overdue.states) await run(row.identifier, () => this.#expireState(row));
    for (const row of overdue.pullRequests) {
      await run(pullRequestLock(row.event.id), () => this.#expirePullRequest(row));
    }
    for (const row of overdue.placeholders) {
      const keys = [pullRequestLock(row.id), ...(row.scope ? [row.scope.identifier] : [])];
      await run(keys, () => this.#expirePlaceholder(row));
    }
    await this.#retryDirty();
    await this.#removeIdle();
    await this.#hideDependents(signal);
    await this.#guarded([], () => purgeExpiredEvents(this.#parts, this.#locks));
    const result = { softExpired: counts.softExpire, expired: counts.expire, released: counts.release };
    if (Object.values(result).some((count) => count > 0)) {
      this.#parts.log.info("purgatory swept", {
        soft_expired: result.softExpired,
        expired: result.expired,
        released: result.released,
      });
    }
    return result;
  }

  /** Forgets expired ids older than their memory. */
  async prune(): Promise<void> {
    const { store, clock, log } = this.#parts;
    const count = await store.pruneExpired(clock.now());
    if (count > 0) log.info("expired ids forgotten", { count });
  }

  /**
   * Deletes retired repositories for good that were held long enough, and has the next sweep look for what
   * still hangs on the others; returns how many were deleted.
   */
  async discard(): Promise<number> {
    for (const key of await this.#parts.store.heldKeys()) this.#note(key);
    return await discardRetired(this.#parts, this.#parts.clock.now() - this.#retentionMs());
  }

  /** All of it, as often as it has to be done. */
  jobs(): readonly RegularJob[] {
    return [
      { name: "purgatory_sweep", everyMs: DURATION.sweepMs, run: (signal) => this.expire(signal) },
      { name: "expired_events", everyMs: DURATION.pruneMs, atStart: true, run: () => this.prune() },
      { name: "deleted_retention", everyMs: DURATION.pruneMs, atStart: true, run: () => this.discard() },
    ];
  }

  /** Those of blacklisted authors hang on nothing. */
  #note({ owner, identifier }: RepositoryKey): void {
    if (identifier !== "") this.#leaving.set(`${owner}:${identifier}`, { owner, identifier });
  }

  /** A failing one is tried again by the daily job. */
  async #hideDependents(signal: AbortSignal | undefined): Promise<void> {
    const noted = [...this.#leaving.values()];
    this.#leaving.clear();
    for (const key of noted) {
      await this.#guarded([], () => hideLeftDependents(this.#parts, this.#locks, key, signal));
    }
  }

  async #guarded<T>(keys: readonly string[], work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await this.#locks.run(keys, work);
    } catch (error) {
      this.#parts.log.error("sweep step failed, the next sweep tries again", {
        key: keys[0],
        error: String(error),
      });
      return undefined;
    }
  }

  /** Re-reads under the lock: the state may have been released, extended or deleted meanwhile. */
  async #expireState({ event, identifier }: WaitingState): Promise<AnnouncementOutcome> {
    const { store, clock, counters } = this.#parts;
    if (this.#parts.pins.has(statePin(event.id))) return "skip";
    const { waitingStates } = await store.readIdentifier(identifier);
    const row = waitingStates.find((waiting) => compareNewestFirst(waiting.event, event) === 0);
    if (!row || row.deadlineAt > clock.now()) return "skip";
    await store.commit({ removeStates: [event.id], putExpired: [expiredId(this.#parts, event)] });
    counters.expired("state", row.source);
    logExpiry(this.#parts.log, event, row.source, identifier);
    return "expire";
  }

  async #expirePullRequest({ event }: WaitingPullRequest): Promise<AnnouncementOutcome> {
    const { store, clock, counters, log } = this.#parts;
    if (this.#parts.pins.has(pullRequestPin(event.id))) return "skip";
    const row = await store.waitingPullRequest(event.id);
    if (!row || row.deadlineAt > clock.now()) return "skip";
    await store.commit({ removePullRequests: [event.id], putExpired: [expiredId(this.#parts, event)] });
    counters.expired("pr", row.source);
    const identifiers = new Set(row.targets.map(({ identifier }) => identifier));
    for (const identifier of identifiers.size > 0 ? identifiers : ["unknown"]) {
      logExpiry(log, event, row.source, identifier, row.commit);
    }
    return "expire";
  }

  async #expirePlaceholder({ id }: Placeholder): Promise<AnnouncementOutcome> {
    const { store, clock, counters, log } = this.#parts;
    const row = await store.placeholder(id);
    if (!row || row.deadlineAt > clock.now()) return "skip";
    if (!await expirePlaceholder(this.#parts, row)) return "skip";
    counters.expired("placeholder", "direct");
    log.warn("[PURGATORY_EXPIRED] placeholder", {
      event_id: id.slice(0, 12),
      commit: row.commit.slice(0, 12),
      source: "direct",
      reason: `PR event not received within ${Math.round((row.deadlineAt - row.enteredAt) / 60_000)} minutes`,
    });
    return "expire";
  }

  /** Repositories whose last release failed half-way get another try. */
  async #retryDirty(): Promise<void> {
    const { store, clock, repositories } = this.#parts;
    for (const { owner, identifier, since } of await store.dirtyMarks()) {
      if (since > clock.now() - DURATION.sweepMs || repositories.uses({ owner, identifier }) > 0) continue;
      const request = { identifier, receivedBy: owner, mirrorAgain: true, via: "startup" } as const;
      await this.#guarded([identifier], () => release(this.#parts, request));
    }
  }

  /** Contributors' repositories that were in use when their last ref went. */
  async #removeIdle(): Promise<void> {
    for (const repository of this.#parts.contributions?.idle.all() ?? []) {
      await this.#guarded([repository.identifier], () => tidyContribution(this.#parts, repository));
    }
  }
}
