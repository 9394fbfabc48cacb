import { type NostrEvent, parseAnnouncement, parseState, type State } from "../../lib/nostr/mod.ts";
import { type CurationRules, type IdentifierView, type KnownAnnouncement } from "../../lib/policy/mod.ts";
import type { WaitingAnnouncement, WaitingState } from "../../lib/store/types.ts";

/** Readable stand-ins for public keys. */
export const KEYS = {
  alice: "a".repeat(64),
  bob: "b".repeat(64),
  carol: "c".repeat(64),
  dave: "d".repeat(64),
  mallory: "e".repeat(64),
} as const;
export type Name = keyof typeof KEYS;

export const DOMAIN = "git.example.com";
export const REPO = "repo";
/** Milliseconds. */
export const NOW = 1_800_000_000_000;

/** No lists, no archive. */
export const OPEN: CurationRules = {
  domain: DOMAIN,
  repositoryWhitelist: [],
  repositoryBlacklist: [],
  eventBlacklist: new Set(),
  archive: { all: false, whitelist: [], services: [], readOnly: false },
};

let counter = 0;

/** An unsigned event with a unique id; policy never looks at ids or signatures. */
export function event(
  author: Name,
  kind: number,
  tags: readonly (readonly string[])[],
  at = 1000,
): NostrEvent {
  const id = (++counter).toString(16).padStart(64, "0");
  return { id, pubkey: KEYS[author], created_at: at, kind, tags, content: "", sig: "0".repeat(128) };
}

export interface AnnouncementSpec {
  readonly maintainers?: readonly Name[];
  readonly at?: number;
  readonly domain?: string;
  readonly identifier?: string;
}

export function announcementEvent(owner: Name, spec: AnnouncementSpec = {}): NostrEvent {
  const { maintainers = [], at = 1000, domain = DOMAIN, identifier = REPO } = spec;
  return event(owner, 30617, [
    ["d", identifier],
    ["clone", `https://${domain}/x/${identifier}.git`],
    ["relays", `wss://${domain}`],
    ["maintainers", ...maintainers.map((name) => KEYS[name])],
  ], at);
}

export function stateEvent(
  author: Name,
  refs: Readonly<Record<string, string>>,
  at = 2000,
  head?: string,
): NostrEvent {
  const tags = Object.entries(refs).map(([name, oid]) => [name, oid]);
  return event(author, 30618, [["d", REPO], ...tags, ...(head ? [["HEAD", head]] : [])], at);
}

export function parsedState(source: NostrEvent): State {
  const parsed = parseState(source);
  if (!parsed.ok) throw new Error(parsed.text);
  return parsed.state;
}

export function parsedAnnouncement(source: NostrEvent) {
  const parsed = parseAnnouncement(source);
  if (!parsed.ok) throw new Error(parsed.text);
  return parsed.announcement;
}

export function waitingRow(
  source: NostrEvent,
  overrides: Partial<WaitingAnnouncement> = {},
): WaitingAnnouncement {
  return {
    event: source,
    owner: source.pubkey,
    identifier: REPO,
    phase: "active",
    source: "direct",
    firstEnteredAt: NOW,
    enteredAt: NOW,
    deadlineAt: NOW + 1_800_000,
    ...overrides,
  };
}

export function stateRow(source: NostrEvent, overrides: Partial<WaitingState> = {}): WaitingState {
  return {
    event: source,
    author: source.pubkey,
    identifier: REPO,
    source: "direct",
    firstEnteredAt: NOW,
    enteredAt: NOW,
    deadlineAt: NOW + 1_800_000,
    ...overrides,
  };
}

/** Served announcement with a repository here. */
export function served(source: NostrEvent): KnownAnnouncement {
  return { announcement: parsedAnnouncement(source), hosted: true, waiting: undefined };
}

/** Served by the maintainer exception: no repository here. */
export function elsewhere(source: NostrEvent): KnownAnnouncement {
  return { announcement: parsedAnnouncement(source), hosted: false, waiting: undefined };
}

export function waiting(source: NostrEvent, overrides: Partial<WaitingAnnouncement> = {}): KnownAnnouncement {
  return { announcement: parsedAnnouncement(source), hosted: true, waiting: waitingRow(source, overrides) };
}

export function view(parts: {
  announcements?: readonly KnownAnnouncement[];
  stored?: readonly NostrEvent[];
  waitingStates?: readonly WaitingState[];
  waitingPullRequests?: IdentifierView["waitingPullRequests"];
}): IdentifierView {
  return {
    identifier: REPO,
    announcements: parts.announcements ?? [],
    storedStates: (parts.stored ?? []).map(parsedState),
    waitingStates: (parts.waitingStates ?? []).map((row) => ({ state: parsedState(row.event), row })),
    waitingPullRequests: parts.waitingPullRequests ?? [],
    placeholders: [],
  };
}

/** A readable object id: forty times the digit. */
export function oid(digit: string): string {
  return digit.repeat(40);
}
