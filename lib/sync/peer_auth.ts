import { finalizeEvent } from "nostr-tools/pure";
import type { Logger } from "../observe/mod.ts";
import { type Clock, nowSeconds } from "../world/mod.ts";
import { Timer } from "./timer.ts";

/** What {@link PeerAuth} needs of its link. */
export interface AuthParts {
  readonly clock: Clock;
  readonly log: Logger;
  /** The URL that was dialled, normalised. */
  readonly url: string;
  readonly secretKey: Uint8Array;
  send(text: string): void;
  /** Whether REQs have to wait may have changed. */
  changed(): void;
}

const KIND_CLIENT_AUTH = 22_242;
const MAX_ATTEMPTS = 3;
/** How long a peer that demands AUTH may take to send its challenge. */
const CHALLENGE_WAIT_MS = 3_000;
const ANSWER_WAIT_MS = 10_000;

type AuthState = "none" | "expected" | "pending" | "accepted" | "refused";

/**
 * Proves who we are to one peer (NIP-42). A refusal is not the end of the link: what is public may
 * still be served.
 */
export class PeerAuth {
  readonly #parts: AuthParts;
  readonly #timer: Timer;
  #state: AuthState = "none";
  #isDemanded = false;
  #attempts = 0;
  #challenge = "";
  #answerId = "";
  #waiting: ((isAccepted: boolean) => void)[] = [];

  constructor(parts: AuthParts) {
    this.#parts = parts;
    this.#timer = new Timer(parts.clock);
  }

  /** True while a peer that demands AUTH has yet to answer, or to send its challenge. */
  get mustWait(): boolean {
    return this.#state === "expected" || (this.#isDemanded && this.#state === "pending");
  }

  /** The peer refuses whoever is not authenticated: waits for its challenge for a moment. */
  demanded(): void {
    this.#isDemanded = true;
    if (this.#state === "none") {
      this.#state = "expected";
      this.#timer.start(CHALLENGE_WAIT_MS, () => this.#settle("none"));
    }
    this.#parts.changed();
  }

  /** Resolves to whether a REQ that was refused for lack of AUTH is worth sending again. */
  authenticated(): Promise<boolean> {
    this.demanded();
    if (this.#state === "accepted" || this.#state === "refused") {
      return Promise.resolve(this.#state === "accepted");
    }
    return new Promise((resolve) => void this.#waiting.push(resolve));
  }

  /** Answers a challenge; a repeated one, or one too many, is ignored. */
  challenge(challenge: string): void {
    const { clock, url, secretKey, send, changed } = this.#parts;
    if (challenge === this.#challenge || this.#attempts >= MAX_ATTEMPTS) return;
    this.#attempts++;
    this.#challenge = challenge;
    const event = finalizeEvent({
      kind: KIND_CLIENT_AUTH,
      created_at: nowSeconds(clock),
      tags: [["relay", url], ["challenge", challenge]],
      content: "",
    }, secretKey);
    this.#answerId = event.id;
    this.#state = "pending";
    this.#timer.start(ANSWER_WAIT_MS, () => this.#refused("no answer"));
    const { id, pubkey, created_at, kind, tags, content, sig } = event;
    send(JSON.stringify(["AUTH", { id, pubkey, created_at, kind, tags, content, sig }]));
    changed();
  }

  /** Takes an `OK`; those of other events are ignored. */
  answered(id: string, isAccepted: boolean, text: string): void {
    if (id !== this.#answerId || this.#state !== "pending") return;
    if (isAccepted) this.#settle("accepted");
    else this.#refused(text);
  }

  /** Ends all waiting. */
  stop(): void {
    this.#timer.stop();
    for (const resolve of this.#waiting.splice(0)) resolve(false);
  }

  #refused(text: string): void {
    const { log, url } = this.#parts;
    log.warn("peer refused to authenticate us: going on with what it serves to everybody", {
      relay: url,
      reason: text.slice(0, 120),
      attempt: this.#attempts,
    });
    this.#settle("refused");
  }

  #settle(state: "accepted" | "refused" | "none"): void {
    this.#timer.stop();
    this.#state = state;
    for (const resolve of this.#waiting.splice(0)) resolve(state === "accepted");
    this.#parts.changed();
  }
}
