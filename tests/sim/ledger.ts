import type { NostrEvent } from "../../lib/nostr/mod.ts";

/** What one server was told about an event: `unknown` when it died over the answer. */
export type Told = "accepted" | "refused" | "unknown";

/** One event and the servers it was sent to. */
export interface Sent {
  readonly event: NostrEvent;
  readonly told: Map<string, Told>;
  /** Virtual time of the first acceptance, ms since the start. */
  acceptedAt: number | undefined;
}

/** A push a server took, or may have taken. */
export interface Pushed {
  readonly host: string;
  readonly identifier: string;
  /** Tips; a client uploads their history with them. */
  readonly oids: readonly string[];
  /** False when the server died over it. */
  readonly acknowledged: boolean;
}

/** Everything users did, as far as servers answered: what the oracle starts from. */
export class Ledger {
  readonly events = new Map<string, Sent>();
  readonly pushes: Pushed[] = [];

  /** Notes a server's answer to an event. */
  noteEvent(event: NostrEvent, host: string, told: Told, now: number): void {
    const sent = this.events.get(event.id) ?? { event, told: new Map<string, Told>(), acceptedAt: undefined };
    this.events.set(event.id, sent);
    sent.told.set(host, told);
    if (told === "accepted") sent.acceptedAt ??= now;
  }

  /** Notes a push. */
  notePush(push: Pushed): void {
    this.pushes.push(push);
  }
}
