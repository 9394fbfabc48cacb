import {
  addressIdentifier,
  encodeNpub,
  eventHash,
  expirationOf,
  KIND,
  kindClass,
  type NostrEvent,
  parseAnnouncement,
  parseEvent,
  parseState,
  type Refusal,
  refusalMessage,
  refuse,
  type State,
} from "../nostr/mod.ts";
import {
  ACCEPTED,
  authorRefusal,
  classifyAnnouncement,
  type CurationRules,
  decideAnnouncement,
  decideState,
  type Decision,
  HELD,
  holdState,
  type IdentifierView,
  NEWER_VERSION_MESSAGE,
  STORED_ALREADY_MESSAGE,
  type Verdict,
  viewOf,
} from "../policy/mod.ts";
import { applyEffects, readDisk, type ReleaseParts } from "../purgatory/mod.ts";
import { type KeyedLock, nowSeconds } from "../world/mod.ts";
import type { InsertVerdict } from "../store/mod.ts";

/** Where an event comes from. Tunes delays and metrics, never what is accepted. */
export type EventSource = "client" | "sync";

/** The answer to an EVENT; `id` is the id as sent, undefined when none could be read. */
export interface AdmitAnswer {
  readonly id: string | undefined;
  readonly accepted: boolean;
  /** Text of the `OK` (NIP-01), empty or starting with a machine-readable prefix. */
  readonly message: string;
}

/** Counts what comes in; the metrics implement it. */
export interface IntakeCounters {
  received(kind: number): void;
  held(kind: number): void;
  rejected(kind: number, reason: string): void;
}

/** Checks signatures, somewhere off the event loop when there is a backlog. */
export interface SignatureVerifier {
  verify(event: NostrEvent): Promise<boolean>;
}

/** Everything intake works with. */
export interface IntakeParts extends ReleaseParts {
  readonly locks: KeyedLock;
  readonly rules: CurationRules;
  readonly verifier: SignatureVerifier;
  /** How far ahead `created_at` may lie, in seconds. */
  readonly maxFutureSecs: number;
  /** Accept kind 10317 (GRASP lists) from anyone. */
  readonly openGraspLists: boolean;
  readonly intakeCounters: IntakeCounters;
}

