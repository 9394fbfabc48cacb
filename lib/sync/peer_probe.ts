import { type Clock, nowSeconds } from "../world/mod.ts";
import type { LinkWire, WireSubscription } from "./link_wire.ts";
import { Timer } from "./timer.ts";

/** What {@link PeerProbe} needs of its link. */
export interface ProbeParts {
  readonly clock: Clock;
  readonly wire: LinkWire;
  /** Silence after which the peer is asked for a sign of life. */
  readonly idleMs: number;
  readonly answerMs: number;
  /** False while asking is forbidden, or an answer could not reach us. */
  mayAsk(): boolean;
  /** The peer is gone. */
  silent(): void;
}

/** A peer that never answers a REQ is not judged by probes; it may be silent for this long. */
const UNJUDGED_SILENCE_MS = 600_000;
const ANNOUNCEMENT_KIND = 30_617;

/**
 * Notices a connection that is dead although nobody closed it: client WebSockets have no ping here,
 * so a small REQ takes its place.
 */
export class PeerProbe {
  readonly #parts: ProbeParts;
  readonly #timer: Timer;
  #lastFrame: number;
  #lastProbe = -Infinity;
  /** The probe under way; `isStrict`: only its own answer counts. */
  #probe: { readonly id: string; readonly isStrict: boolean } | undefined;

  constructor(parts: ProbeParts) {
    this.#parts = parts;
    this.#timer = new Timer(parts.clock);
    this.#lastFrame = parts.clock.monotonic();
    this.#schedule();
  }

  /** A frame of the peer arrived, or could not have arrived up to here. */
  alive(): void {
    this.#lastFrame = this.#parts.clock.monotonic();
    if (this.#probe && !this.#probe.isStrict) this.#finish();
  }

  /**
   * A request got no answer. Frames alone prove nothing then: on a half-open connection they still
   * arrive while ours vanish, so the probe itself has to be answered.
   */
  suspect(): void {
    if (this.#probe || !this.#parts.mayAsk()) return;
    this.#timer.stop();
    this.#ask(true);
  }

  stop(): void {
    this.#timer.stop();
  }

  #schedule(): void {
    const { clock, idleMs } = this.#parts;
    const due = Math.max(this.#lastFrame, this.#lastProbe) + idleMs;
    this.#timer.start(due - clock.monotonic(), () => {
      if (Math.max(this.#lastFrame, this.#lastProbe) + idleMs > clock.monotonic()) this.#schedule();
      else if (!this.#parts.mayAsk()) {
        this.#lastProbe = clock.monotonic();
        this.#schedule();
      } else this.#ask(false);
    });
  }

  #ask(isStrict: boolean): void {
    const { clock, wire, answerMs } = this.#parts;
    const id = wire.nextId("ka");
    const finish = () => {
      if (this.#probe?.id === id) this.#finish();
    };
    const subscription: WireSubscription = {
      id,
      isHistoric: false,
      filters: [{ kinds: [ANNOUNCEMENT_KIND], since: nowSeconds(clock), limit: 1, tags: new Map() }],
      processed() {},
      arrived: finish,
      eose() {},
      closed() {},
    };
    this.#probe = { id, isStrict };
    this.#lastProbe = clock.monotonic();
    wire.open(subscription);
    this.#timer.start(answerMs, () => this.#unanswered());
  }

  #finish(): void {
    const probe = this.#probe;
    this.#probe = undefined;
    if (probe) this.#parts.wire.close(probe.id);
    this.#schedule();
  }

  #unanswered(): void {
    const { clock, wire, silent, answerMs } = this.#parts;
    const now = clock.monotonic();
    // The answer waits behind history that is still coming.
    const left = wire.answeredAt + answerMs - now;
    if (left > 0) return this.#timer.start(left, () => this.#unanswered());
    const silence = now - this.#lastFrame;
    if (wire.hasAnswered || silence >= UNJUDGED_SILENCE_MS) {
      this.#probe = undefined;
      return silent();
    }
    this.#finish();
  }
}
