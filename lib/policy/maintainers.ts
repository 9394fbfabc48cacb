import type { Announcement } from "../nostr/mod.ts";
import { type IdentifierView, newestByAuthor } from "./view.ts";

/** Most keys in one maintainer set; the rest of a larger one is ignored. */
export const MAX_MAINTAINERS = 1_000;

/**
 * The recursive maintainer set of `owner` (GRASP-01): the owner, everyone its announcement lists,
 * and everyone those keys' own announcements for the identifier list. Delegation is directional and
 * cycles end at the first repeat. A listed key is a member even without an announcement.
 */
export function maintainerSet(owner: string, newest: ReadonlyMap<string, Announcement>): ReadonlySet<string> {
  const members = new Set<string>([owner]);
  for (const member of members) {
    for (const maintainer of newest.get(member)?.maintainers ?? []) {
      if (members.size >= MAX_MAINTAINERS) return members;
      members.add(maintainer);
    }
  }
  return members;
}

/** Who may speak for whom, for one identifier: the maintainer set of every owner with an announcement. */
export class Authority {
  readonly #sets = new Map<string, ReadonlySet<string>>();

  constructor(view: IdentifierView) {
    const newest = newestByAuthor(view);
    for (const owner of newest.keys()) this.#sets.set(owner, maintainerSet(owner, newest));
  }

  /** The maintainer set of `owner`; undefined when the owner has no announcement. */
  of(owner: string): ReadonlySet<string> | undefined {
    return this.#sets.get(owner);
  }

  /** Owners whose maintainer set contains `author`. */
  ownersTrusting(author: string): readonly string[] {
    return [...this.#sets].filter(([, members]) => members.has(author)).map(([owner]) => owner);
  }
}
