import { finalizeEvent, generateSecretKey, getPublicKey } from "nostr-tools/pure";
import { encodeNpub, type NostrEvent } from "../../lib/nostr/mod.ts";

/** What a signer fills in by itself. */
export interface Draft {
  readonly kind: number;
  readonly tags?: readonly (readonly string[])[];
  readonly content?: string;
  /** Seconds; default: now. */
  readonly created_at?: number;
}

/** A user: a key pair that signs events. */
export interface Signer {
  readonly pubkey: string;
  readonly npub: string;
  sign(draft: Draft): NostrEvent;
}

/** A signer with a fresh random key. */
export function newSigner(secretKey: Uint8Array = generateSecretKey()): Signer {
  const pubkey = getPublicKey(secretKey);
  return {
    pubkey,
    npub: encodeNpub(pubkey),
    sign: ({ kind, tags = [], content = "", created_at = Math.floor(Date.now() / 1000) }) => {
      const { id, sig } = finalizeEvent(
        { kind, content, created_at, tags: tags.map((tag) => [...tag]) },
        secretKey,
      );
      return { id, pubkey, created_at, kind, tags, content, sig };
    },
  };
}

/** What an announcement says beyond its identifier. */
export interface AnnouncementOptions {
  /** `host[:port]` of the service, named in `clone` and `relays`. */
  readonly domain: string;
  readonly maintainers?: readonly string[];
  readonly created_at?: number;
  readonly extraTags?: readonly (readonly string[])[];
}

/** A signed announcement (kind 30617) that lists the service. */
export function announce(signer: Signer, identifier: string, options: AnnouncementOptions): NostrEvent {
  const { domain, maintainers = [], created_at, extraTags = [] } = options;
  return signer.sign({
    kind: 30617,
    tags: [
      ["d", identifier],
      ["name", identifier],
      ["clone", `http://${domain}/${signer.npub}/${encodeURIComponent(identifier)}.git`],
      ["relays", `ws://${domain}`],
      ...(maintainers.length > 0 ? [["maintainers", ...maintainers]] : []),
      ...extraTags,
    ],
    ...(created_at !== undefined && { created_at }),
  });
}

/** A signed state (kind 30618): full ref names to object ids, and the branch HEAD points to. */
export function declare(
  signer: Signer,
  identifier: string,
  refs: Readonly<Record<string, string>>,
  options: { readonly head?: string; readonly created_at?: number } = {},
): NostrEvent {
  return signer.sign({
    kind: 30618,
    tags: [
      ["d", identifier],
      ...Object.entries(refs).map(([name, oid]) => [name, oid]),
      ...(options.head ? [["HEAD", `ref: ${options.head}`]] : []),
    ],
    ...(options.created_at !== undefined && { created_at: options.created_at }),
  });
}
