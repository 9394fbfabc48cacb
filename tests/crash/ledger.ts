import type { NostrEvent } from "../../lib/nostr/mod.ts";
import { newSigner, type Signer } from "../support/keys.ts";

/**
 * What the server has promised about an event: nothing (no answer arrived), that it waits for git
 * data, or that it is served.
 */
export type Promised = "nothing" | "held" | "served";

/** An event that was sent, and what the answer meant. */
export interface Sent {
  readonly event: NostrEvent;
  promised: Promised;
}

/** A state that was sent; `refs` are indexes into the commits of the source. */
export interface SentState extends Sent {
  readonly refs: Readonly<Record<string, number>>;
  readonly head: string;
}

/** An event to send. */
export interface EventAction {
  readonly type: "event";
  readonly sent: Sent;
  /** What an undisturbed server has to answer. */
  readonly expected: "held" | "served";
}

/** What a client does next; kept until its answer arrived, so that it is repeated after a crash. */
export type Action = EventAction | { readonly type: "push"; readonly state: SentState };

/** One repository and everything that was ever sent about it, oldest first. */
export class Project {
  readonly owner: Signer = newSigner();
  readonly identifier: string;
  readonly announcements: Sent[] = [];
  readonly states: SentState[] = [];
  readonly related: Sent[] = [];
  /** The action without an answer so far. */
  pending: Action | undefined;
  /** Something was sent since the last look at the server's disk. */
  touched = false;
  /** Highest commit any state named; all commits up to it are in the repository once that is pushed. */
  newestCommit = -1;
  /** Actions done since the first push. */
  age = 0;
  #time = Math.floor(Date.now() / 1000) - 100_000;

  constructor(identifier: string) {
    this.identifier = identifier;
  }

  /** The next `created_at`: every version is newer than the one before. */
  tick(): number {
    return this.#time++;
  }

  /** Keeps what an `OK true` with this text promised. Returns what is wrong with the text, if anything. */
  acknowledge(sent: Sent, message: string): string | undefined {
    if (message === "" || message.startsWith("duplicate: already have")) this.#serve(sent);
    else if (message.startsWith("purgatory:") || message.startsWith("duplicate: in purgatory")) {
      if (sent.promised === "served") return `served before, now "${message}"`;
      sent.promised = "held";
    } else return `unexpected "${message}"`;
    return undefined;
  }

  /** A push of `state` was reported ok: it is served, and so is the announcement that waited. */
  pushed(state: SentState): void {
    this.#serve(state);
    const announcement = this.announcements.findLast(({ promised }) => promised !== "nothing");
    if (announcement) announcement.promised = "served";
  }

  #serve(sent: Sent): void {
    sent.promised = "served";
  }
}

/** Index of the newest version that must be served or be replaced by a newer one; -1 when none must. */
export function floorOf(versions: readonly Sent[]): number {
  return versions.findLastIndex(({ promised }) => promised === "served");
}
