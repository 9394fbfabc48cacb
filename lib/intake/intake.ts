import {
  addressIdentifier,
  eventHash,
  isPullRequest,
  KIND,
  type NostrEvent,
  parseEvent,
  refuse,
} from "../nostr/mod.ts";
import type { PurgatoryType, RegularJob, RejectedCounts } from "../observe/mod.ts";
import { IN_PURGATORY_MESSAGE } from "../policy/mod.ts";
import { BringBack } from "./bring_back.ts";
import { type AdmitResult, invalid, judge, judged, type Judgement, messageOf } from "./judge.ts";
import { type EventSource, type IntakeParts, waitingSource } from "./ports.ts";
import { Reconsideration } from "./reconsider.ts";
import { type JudgeParts, RefusedMemory } from "./refused_memory.ts";

/** How often refused events past their time are reduced to ids, and ids forgotten. */
const SWEEP_WHOLE_MS = 60_000;
const SWEEP_IDS_MS = 86_400_000;
/** How often an event of another relay is tried when it cannot be stored. */
const STORE_ATTEMPTS = 3;

/** The answer to an EVENT; `id` is the id as sent, undefined when none could be read. */
export interface AdmitAnswer {
  readonly id: string | undefined;
  readonly accepted: boolean;
  readonly result: AdmitResult;
  /** Text of the `OK` (NIP-01), empty or starting with a machine-readable prefix. */
  readonly message: string;
  /** Label of a refusal, as metrics show it; undefined when accepted. */
  readonly reason?: string;
}

const MALFORMED = refuse("invalid", "invalid", "malformed event");
const WRONG_ID = refuse("invalid", "invalid", "event id does not match");
const NOT_STORED = refuse("error", "db_error", "could not store event");

/** Door 1: the only way an event gets in, wherever it came from. */
export class Intake {
  readonly #parts: JudgeParts;
  readonly #reconsideration: Reconsideration;
  readonly #bringBack: BringBack;
  /** What other relays sent and is being judged; bounded by what they have in flight. */
  readonly #inFlight = new Map<string, Promise<AdmitAnswer>>();

