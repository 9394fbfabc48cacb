import { encodeNpub, eventHash, KIND, type NostrEvent } from "../../lib/nostr/mod.ts";
import type { SignatureVerifier } from "../../lib/intake/ports.ts";
import type { Draft } from "./keys.ts";

/** The service the relay under test is known as. */
export const DOMAIN = "git.example.com";
/** Its own URL as announcements name it. */
export const OWN_URL = `wss://${DOMAIN}`;

const MARK = "0".repeat(128);

/** Takes the mark of {@link Author} for a signature: stories of thousands of events stay fast. */
export const markVerifier: SignatureVerifier = {
  verify: (event) => Promise.resolve(event.sig === MARK),
};

let authors = 0;

/** A user whose signature is a mark; ids are true hashes. */
export class Author {
  readonly pubkey: string;

  constructor(pubkey = (0xa000 + ++authors).toString(16).padStart(64, "0")) {
    this.pubkey = pubkey;
  }

  get npub(): string {
    return encodeNpub(this.pubkey);
  }

  sign({ kind, tags = [], content = "", created_at = 1_800_000_000 }: Draft): NostrEvent {
    const fields = { pubkey: this.pubkey, kind, tags, content, created_at };
    return { ...fields, id: eventHash(fields), sig: MARK };
  }
}

/** What an announcement says beyond owner and identifier. */
export interface AnnouncementDraft {
  /** Relays beside our own service. */
  readonly relays?: readonly string[];
  readonly created_at?: number;
  readonly maintainers?: readonly string[];
  /** False: it does not list our service. */
  readonly listsUs?: boolean;
  readonly extraTags?: readonly (readonly string[])[];
}

/** An announcement (kind 30617). */
export function announcement(owner: Author, identifier: string, draft: AnnouncementDraft = {}): NostrEvent {
  const { relays = [], created_at = 1_799_000_000, maintainers = [], listsUs = true, extraTags = [] } = draft;
  const clone = `/${owner.npub}/${encodeURIComponent(identifier)}.git`;
  return owner.sign({
    kind: KIND.announcement,
    created_at,
    tags: [
      ["d", identifier],
      ["clone", listsUs ? `https://${DOMAIN}${clone}` : `https://elsewhere.example${clone}`],
      ["relays", ...(listsUs ? [OWN_URL] : []), ...relays],
      ...(maintainers.length > 0 ? [["maintainers", ...maintainers]] : []),
      ...extraTags,
    ],
  });
}

/** `30617:<owner>:<identifier>`. */
export function addressOf({ pubkey }: Pick<Author, "pubkey">, identifier: string): string {
  return `${KIND.announcement}:${pubkey}:${identifier}`;
}

/** A state (kind 30618). */
export function state(
  author: Author,
  identifier: string,
  refs: Readonly<Record<string, string>>,
  created_at = 1_799_500_000,
): NostrEvent {
  return author.sign({ kind: KIND.state, created_at, tags: [["d", identifier], ...Object.entries(refs)] });
}

let issues = 0;

/** An issue (kind 1621) of a repository. */
export function issue(author: Author, address: string, created_at = 1_799_900_000): NostrEvent {
  return author.sign({ kind: 1621, created_at, tags: [["a", address]], content: `issue ${++issues}` });
}

/** A comment (kind 1111) on a root event. */
export function comment(author: Author, root: NostrEvent, created_at = 1_799_900_001): NostrEvent {
  return author.sign({ kind: 1111, created_at, tags: [["E", root.id]], content: `comment ${++issues}` });
}

/** Many issues, one second apart, the last at `until`. */
export function manyIssues(
  author: Author,
  address: string,
  count: number,
  until = 1_799_900_000,
): NostrEvent[] {
  return Array.from({ length: count }, (_, index) => issue(author, address, until - count + 1 + index));
}
