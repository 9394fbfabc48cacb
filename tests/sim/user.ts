import { createHash } from "node:crypto";
import { encodeNpub, eventHash, type NostrEvent } from "../../lib/nostr/mod.ts";
import type { Dice } from "./dice.ts";

/** What a user writes; time in seconds. */
export interface Draft {
  readonly kind: number;
  readonly created_at: number;
  readonly tags: readonly (readonly string[])[];
  readonly content?: string;
}

/** Somebody who signs events: real ids, and a mark in place of a signature. */
export class User {
  readonly pubkey: string;
  readonly npub: string;

  constructor(dice: Dice) {
    this.pubkey = dice.hex(64);
    this.npub = encodeNpub(this.pubkey);
  }

  /** A finished event. */
  sign({ kind, created_at, tags, content = "" }: Draft): NostrEvent {
    const unsigned = { pubkey: this.pubkey, created_at, kind, tags, content };
    const id = eventHash(unsigned);
    return { id, ...unsigned, sig: markOf(id, this.pubkey) };
  }
}

/** Takes the marks of {@link User}: schnorr would take most of the time of a run. */
export const markVerifier = {
  verify: ({ id, pubkey, sig }: NostrEvent): Promise<boolean> => Promise.resolve(sig === markOf(id, pubkey)),
};

function markOf(id: string, pubkey: string): string {
  const half = createHash("sha256").update(`${id}${pubkey}`).digest("hex");
  return half + half;
}
