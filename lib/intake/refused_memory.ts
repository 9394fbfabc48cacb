import { addressIdentifier, KIND, type NostrEvent, type Refusal, type RefusalReason } from "../nostr/mod.ts";
import type { Logger, RejectedGroup, RejectedType } from "../observe/mod.ts";
import type { Clock } from "../world/mod.ts";
import { type Changes, type RefusedEvent, type RefusedMatch, relatedKeys, type Store } from "../store/mod.ts";
import type { IntakeParts, RefusedLifetimes } from "./ports.ts";

const DAY_MS = 86_400_000;
/** How long refused orphans are remembered by id, and other refused kinds. */
const RELATED_MS = DAY_MS;
const OTHER_MS = DAY_MS;
/** How long superseded and deleted ids are remembered. */
const GONE_MS = 7 * DAY_MS;
/** An orphan under more keys is not remembered: it is judged again whenever it comes. */
const MAX_KEYS = 34;
/** An announcement or state with a longer identifier (UTF-16 units) is remembered by its id alone. */
const MAX_IDENTIFIER = 1_024;
/** Events taken out for another look whose history is known; the oldest are forgotten first. */
const MAX_TAKEN = 10_000;
/** How often a refused event is looked at again. */
export const MAX_ATTEMPTS = 3;

/** What {@link RefusedMemory} works with. */
export interface RefusedMemoryParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly refusedLifetimes: RefusedLifetimes;
  readonly rejectedCounters: RejectedGroup;
  readonly log: Logger;
}

/** Everything a judgement works with. */
export interface JudgeParts extends IntakeParts {
  readonly memory: RefusedMemory;
}

/** How a refusal is remembered: in the index of refused events, as a mere id, or not at all. */
type Memory = "repository" | "related" | "gone" | "other" | "none";

/**
 * Remembers refused events of other relays, so that they are neither fetched nor judged again until
 * what made them unacceptable may have changed. The store holds it; only what was taken out for
 * another look is known here.
 */
export class RefusedMemory {
  readonly #parts: RefusedMemoryParts;
  readonly #taken = new Map<string, { readonly at: number; readonly attempts: number }>();

  /** The last write; the store commits in order. */
  #written: Promise<void> = Promise.resolve();

  /** Remembers in the store of `parts`. */
  constructor(parts: RefusedMemoryParts) {
    this.#parts = parts;
  }

  /**
   * Remembers a refused event of another relay. Queued at once, so a caller that holds the lock of
   * the event's identifier knows it before whatever could overturn the refusal.
   */
  remember(event: NostrEvent, refusal: Refusal): void {
    const memory = memoryOf(event, refusal);
    switch (memory) {
      case "none":
        return;
      case "gone":
        return this.forget(event.id);
      case "other":
        return this.#leaveAlone(event.id, OTHER_MS);
      case "repository":
        return this.#repository(event, refusal);
      case "related":
        return this.#related(event, refusal);
    }
  }

  /** Another relay still has what is superseded or deleted here: it is not fetched again for a week. */
  forget(id: string): void {
    this.#leaveAlone(id, GONE_MS);
  }

  /** Resolves when all that was remembered so far is in the store. */
  async written(): Promise<void> {
    await this.#written;
  }

