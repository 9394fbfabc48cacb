import { identifierProblem, parsePubkey } from "../nostr/mod.ts";

/**
 * One entry of a whitelist or blacklist, with the text it was written as: all repositories (or
 * events) of a key, one repository, or an identifier of any owner.
 */
export type CurationEntry =
  | { readonly kind: "owner"; readonly pubkey: string; readonly text: string }
  | {
    readonly kind: "repository";
    readonly pubkey: string;
    readonly identifier: string;
    readonly text: string;
  }
  | { readonly kind: "identifier"; readonly identifier: string; readonly text: string };

/** An entry that stands for all events of one author. */
export type AuthorEntry = Extract<CurationEntry, { kind: "owner" }>;

/** A parsed entry, or the sentence that says what is wrong with it. */
export type ParsedEntry<T> = { readonly ok: true; readonly value: T } | {
  readonly ok: false;
  readonly problem: string;
};

/**
 * Reads `npub1…`, `npub1…/identifier` or `identifier`; 64 hex digits stand for an npub and the
 * identifier may be percent-encoded. `list` is the word used in messages.
 */
export function parseRepositoryEntry(
  text: string,
  list: "whitelist" | "blacklist",
): ParsedEntry<CurationEntry> {
  const wrong = (problem: string): ParsedEntry<CurationEntry> => ({ ok: false, problem });
  const parts = text.split("/");
  if (parts.length > 2) return wrong(`Invalid ${list} entry format '${text}'. Expected 'npub/identifier'`);
  const [first = "", second] = parts;
  const pubkey = parsePubkey(first);
  if (second === undefined) {
    if (pubkey !== undefined) return { ok: true, value: { kind: "owner", pubkey, text } };
    // A mistyped key must not become an identifier that matches nothing.
    if (/^(npub|nsec|nprofile)1/i.test(first)) return wrong(`Invalid npub in ${list} entry '${text}'`);
    const identifier = decodeIdentifier(first);
    return identifier === undefined
      ? wrong(`Invalid ${list} entry format '${text}'. Expected 'npub/identifier'`)
      : { ok: true, value: { kind: "identifier", identifier, text } };
  }
  if (pubkey === undefined) {
    const isNpub = /^npub1/i.test(first);
    return wrong(
      isNpub
        ? `Invalid npub in ${list} entry '${text}'`
        : `Invalid ${list} entry '${text}'. First part must be npub`,
    );
  }
  const identifier = decodeIdentifier(second);
  return identifier === undefined
    ? wrong(`Invalid ${list} entry format '${text}'. Expected 'npub/identifier'`)
    : { ok: true, value: { kind: "repository", pubkey, identifier, text } };
}

/** Reads an npub or 64 hex digits as the author whose events are refused. */
export function parseAuthorEntry(text: string): ParsedEntry<AuthorEntry> {
  const pubkey = parsePubkey(text);
  return pubkey === undefined
    ? { ok: false, problem: `Invalid event blacklist entry '${text}'. Expected an npub or 64 hex digits` }
    : { ok: true, value: { kind: "owner", pubkey, text } };
}

function decodeIdentifier(text: string): string | undefined {
  try {
    const identifier = decodeURIComponent(text);
    return identifierProblem(identifier) === undefined ? identifier : undefined;
  } catch {
    return undefined; // a lone % is a typo of the operator, reported by the caller
  }
}
