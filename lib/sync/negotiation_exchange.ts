import type { Filter } from "../nostr/mod.ts";
import {
  createItemSet,
  FRAME_LIMIT,
  hexOf,
  initiate,
  isUnsupportedVersion,
  type ItemSet,
  reconcile,
  runSliced,
} from "../negentropy/mod.ts";
import type { HistoryScope } from "./history_context.ts";
import type { WireNegotiation } from "./link_wire.ts";
import { Timer } from "./timer.ts";

/** How one exchange of negentropy messages ended. */
export type Exchange =
  | { readonly end: "complete"; readonly ids: readonly string[] }
  /** Too many items, on our side or theirs. */
  | { readonly end: "too_large" }
  /** The peer does not do this protocol, or does it wrongly. */
  | { readonly end: "unsupported"; readonly why: string }
  /** No answer to the first message. */
  | { readonly end: "timeout" }
  | { readonly end: "refused"; readonly reason: string }
  | { readonly end: "failed" | "dropped" };

type Reply = { readonly hex: string } | Exchange;

/** Largest set of ours that is negotiated at once. */
const MAX_ITEMS = 500_000;
const MAX_ROUNDS = 100;
const MAX_STALLED_ROUNDS = 3;
const LEAST_FRAME = 4_096;
const ENVELOPE_BYTES = 100;

/** Negotiates one filter with the peer (NIP-77); the caller holds a slot. Never rejects. */
export async function exchange(scope: HistoryScope, filter: Filter): Promise<Exchange> {
  const { context: { store, room, log, url, clock }, signal } = scope;
  let taken = 0;
  try {
    const items = await store.heldItems(filter, MAX_ITEMS);
    if (signal.aborted) return { end: "dropped" };
    if (!items) return { end: "too_large" };
    if (!room.take(items.length)) return { end: "failed" };
    taken = items.length;
    const set = await runSliced(createItemSet(items), () => clock.sleep(0, signal), signal);
    return set && !signal.aborted ? await new Conversation(scope, set).hold(filter) : { end: "dropped" };
  } catch (error) {
    log.error("negotiating failed", { relay: url, error: String(error) });
    return { end: "failed" };
  } finally {
    room.give(taken);
  }
}

/** The messages of one exchange. */
class Conversation implements WireNegotiation {
  readonly id: string;
  readonly #scope: HistoryScope;
  readonly #set: ItemSet;
  readonly #timer: Timer;
  readonly #needed = new Set<string>();
  #isAsking = true;
  #reply: Reply | undefined;
  #wake: (() => void) | undefined;

  constructor(scope: HistoryScope, set: ItemSet) {
    this.#scope = scope;
    this.#set = set;
    this.id = scope.context.wire.nextId("neg");
    this.#timer = new Timer(scope.context.clock);
  }

  message(hex: string): void {
    // One question, one answer: a repeated frame is not an answer to the next one.
    if (!this.#isAsking) return;
    this.#isAsking = false;
    this.#take({ hex });
  }

  refused(reason: string): void {
    this.#take({ end: "refused", reason });
  }

  unsupported(): void {
    this.#take({ end: "unsupported", why: "says so" });
  }

  #take(reply: Reply): void {
    this.#reply = reply;
    this.#wake?.();
  }

  async hold(filter: Filter): Promise<Exchange> {
    const { context: { wire }, progress: { outstandingSubs }, signal } = this.#scope;
    const drop = () => this.#take({ end: "dropped" });
    outstandingSubs.add(this.id);
    signal.addEventListener("abort", drop, { once: true });
    try {
      wire.negotiate(this, filter, hexOf(initiate(this.#set)));
      return await this.#rounds();
    } finally {
      signal.removeEventListener("abort", drop);
      this.#timer.stop();
      wire.endNegotiation(this.id);
      outstandingSubs.delete(this.id);
    }
  }

  async #rounds(): Promise<Exchange> {
    const { context: { wire, settings } } = this.#scope;
    let stalled = 0;
    let previous = "";
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const reply = await this.#next(
        round === 0 ? settings.negentropyFirstReplyMs : settings.negentropyReplyMs,
      );
      if (!reply) return round === 0 ? { end: "timeout" } : { end: "failed" };
      if ("end" in reply) return reply;
      const known = this.#needed.size;
      const question = await this.#evaluate(reply.hex);
      if (question === undefined) return { end: "complete", ids: [...this.#needed] };
      if (typeof question !== "string") return question;
      stalled = this.#needed.size > known || question !== previous ? 0 : stalled + 1;
      if (stalled >= MAX_STALLED_ROUNDS) return { end: "unsupported", why: "makes no progress" };
      previous = question;
      this.#isAsking = true;
      wire.answer(this.id, question);
    }
    return { end: "unsupported", why: "does not come to an end" };
  }

  /** The next message in hex; undefined when there is nothing left to ask. */
  async #evaluate(hex: string): Promise<string | undefined | Exchange> {
    const { context: { clock, bounds }, signal } = this.#scope;
    const message = bytesOf(hex);
    if (!message) return { end: "unsupported", why: "answers not in hex" };
    if (isUnsupportedVersion(message)) return { end: "unsupported", why: "speaks another version" };
    const room = Math.floor((bounds().maxMessageBytes - ENVELOPE_BYTES) / 2);
    const limit = Math.min(FRAME_LIMIT, Math.max(LEAST_FRAME, room));
    const findings = await runSliced(
      reconcile(this.#set, message, limit),
      () => clock.sleep(0, signal),
      signal,
    );
    if (!findings) return { end: "dropped" };
    if ("malformed" in findings) {
      return { end: "unsupported", why: `malformed answer: ${findings.malformed}` };
    }
    const known = this.#needed.size;
    for (const id of findings.need) this.#needed.add(id);
    // Too many ids to keep: the filter is fetched page by page.
    if (!this.#scope.listed.take(this.#needed.size - known)) return { end: "failed" };
    return findings.next && hexOf(findings.next);
  }

  /** The next reply; undefined when none came in time. */
  async #next(deadlineMs: number): Promise<Reply | undefined> {
    const { clock, wire, settings } = this.#scope.context;
    const askedAt = clock.monotonic();
    const lastAt = askedAt + Math.max(deadlineMs, settings.pageCapMs);
    for (let left = deadlineMs; !this.#reply && left > 0;) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        this.#timer.start(left, resolve);
      });
      this.#timer.stop();
      // The answer may wait behind history that is still coming.
      left = Math.min(Math.max(askedAt, wire.answeredAt) + deadlineMs, lastAt) - clock.monotonic();
    }
    const reply = this.#reply;
    this.#reply = undefined;
    return reply;
  }
}

function bytesOf(hex: string): Uint8Array | undefined {
  try {
    return Uint8Array.fromHex(hex);
  } catch {
    return undefined;
  }
}
