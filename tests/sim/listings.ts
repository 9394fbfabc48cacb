import {
  type Announcement,
  compareNewestFirst,
  KIND,
  type NostrEvent,
  parseAnnouncement,
} from "../../lib/nostr/mod.ts";
import { tagValues } from "./oracle_view.ts";

/**
 * Which hosts an announcement counts for. Servers follow each other because of the repositories they share,
 * and how long they did so before a repository was deleted or left a server depends on time: `least` counts
 * a host only where it stays listed for good and nothing is deleted, `lasting` where it stays listed, and `most`
 * wherever it was listed once. `written` goes by the version at hand.
 */
export type Bound = "least" | "lasting" | "written" | "most";

/** All versions of all announcements anybody published. */
export class Listings {
  readonly #versions = new Map<string, Announcement[]>();
  readonly #deletedNames: ReadonlySet<string>;

  constructor(events: Iterable<NostrEvent>) {
    const deleted = new Set<string>();
    for (const event of events) {
      const parsed = event.kind === KIND.announcement ? parseAnnouncement(event) : undefined;
      if (parsed?.ok) {
        const key = keyOf(parsed.announcement);
        this.#versions.set(key, [...this.#versions.get(key) ?? [], parsed.announcement]);
      }
      if (event.kind !== KIND.deletion) continue;
      for (const name of tagValues(event, "a")) deleted.add(name.split(":").slice(2).join(":"));
    }
    this.#deletedNames = deleted;
  }

  /** Hosts that count for this version of an announcement. */
  hosts(announcement: Announcement, bound: Bound): ReadonlySet<string> {
    const named = hostsIn(announcement);
    if (bound === "written") return named;
    const versions = this.#versions.get(keyOf(announcement)) ?? [announcement];
    if (bound === "most") return new Set(versions.flatMap((version) => [...hostsIn(version)]));
    if (bound === "least" && this.#deletedNames.has(announcement.identifier)) return new Set();
    const later = versions.filter(({ event }) => compareNewestFirst(event, announcement.event) < 0);
    return later.reduce((hosts, version) => hosts.intersection(hostsIn(version)), named);
  }

  /**
   * True when this version lists the host and a later one does not: whoever hears of the later one drops this
   * one, and keeps neither where nobody vouches for its author yet.
   */
  leaves(announcement: Announcement, host: string): boolean {
    return this.hosts(announcement, "written").has(host) && !this.hosts(announcement, "lasting").has(host);
  }

  /** True when a repository of that name was deleted, or left this host. */
  isUnsettled(identifier: string, host: string): boolean {
    if (this.#deletedNames.has(identifier)) return true;
    return [...this.#versions].some(([key, versions]) => {
      if (!key.endsWith(`:${identifier}`)) return false;
      const listed = versions.toSorted((a, b) => compareNewestFirst(b.event, a.event))
        .map((version) => hostsIn(version).has(host));
      return listed.includes(false, listed.indexOf(true) + 1) && listed.includes(true);
    });
  }
}

/** Hosts a version lists, as clone URL and as relay. */
function hostsIn({ cloneUrls, relayUrls }: Announcement): ReadonlySet<string> {
  const relays = new Set(relayUrls.map((url) => new URL(url).host));
  return new Set(cloneUrls.map((url) => new URL(url).host)).intersection(relays);
}

function keyOf({ owner, identifier }: Announcement): string {
  return `${owner}:${identifier}`;
}
