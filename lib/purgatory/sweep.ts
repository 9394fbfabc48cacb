import { encodeNpub, KIND } from "../nostr/mod.ts";
import {
  type AnnouncementExpiry,
  decideExpiry,
  DURATION,
  type IdentifierView,
  statesWithoutOwner,
  viewOf,
} from "../policy/mod.ts";
import type { WaitingAnnouncement, WaitingState } from "../store/mod.ts";
import type { KeyedLock } from "../world/mod.ts";
import { announcementPin, type Pins, statePin } from "./pins.ts";
import { release, type ReleaseParts } from "./release.ts";

/** Most overdue entries of each kind handled in one sweep; the rest waits for the next one. */
const MAX_PER_SWEEP = 500;
const EXPIRED_REASON = "git data not received within 30 minutes";

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
  readonly #pins: Pins;

  constructor(parts: ReleaseParts, locks: KeyedLock, pins: Pins) {
    this.#parts = parts;
    this.#locks = locks;
    this.#pins = pins;
  }

  /** One pass over everything overdue. A failing entry is logged and left for the next pass. */
  async expire(): Promise<SweepResult> {
    const result = { softExpired: 0, expired: 0, released: 0 };
    const overdue = await this.#parts.store.overdue(this.#parts.clock.now(), MAX_PER_SWEEP);
    for (const row of overdue.announcements) {
      const action = await this.#guarded(row.identifier, () => this.#expireAnnouncement(row));
      if (action === "softExpire") result.softExpired++;
      if (action === "expire") result.expired++;
      if (action === "release") result.released++;
    }
    for (const row of overdue.states) {
      if (await this.#guarded(row.identifier, () => this.#expireState(row))) result.expired++;
    }
    await this.#retryDirty();
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
    const count = await store.pruneExpired(clock.now() - DURATION.expiredMemoryMs);
    if (count > 0) log.info("expired ids forgotten", { count });
  }

  async #guarded<T>(identifier: string, work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await this.#locks.run([identifier], work);
    } catch (error) {
      this.#parts.log.error("overdue entry could not be handled", { repo: identifier, error: String(error) });
      return undefined;
    }
  }

  /** Re-reads under the lock: a push may have released or extended the entry meanwhile. */
  async #expireAnnouncement(
    { owner, identifier }: WaitingAnnouncement,
  ): Promise<AnnouncementExpiry["action"]> {
    const { store, repositories, clock } = this.#parts;
    const view = viewOf(identifier, await store.readIdentifier(identifier));
    const row = view.announcements.find(({ announcement, waiting }) =>
      waiting && announcement.owner === owner
    )?.waiting;
    if (!row) return "skip";
    const repository = { owner, identifier };
    const hasRepository = row.phase === "active" && await repositories.exists(repository);
    const facts = {
      inUse: repositories.uses(repository) > 0 || this.#pins.has(announcementPin(owner, identifier)),
      hasRefs: hasRepository && await this.#hasBranchOrTag(row),
    };
    const decision = decideExpiry(row, facts, clock.now());
    switch (decision.action) {
      case "skip":
        return "skip";
      case "release":
        return await this.#releaseOverdue(row);
      case "softExpire":
        if (!await this.#removeRepository(row)) return "skip";
        await store.commit({
          putAnnouncements: [{ ...row, phase: "soft", deadlineAt: decision.deadlineAt }],
        });
        this.#logExpiry(row.event, row.source, "soft-expired");
        return "softExpire";
      case "expire":
        if (row.phase === "active" && !await this.#removeRepository(row)) return "skip";
        await this.#expireFully(view, row);
        return "expire";
    }
  }

  async #hasBranchOrTag({ owner, identifier }: WaitingAnnouncement): Promise<boolean> {
    const { refs } = await this.#parts.repositories.readRefs({ owner, identifier });
    return [...refs.keys()].some((name) => /^refs\/(heads|tags)\//.test(name));
  }

  /** Git data without an event: either the release was missed, or nothing authorises it any more. */
  async #releaseOverdue(row: WaitingAnnouncement): Promise<"release" | "skip"> {
    const served = await release(this.#parts, { identifier: row.identifier, receivedBy: row.owner });
    if (served.has(row.event.id)) return "release";
    this.#parts.log.warn("overdue repository has refs that no state declares; kept", {
      repo: row.identifier,
      npub: encodeNpub(row.owner),
    });
    return "skip";
  }

  async #removeRepository({ owner, identifier }: WaitingAnnouncement): Promise<boolean> {
    const result = await this.#parts.repositories.remove({ owner, identifier }, { force: false });
    if (result === "removed" || result === "absent") return true;
    this.#parts.log.warn("overdue repository could not be removed, next sweep tries again", {
      repo: identifier,
      npub: encodeNpub(owner),
      reason: result,
    });
    return false;
  }

  async #expireFully(view: IdentifierView, row: WaitingAnnouncement): Promise<void> {
    const { store, clock, counters } = this.#parts;
    const remaining = { ...view, announcements: view.announcements.filter(({ waiting }) => waiting !== row) };
    await store.commit({
      removeAnnouncements: [{ owner: row.owner, identifier: row.identifier }],
      removeStates: statesWithoutOwner(remaining),
      putExpired: [{ id: row.event.id, at: clock.now() }],
    });
    counters.expired("announcement", row.source);
    this.#logExpiry(row.event, row.source, "expired");
  }

  async #expireState({ event }: WaitingState): Promise<boolean> {
    const { store, clock, counters } = this.#parts;
    if (this.#pins.has(statePin(event.id))) return false;
    const { waitingStates } = await store.readIdentifier(event.tags.find((tag) => tag[0] === "d")?.[1] ?? "");
    const row = waitingStates.find((waiting) => waiting.event.id === event.id);
    if (!row || row.deadlineAt > clock.now()) return false;
    await store.commit({ removeStates: [event.id], putExpired: [{ id: event.id, at: clock.now() }] });
    counters.expired("state", row.source);
    this.#logExpiry(event, row.source, "expired");
    return true;
  }

  /** The line operators' tools look for; a warning when a user waits for it. */
  #logExpiry(event: WaitingState["event"], source: "direct" | "sync", phase: string): void {
    const fields = {
      repo: event.tags.find((tag) => tag[0] === "d")?.[1] ?? "unknown",
      npub: encodeNpub(event.pubkey),
      event_id: `${event.id.slice(0, 12)}...`,
      kind: event.kind,
      source,
      reason: EXPIRED_REASON,
      ...(event.kind === KIND.announcement && { phase }),
    };
    if (source === "direct") this.#parts.log.warn("[PURGATORY_EXPIRED]", fields);
    else this.#parts.log.debug("[PURGATORY_EXPIRED]", fields);
  }

  /** Repositories whose last release failed half-way get another try. */
  async #retryDirty(): Promise<void> {
    const { store, clock } = this.#parts;
    for (const { owner, identifier, since } of await store.dirtyMarks()) {
      if (
        since > clock.now() - DURATION.sweepMs || this.#parts.repositories.uses({ owner, identifier }) > 0
      ) {
        continue;
      }
      await this.#guarded(identifier, () => release(this.#parts, { identifier, receivedBy: owner }));
    }
  }
}
