import type { NostrEvent } from "../../lib/nostr/mod.ts";
import type { User } from "./user.ts";

/** One repository as its people see it: who writes, where it is hosted, what was published so far. */
export interface Project {
  readonly identifier: string;
  readonly owner: User;
  /** Those who announce it (the owner first), with the hosts each of them lists. */
  readonly announcers: { readonly user: User; hosts: readonly string[]; maintainers: readonly User[] }[];
  /** Those who publish states. */
  readonly committers: readonly User[];
  readonly branches: Map<string, string>;
  readonly issues: NostrEvent[];
  readonly pullRequests: NostrEvent[];
  readonly comments: NostrEvent[];
  deleted: boolean;
}

/** The coordinate of the owner's announcement. */
export function coordinateOf({ owner, identifier }: Project): string {
  return `30617:${owner.pubkey}:${identifier}`;
}

/** Hosts somebody lists for the project. */
export function hostsOf({ announcers }: Project): readonly string[] {
  return [...new Set(announcers.flatMap(({ hosts }) => hosts))];
}

/** Tags of an announcement that lists `hosts`. */
export function announcementTags(
  identifier: string,
  npub: string,
  hosts: readonly string[],
  maintainers: readonly User[],
): string[][] {
  return [
    ["d", identifier],
    ["clone", ...hosts.map((host) => `https://${host}/${npub}/${identifier}.git`)],
    ["relays", ...hosts.map((host) => `wss://${host}`)],
    ...(maintainers.length > 0 ? [["maintainers", ...maintainers.map(({ pubkey }) => pubkey)]] : []),
  ];
}
