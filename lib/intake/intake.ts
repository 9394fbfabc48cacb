import {
  addressIdentifier,
  eventHash,
  expirationOf,
  KIND,
  kindClass,
  type NostrEvent,
  parseEvent,
  refusalMessage,
  refuse,
} from "../nostr/mod.ts";
import { ACCEPTED, authorRefusal, STORED_ALREADY_MESSAGE, type Verdict } from "../policy/mod.ts";
import { nowSeconds } from "../world/mod.ts";
import { admitAnnouncement } from "./admit_announcement.ts";
import { admitDeletion } from "./admit_deletion.ts";
import { admitPullRequest } from "./admit_pull_request.ts";
import { admitState } from "./admit_state.ts";
import type { EventSource, IntakeParts } from "./ports.ts";
import { RefusedEvents } from "./refused_events.ts";
import { DELETED, storeVerdict } from "./verdicts.ts";

/** The answer to an EVENT; `id` is the id as sent, undefined when none could be read. */
export interface AdmitAnswer {
  readonly id: string | undefined;
  readonly accepted: boolean;
  /** Text of the `OK` (NIP-01), empty or starting with a machine-readable prefix. */
  readonly message: string;
}

/** Door 1: the only way an event gets in, wherever it came from. */
export class Intake {
  readonly #parts: IntakeParts;
  readonly #refused = new RefusedEvents();

  constructor(parts: IntakeParts) {
    this.#parts = parts;
  }

  /**
   * Judges one untrusted value and applies what follows from it. Resolves after everything the
   * answer promises is committed. Cheap checks come first, the signature last, and nothing is
   * changed before it verified.
   */
  async admit(value: unknown, source: EventSource): Promise<AdmitAnswer> {
    const parsed = parseEvent(value);
    if (!parsed.ok) return this.#malformed(parsed.id);
    const { event } = parsed;
    if (source === "client") this.#parts.intakeCounters.received(event.kind);
    let verdict: Verdict;
    try {
      verdict = await this.#judge(event, source);
    } catch (error) {
      const fields = { event_id: event.id, kind: event.kind, error: String(error) };
      this.#parts.log.error("event could not be judged", fields);
      verdict = refuse("error", "db_error", "could not store event");
    }
    this.#record(event, verdict, source);
    if (source !== "client") this.#refused.remember(event, verdict, this.#parts.clock.now());
    if (verdict.ok && verdict.outcome === "held") this.reconsider(event);
    return {
      id: event.id,
      accepted: verdict.ok,
      message: verdict.ok ? verdict.message : refusalMessage(verdict),
    };
  }

  /**
   * Call it when an announcement or state became known: synced events of its identifier that were
   * refused before are judged again, in the background because the caller may hold the lock. One that
   * is accepted triggers the next round, so a chain of maintainers resolves by itself.
   */
  reconsider({ kind, tags }: Pick<NostrEvent, "kind" | "tags">): void {
    if (kind !== KIND.announcement && kind !== KIND.state) return;
    const identifier = addressIdentifier({ kind, tags }) ?? "";
    const again = this.#refused.take(identifier, this.#parts.clock.now());
    if (again.length > 0) void this.#judgeAgain(again);
  }

  async #judgeAgain(events: readonly NostrEvent[]): Promise<void> {
    for (const event of events) await this.admit(event, "retry");
  }

  #malformed(id: string | undefined): AdmitAnswer {
    this.#parts.intakeCounters.rejected(-1, "invalid");
    return { id, accepted: false, message: "invalid: malformed event" };
  }

  /** The pipeline of the relay chapter, section 2.4. */
  async #judge(event: NostrEvent, source: EventSource): Promise<Verdict> {
    const { rules, store, clock, verifier, maxFutureSecs } = this.#parts;
    if (eventHash(event) !== event.id) return refuse("invalid", "invalid", "event id does not match");
    const blacklisted = authorRefusal(event.pubkey, rules);
    if (blacklisted) return blacklisted;
    if (await store.has(event.id)) return { ok: true, outcome: "duplicate", message: STORED_ALREADY_MESSAGE };
    // A deletion request cannot be deleted (NIP-09).
    if (event.kind !== KIND.deletion && await store.isTombstoned(event)) {
      return DELETED;
    }
    const now = nowSeconds(clock);
    const expiration = expirationOf(event);
    if (expiration !== undefined && expiration <= now) return refuse("invalid", "invalid", "event expired");
    if (event.created_at > now + maxFutureSecs) {
      return refuse("invalid", "invalid", "created_at too far in the future");
    }
    if (event.tags.some((tag) => tag[0] === "-")) {
      return refuse("blocked", "other", "event marked as protected, and this relay authenticates nobody");
    }
    if (!await verifier.verify(event)) return refuse("invalid", "signature", "bad signature");
    return await this.#byKind(event, source);
  }

  async #byKind(event: NostrEvent, source: EventSource): Promise<Verdict> {
    switch (event.kind) {
      case KIND.announcement:
        return await admitAnnouncement(this.#parts, event, source);
      case KIND.state:
        return await admitState(this.#parts, event, source);
      case KIND.pullRequest:
      case KIND.pullRequestUpdate:
        return await admitPullRequest(this.#parts, event, source);
      case KIND.deletion:
        return await admitDeletion(this.#parts, event);
      default:
        return await this.#admitOther(event);
    }
  }

  /** Everything that is not about git data: accepted when it relates to what we serve. */
  async #admitOther(event: NostrEvent): Promise<Verdict> {
    const { store, openGraspLists, notify, counters } = this.#parts;
    const isOpen = event.kind === KIND.graspList && openGraspLists;
    if (!isOpen && !await store.isRelated(event)) {
      return refuse(
        "blocked",
        "orphan",
        "Event event must reference an accepted repository or accepted event",
      );
    }
    if (kindClass(event.kind) === "ephemeral") {
      notify(event);
      return ACCEPTED;
    }
    const [verdict] = await store.commit({ insertEvents: [{ event }] });
    if (verdict === "stored") {
      counters.stored(event.kind);
      notify(event);
    }
    return storeVerdict(verdict!);
  }

  #record(event: NostrEvent, verdict: Verdict, source: EventSource): void {
    const { intakeCounters, log } = this.#parts;
    const fields = { event_id: event.id, kind: event.kind };
    if (!verdict.ok) {
      intakeCounters.rejected(event.kind, verdict.reason);
      const level = source !== "client" ? "debug" : verdict.reason === "orphan" ? "info" : "warn";
      log[level]("event refused", { ...fields, reason: verdict.text });
    } else if (verdict.outcome === "held") {
      intakeCounters.held(event.kind);
      log.info("event held in purgatory", { ...fields, repo: addressIdentifier(event) });
    } else if (verdict.outcome === "duplicate") {
      intakeCounters.rejected(event.kind, "duplicate");
    }
  }
}
