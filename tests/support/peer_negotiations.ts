import { createItemSet, hexOf, type ItemSet, respond, type Sliced } from "../../lib/negentropy/mod.ts";
import { parseFilter } from "../../lib/nostr/mod.ts";
import type { ClientMessage, Conversation } from "./scripted_peer.ts";

/** The negentropy sessions of one conversation (NIP-77), honest or not. */
export class PeerNegotiations {
  readonly #talk: Conversation;
  readonly #sets = new Map<string, ItemSet>();

  constructor(talk: Conversation) {
    this.#talk = talk;
  }

  get size(): number {
    return this.#sets.size;
  }

  /** NEG-OPEN, NEG-MSG and NEG-CLOSE. */
  handle(message: ClientMessage): void {
    const [type, id] = message as [string, string];
    const { negentropy } = this.#talk.peer.quirks;
    if (type === "NEG-CLOSE") return void this.#sets.delete(id);
    if (negentropy === "silent") return;
    if (negentropy === "notice") {
      return this.#talk.send(["NOTICE", `ERROR: bad msg: unknown cmd envelope label ${type}`]);
    }
    if (negentropy === "garbage") return this.#talk.send(["NEG-MSG", id, "61zz-not-hex"]);
    if (negentropy === "endless") return this.#talk.send(["NEG-MSG", id, neverEqual()]);
    if (negentropy) return this.#talk.send(["NEG-ERR", id, negentropy.error]);
    if (type === "NEG-OPEN") this.#open(id, message[2]);
    this.#respond(id, String(message.at(-1)));
  }

  #open(id: string, source: unknown): void {
    const filter = parseFilter(source);
    if (typeof filter === "string") return this.#talk.send(["NEG-ERR", id, `invalid: ${filter}`]);
    const { shelf, quirks } = this.#talk.peer;
    const items = shelf.items(filter);
    if (items.length > (quirks.maxNegotiated ?? Infinity)) {
      return this.#talk.send(["NEG-ERR", id, "blocked: this query is too big"]);
    }
    this.#sets.set(id, runNow(createItemSet(items)));
  }

  #respond(id: string, hex: string): void {
    const set = this.#sets.get(id);
    if (!set) return;
    const answer = runNow(respond(set, Uint8Array.fromHex(hex)));
    if ("malformed" in answer) this.#talk.send(["NEG-ERR", id, "invalid: malformed message"]);
    else this.#talk.send(["NEG-MSG", id, hexOf(answer)]);
  }
}

/** One range over everything with a fingerprint that cannot be right. */
function neverEqual(): string {
  return "61" + "0000" + "01" + crypto.getRandomValues(new Uint8Array(16)).toHex();
}

/** Drives sliced work to its end at once. */
export function runNow<T>(work: Sliced<T>): T {
  for (;;) {
    const step = work.next();
    if (step.done) return step.value;
  }
}
