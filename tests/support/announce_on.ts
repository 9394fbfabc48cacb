import type { NostrEvent } from "../../lib/nostr/mod.ts";
import type { Signer } from "./keys.ts";

/** A signed announcement (kind 30617) that lists several services, `host[:port]` each. */
export function announceOn(
  signer: Signer,
  identifier: string,
  domains: readonly string[],
  options: {
    readonly maintainers?: readonly string[];
    /** Clone URLs elsewhere, beside those on the services. */
    readonly cloneUrls?: readonly string[];
    readonly created_at?: number;
    readonly extraTags?: readonly (readonly string[])[];
  } = {},
): NostrEvent {
  const { maintainers = [], cloneUrls = [], created_at, extraTags = [] } = options;
  const path = `${signer.npub}/${encodeURIComponent(identifier)}.git`;
  return signer.sign({
    kind: 30617,
    tags: [
      ["d", identifier],
      ["name", identifier],
      ["clone", ...domains.map((domain) => `http://${domain}/${path}`), ...cloneUrls],
      ["relays", ...domains.map((domain) => `ws://${domain}`)],
      ...(maintainers.length > 0 ? [["maintainers", ...maintainers]] : []),
      ...extraTags,
    ],
    ...(created_at !== undefined && { created_at }),
  });
}
