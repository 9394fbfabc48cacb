import { encodeIdentifier } from "../nostr/mod.ts";

/**
 * The request path exactly as sent, query removed: Deno keeps dot segments and double slashes, so
 * handlers decide about them (GRASP-01 paths are validated segment by segment).
 */
export function rawPathOf(request: Request): string {
  const start = request.url.indexOf("/", request.url.indexOf("://") + 3);
  return start < 0 ? "/" : request.url.slice(start).split(/[?#]/, 1)[0]!;
}

/** Percent-decoded text; undefined when the escapes are malformed or not UTF-8. */
export function decodePath(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined; // the client's mistake, answered with 400
  }
}

/** The one path under which a repository's page is served. */
export function repositoryPath(npub: string, identifier: string): string {
  return `/${npub}/${encodeIdentifier(identifier)}.git`;
}