/** Door 1: the only way an event gets in, wherever it came from. */
export class Intake {
  readonly #parts: IntakeParts;

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
    this.#parts.intakeCounters.received(event.kind);
    let verdict: Verdict;
    try {
      verdict = await this.#judge(event, source);
    } catch (error) {
      this.#parts.log.error("event could not be judged", {
        event_id: event.id,
        kind: event.kind,
        error: String(error),
      });
      verdict = refuse("error", "db_error", "could not store event");
    }
    this.#record(event, verdict, source);
    return {
      id: event.id,
      accepted: verdict.ok,
      message: verdict.ok ? verdict.message : refusalMessage(verdict),
    };
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
    const now = nowSeconds(clock);
    const expiration = expirationOf(event);
    if (expiration !== undefined && expiration <= now) return refuse("invalid", "invalid", "event expired");
    if (event.created_at > now + maxFutureSecs) {
      return refuse("invalid", "invalid", "created_at too far in the future");
    }
    if (!await verifier.verify(event)) return refuse("invalid", "signature", "bad signature");
    return await this.#byKind(event, source);
  }

  #byKind(event: NostrEvent, source: EventSource): Promise<Verdict> {
    switch (event.kind) {
      case KIND.announcement:
        return this.#admitAnnouncement(event, source);
      case KIND.state:
        return this.#admitState(event, source);
      case KIND.pullRequest:
      case KIND.pullRequestUpdate:
        return Promise.resolve(refuse("blocked", "other", "pull requests are not supported by this version"));
      case KIND.deletion:
        return Promise.resolve(
          refuse("blocked", "other", "deletion requests are not supported by this version"),
        );
      default:
        return this.#admitOther(event);
    }
  }

  async #admitAnnouncement(event: NostrEvent, source: EventSource): Promise<Verdict> {
    const parsed = parseAnnouncement(event);
    if (!parsed.ok) return this.#structural(event, parsed);
    const { announcement } = parsed;
    const { identifier, owner } = announcement;
    const { store, repositories, rules, clock, locks } = this.#parts;
    const classification = classifyAnnouncement(announcement, rules);
    return await locks.run([identifier], async () => {
      const view = viewOf(identifier, await store.readIdentifier(identifier));
      const decision = decideAnnouncement({
        announcement,
        classification,
        source: source === "client" ? "direct" : "sync",
        view,
        proven: await isProven(repositories, owner, identifier),
        expired: await store.isExpired(event.id),
        waitingOfAuthor: await store.waitingAnnouncementsOf(owner),
        waitingInTotal: (await store.waitingCounts()).active,
        now: clock.now(),
      });
      return await this.#carryOut(event, identifier, decision) ?? decision.verdict;
    });
  }

  async #admitState(event: NostrEvent, source: EventSource): Promise<Verdict> {
    const parsed = parseState(event);
    if (!parsed.ok) return this.#structural(event, parsed);
    const { state } = parsed;
    const { store, repositories, clock, locks } = this.#parts;
    return await locks.run([state.identifier], async () => {
      const view = viewOf(state.identifier, await store.readIdentifier(state.identifier));
      const { donors } = await readDisk(
        repositories,
        { ...view, waitingStates: [], storedStates: [] },
        state,
        undefined,
      );
      const input = {
        state,
        source: source === "client" ? "direct" as const : "sync" as const,
        view,
        complete: donors.has(event.id),
        expired: await store.isExpired(event.id),
        waitingInTotal: (await store.waitingCounts()).states,
        now: clock.now(),
      };
      const verdict = await this.#carryOut(event, state.identifier, decideState(input));
      return verdict ?? await this.#holdAfterAll(state, view, input.source);
    });
  }

  /** The data is here but no repository could be aligned: the state waits instead of being lost. */
  async #holdAfterAll(state: State, view: IdentifierView, source: "direct" | "sync"): Promise<Verdict> {
    const effects = holdState({ state, source, view, now: this.#parts.clock.now() });
    const applied = await applyEffects(this.#parts, state.identifier, effects);
    return applied.ok ? HELD : applied;
  }

  /**
   * Applies a decision. Undefined: accepted for release, but nothing could be released.
   */
  async #carryOut(event: NostrEvent, identifier: string, decision: Decision): Promise<Verdict | undefined> {
    if (decision.effects.length === 0) return decision.verdict;
    const applied = await applyEffects(this.#parts, identifier, decision.effects);
    if (!applied.ok) return applied;
    const expectsRelease = decision.effects.some((effect) => effect.type === "release" && effect.incoming);
    if (expectsRelease && !applied.released.has(event.id)) return undefined;
    const stored = applied.verdicts.get(event.id);
    return stored && decision.verdict.ok ? storeVerdict(stored) : decision.verdict;
  }

  /** Everything that is neither announcement nor state: accepted when it relates to what we serve. */
  async #admitOther(event: NostrEvent): Promise<Verdict> {
    const { store, openGraspLists, notify, counters } = this.#parts;
    const open = event.kind === KIND.graspList && openGraspLists;
    if (!open && !await store.isRelated(event)) {
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

  /** Structural refusals carry the marker operators' tools look for. */
  #structural(event: NostrEvent, refusal: Refusal): Refusal {
    this.#parts.log.warn("[PARSE_FAIL]", {
      kind: event.kind,
      event_id: `${event.id.slice(0, 12)}...`,
      reason: refusal.text,
      repo: addressIdentifier(event) || "unknown",
      npub: encodeNpub(event.pubkey),
    });
    return refusal;
  }

  #record(event: NostrEvent, verdict: Verdict, source: EventSource): void {
    const { intakeCounters, log } = this.#parts;
    const fields = { event_id: event.id, kind: event.kind };
    if (!verdict.ok) {
      intakeCounters.rejected(event.kind, verdict.reason);
      if (source === "client" && verdict.reason !== "orphan") {
        log.warn("event refused", { ...fields, reason: verdict.text });
      } else log.debug("event refused", { ...fields, reason: verdict.text });
    } else if (verdict.outcome === "held") {
      intakeCounters.held(event.kind);
      log.info("event held in purgatory", { ...fields, repo: addressIdentifier(event) });
    } else if (verdict.outcome === "duplicate") {
      intakeCounters.rejected(event.kind, "duplicate");
    }
  }
}

function storeVerdict(verdict: InsertVerdict): Verdict {
  switch (verdict) {
    case "stored":
      return ACCEPTED;
    case "duplicate":
      return { ok: true, outcome: "duplicate", message: STORED_ALREADY_MESSAGE };
    case "superseded":
      return { ok: true, outcome: "duplicate", message: NEWER_VERSION_MESSAGE };
  }
}

async function isProven(
  repositories: ReleaseParts["repositories"],
  owner: string,
  identifier: string,
): Promise<boolean> {
  const repository = { owner, identifier };
  if (!await repositories.exists(repository)) return false;
  const { refs } = await repositories.readRefs(repository);
  return [...refs.keys()].some((name) => /^refs\/(heads|tags)\//.test(name));
}
