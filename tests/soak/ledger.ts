import type { NostrEvent } from "../../lib/nostr/mod.ts";
import type { Signer } from "../support/keys.ts";
import type { Node } from "./node.ts";

/** A state and what it declares. */
export interface Declared {
  readonly event: NostrEvent;
  readonly refs: Readonly<Record<string, string>>;
  /** The branch HEAD points to. */
  readonly head: string;
}

/** An issue, comment, patch or pull request. */
export interface Related {
  readonly event: NostrEvent;
  /** Pull requests: the commit that `refs/nostr/<id>` has to carry. */
  readonly commit?: string;
  /** A comment refers to it: it is not deleted, because what becomes of the comment depends on the order. */
  answered: boolean;
}

/** One repository and what its servers have acknowledged about it. */
export class Project {
  announcement: NostrEvent | undefined;
  state: Declared | undefined;
  readonly related: Related[] = [];
  readonly deletedIds = new Set<string>();
  /** The owner's request to delete the repository. */
  deleted: NostrEvent | undefined;
  /** Index of the newest commit any state named. */
  newestCommit = -1;
  /** Actions done. */
  age = 0;
  #lastTime = 0;

  constructor(readonly owner: Signer, readonly identifier: string, readonly members: readonly Node[]) {}

  get coordinate(): string {
    return `30617:${this.owner.pubkey}:${this.identifier}`;
  }

  /** The next `created_at`: the present, but newer than anything before. */
  tick(): number {
    return this.#lastTime = Math.max(this.#lastTime + 1, Math.floor(Date.now() / 1000));
  }

  /** Path of the repository below a server or a git data directory. */
  get path(): string {
    return `${this.owner.npub}/${this.identifier}.git`;
  }

  /** Ids of the events every member has to serve when nothing disturbs any more. */
  servedIds(): string[] {
    // What nobody pushed to waits in purgatory.
    if (this.deleted || !this.state) return [];
    const related = this.related.filter(({ event }) => !this.deletedIds.has(event.id));
    const events = [this.announcement!, this.state.event, ...related.map(({ event }) => event)];
    return events.map(({ id }) => id);
  }

  /** Ids of events that may be served or not: what a deleted repository leaves behind depends on the order. */
  undecidedIds(): string[] {
    return this.deleted ? this.related.map(({ event }) => event.id) : [];
  }

  /** What `git ls-remote` has to list; undefined when the repository must not be there. */
  refs(): Record<string, string> | undefined {
    if (this.deleted || !this.announcement) return undefined;
    if (!this.state) return {};
    const { refs, head } = this.state;
    const requests = this.related.flatMap(({ event, commit }) =>
      commit && !this.deletedIds.has(event.id) ? [[`refs/nostr/${event.id}`, commit]] : []
    );
    return { HEAD: refs[head]!, ...refs, ...Object.fromEntries(requests) };
  }
}

/** What has been acknowledged, in numbers. */
export interface Tally {
  events: number;
  pushes: number;
  /** Answers that did not come or were refusals; every one was tried again. */
  retries: number;
}