  /**
   * Takes entries out because their refusal may be overturned. Resolves to their events as far as
   * they are still whole; when one is refused again, only its id is remembered, from its first time.
   */
  async take(matches: readonly RefusedMatch[]): Promise<readonly NostrEvent[]> {
    if (matches.length === 0) return [];
    const { store, rejectedCounters } = this.#parts;
    await store.commit({ removeRefused: matches.map(({ id }) => id) });
    for (const { id, at, attempts } of matches) {
      this.#taken.delete(id);
      this.#taken.set(id, { at, attempts: attempts + 1 });
    }
    for (const id of this.#taken.keys()) {
      if (this.#taken.size <= MAX_TAKEN) break;
      this.#taken.delete(id);
    }
    for (const type of ["announcement", "state"] as const) {
      const ofType = matches.filter((match) => match.type === type);
      const whole = ofType.filter((match) => match.whole).length;
      if (ofType.length > 0) rejectedCounters.invalidated(type, ofType.length);
      if (whole > 0) rejectedCounters.hotHits(type, whole);
      else if (ofType.length > 0) rejectedCounters.hotMiss(type);
    }
    return matches.flatMap(({ whole }) => whole ? [whole.event] : []);
  }

  /** Forgets an entry that turned out acceptable. */
  async drop(id: string): Promise<void> {
    await this.#parts.store.commit({ removeRefused: [id] });
  }

  /** Reduces whole events past their time to ids. */
  async sweepWhole(): Promise<void> {
    const { store, clock, rejectedCounters } = this.#parts;
    const swept = await store.sweepWhole(clock.now());
    for (const type of COUNTED) if (swept[type] > 0) rejectedCounters.hotExpired(type, swept[type]);
  }

  /** Forgets ids past their time. */
  async sweepIds(): Promise<void> {
    const { store, clock, rejectedCounters } = this.#parts;
    const swept = await store.sweepRefused(clock.now());
    for (const type of COUNTED) if (swept[type] > 0) rejectedCounters.coldExpired(type, swept[type]);
  }

  #repository(event: NostrEvent, refusal: Refusal): void {
    if (!event.tags.some(([name]) => name === "d")) {
      this.#parts.log.warn("refused event of another relay has no identifier and is not remembered", {
        event_id: event.id,
        kind: event.kind,
      });
      return;
    }
    const identifier = addressIdentifier(event) ?? "";
    if (identifier.length > MAX_IDENTIFIER) return this.#leaveAlone(event.id, OTHER_MS);
    const type = event.kind === KIND.announcement ? "announcement" : "state";
    this.#put(event, {
      type,
      identifier,
      keys: [],
      refusal,
      lifetimeMs: this.#parts.refusedLifetimes.coldMs,
    });
  }

  #related(event: NostrEvent, refusal: Refusal): void {
    const keys = [...new Set(relatedKeys(event).waits)];
    if (keys.length > MAX_KEYS) return;
    this.#put(event, { type: "related", identifier: "", keys, refusal, lifetimeMs: RELATED_MS });
  }

  #put(
    event: NostrEvent,
    { type, identifier, keys, refusal, lifetimeMs }:
      & Pick<RefusedEvent, "type" | "identifier" | "keys">
      & { readonly refusal: Refusal; readonly lifetimeMs: number },
  ): void {
    const { clock, refusedLifetimes: { hotMs } } = this.#parts;
    const taken = this.#taken.get(event.id);
    this.#taken.delete(event.id);
    const at = taken?.at ?? clock.now();
    const isWhole = taken === undefined && hotMs > 0;
    this.#commit({
      putRefused: [{
        id: event.id,
        type,
        kind: event.kind,
        author: event.pubkey,
        identifier,
        createdAt: event.created_at,
        reason: reasonCode(refusal.reason),
        at,
        attempts: taken?.attempts ?? 0,
        until: at + Math.max(lifetimeMs, hotMs),
        whole: isWhole ? { event, until: at + hotMs } : undefined,
        keys,
      }],
    });
  }

  #leaveAlone(id: string, lifetimeMs: number): void {
    this.#commit({ putGone: [{ id, until: this.#parts.clock.now() + lifetimeMs }] });
  }

  /** What cannot be written is fetched and refused once more. */
  #commit(changes: Changes): void {
    this.#written = this.#parts.store.commit(changes).then(() => {}, (error) => {
      this.#parts.log.debug("refused event could not be remembered", { error: String(error) });
    });
  }
}

const COUNTED: readonly RejectedType[] = ["announcement", "state"];

/** Refusals that say nothing about the event, or that are remembered elsewhere. */
const UNREMEMBERED: ReadonlySet<RefusalReason> = new Set([
  "signature",
  "rate_limited",
  "db_error",
  "expired",
]);

function memoryOf(event: NostrEvent, { prefix, reason }: Refusal): Memory {
  if (prefix === "error" || UNREMEMBERED.has(reason)) return "none";
  if (reason === "deleted") return "gone";
  if (reason === "blacklisted_author") return "other";
  if (event.kind === KIND.announcement || event.kind === KIND.state) return "repository";
  return reason === "orphan" ? "related" : "other";
}

/** The reason codes of the sync chapter, section 7.3. */
function reasonCode(reason: RefusalReason): string {
  switch (reason) {
    case "not_listed":
    case "not_whitelisted":
      return "does_not_list_service";
    case "orphan":
    case "unauthorized":
      return "maintainer_not_yet_valid";
    default:
      return "other";
  }
}