  /** Follows the commits of the store from now on; {@link stop} ends it. */
  constructor(parts: IntakeParts) {
    const memory = new RefusedMemory(parts);
    this.#parts = { ...parts, memory };
    this.#reconsideration = new Reconsideration({
      ...parts,
      memory,
      judge: (event) => this.#process(event, "retry"),
    });
    this.#bringBack = new BringBack({
      ...parts,
      judge: async (event) => (await this.#process(event, "retry")).result,
    });
  }

  /**
   * Judges one untrusted value and applies what follows from it. Resolves after everything the
   * answer promises is committed. The same event from several relays at once is judged once; those
   * that only waited for it are told `duplicate` where the first is told `saved`. `relay` is where a
   * synced event came from, for the log.
   */
  async admit(value: unknown, source: EventSource, relay?: string): Promise<AdmitAnswer> {
    const parsed = parseEvent(value);
    if (!parsed.ok) {
      this.#parts.intakeCounters.rejected(-1, "invalid");
      return answerOf(parsed.id, invalid(MALFORMED));
    }
    const { event } = parsed;
    if (source === "client") this.#parts.intakeCounters.received(event.kind);
    if (eventHash(event) !== event.id) {
      const judgement = invalid(WRONG_ID);
      this.#record(event, judgement, source, relay);
      return answerOf(event.id, judgement);
    }
    return source === "sync" ? await this.#fromRelay(event, relay) : await this.#process(event, source);
  }

  /** Goes on with bringing back held events where a stop cut it off, in the background. */
  async resume(): Promise<void> {
    await this.#bringBack.resume();
  }

  /** What keeps the memory of refused events small. */
  jobs(): readonly RegularJob[] {
    const { memory } = this.#parts;
    return [
      { name: "rejected_hot", everyMs: SWEEP_WHOLE_MS, atStart: true, run: () => memory.sweepWhole() },
      { name: "rejected_cold", everyMs: SWEEP_IDS_MS, atStart: true, run: () => memory.sweepIds() },
    ];
  }

  /** Sizes of the memory of refused events, for metrics: kept whole (hot), and all ids (cold). */
  async rejectedCounts(): Promise<RejectedCounts> {
    const { announcement, state } = await this.#parts.store.refusedCounts();
    return {
      hot: { announcement: announcement.whole, state: state.whole },
      cold: { announcement: announcement.ids, state: state.ids },
    };
  }

  /** Resolves when no refused or held event is left to be judged again. */
  async settled(): Promise<void> {
    await this.#bringBack.settled();
    await this.#reconsideration.settled();
  }

  /** Judges nothing again from now on; resolves when what is under way is done. Clients are still served. */
  async stop(): Promise<void> {
    await this.#bringBack.stop();
    await this.#reconsideration.stop();
  }

  /** A copy with another signature is another matter: it must not answer for this one. */
  async #fromRelay(event: NostrEvent, relay: string | undefined): Promise<AdmitAnswer> {
    const key = event.id + event.sig;
    const underWay = this.#inFlight.get(key);
    if (underWay) {
      const answer = await underWay;
      return answer.result === "saved" ? { ...answer, result: "duplicate" } : answer;
    }
    const work = this.#process(event, "sync", relay);
    this.#inFlight.set(key, work);
    try {
      return await work;
    } finally {
      this.#inFlight.delete(key);
    }
  }

  async #process(event: NostrEvent, source: EventSource, relay?: string): Promise<AdmitAnswer> {
    // Others do not send it again soon, or at all.
    const isPatient = source !== "client";
    let judgement = await this.#tryJudge(event, source);
    for (let n = 1; judgement.result === "failed" && isPatient && n < STORE_ATTEMPTS; n++) {
      judgement = await this.#tryJudge(event, source);
    }
    if (source !== "client") await this.#parts.memory.written();
    this.#record(event, judgement, source, relay);
    const waits = judgement.result === "purgatory" && source !== "client";
    if (waits && event.kind !== KIND.announcement) this.#parts.handOver?.(event);
    return answerOf(event.id, judgement);
  }

  async #tryJudge(event: NostrEvent, source: EventSource): Promise<Judgement> {
    try {
      return await judge(this.#parts, event, source);
    } catch (error) {
      const fields = { event_id: event.id, kind: event.kind, error: String(error) };
      this.#parts.log.error("event could not be judged", fields);
      return judged(NOT_STORED);
    }
  }

  #record(event: NostrEvent, { verdict }: Judgement, source: EventSource, relay: string | undefined): void {
    const { intakeCounters, counters, log } = this.#parts;
    const type = purgatoryType(event.kind);
    const fields = { event_id: event.id, kind: event.kind, relay };
    if (!verdict.ok) {
      intakeCounters.rejected(event.kind, verdict.reason);
      if (verdict.reason === "expired" && type) counters.refusedExpired(type);
      const level = source !== "client" ? "debug" : verdict.reason === "orphan" ? "info" : "warn";
      log[level]("event refused", { ...fields, reason: verdict.text });
    } else if (verdict.outcome === "held") {
      intakeCounters.held(event.kind);
      log.info("event held in purgatory", { ...fields, repo: addressIdentifier(event) });
    } else if (verdict.outcome === "duplicate") {
      intakeCounters.rejected(event.kind, "duplicate");
      const waits = verdict.message === IN_PURGATORY_MESSAGE;
      if (waits && type) counters.duplicate(type, waitingSource(source));
    }
  }
}

/** What an event of this kind is while it waits. */
function purgatoryType(kind: number): PurgatoryType | undefined {
  if (isPullRequest(kind)) return "pr";
  return kind === KIND.announcement ? "announcement" : kind === KIND.state ? "state" : undefined;
}

function answerOf(id: string | undefined, { verdict, result }: Judgement): AdmitAnswer {
  const answer = { id, accepted: verdict.ok, result, message: messageOf(verdict) };
  return verdict.ok ? answer : { ...answer, reason: verdict.reason };
}
