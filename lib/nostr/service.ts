/** Default port per scheme; a port equal to it is dropped when comparing authorities. */
const DEFAULT_PORTS: Readonly<Record<string, string>> = { http: "80", ws: "80", https: "443", wss: "443" };

/**
 * The `host[:port]` a URL from an event names, normalised for comparison: user info dropped, host
 * lower-cased and in ASCII, default port and trailing dot removed. Undefined when it is not a URL
 * of an accepted scheme. A value without `://` is read as `<authority>[/path]`.
 */
export function authorityOf(value: string, schemes: readonly string[]): string | undefined {
  const text = value.trim();
  const scheme = /^([a-zA-Z][a-zA-Z0-9+.-]*):\/\//.exec(text)?.[1]?.toLowerCase();
  if (scheme !== undefined && !schemes.includes(scheme)) return undefined;
  const rest = scheme === undefined ? text : text.slice(scheme.length + 3);
  return normaliseAuthority(rest, scheme);
}

/**
 * Normalises the authority at the head of `text`. Without a scheme both default ports (80 and 443)
 * are dropped, because the domain option is written without one.
 */
function normaliseAuthority(text: string, scheme: string | undefined): string | undefined {
  const authority = text.split(/[/?#]/, 1)[0]!;
  const hostAndPort = authority.slice(authority.lastIndexOf("@") + 1);
  if (hostAndPort === "" || /[\s\\]/.test(hostAndPort)) return undefined;
  let url: URL;
  try {
    // A non-special scheme would skip IDNA and case folding; ftp keeps ports 80 and 443 visible.
    url = new URL(`ftp://${hostAndPort}/`);
  } catch {
    return undefined;
  }
  const host = url.hostname.replace(/\.$/, "");
  if (host === "") return undefined;
  const explicitPort = /:(\d+)$/.exec(hostAndPort)?.[1];
  const port = explicitPort === undefined ? "" : String(Number(explicitPort));
  const isDefault = scheme === undefined ? port === "80" || port === "443" : port === DEFAULT_PORTS[scheme];
  return port === "" || isDefault ? host : `${host}:${port}`;
}

/** Schemes under which a `clone` value may name this service. */
const CLONE_SCHEMES = ["http", "https"] as const;
/** Schemes under which a `relays` value may name this service. */
const RELAY_SCHEMES = ["ws", "wss", "http", "https"] as const;

/** The configured domain in the form {@link listsService} compares with. */
export function normaliseDomain(domain: string): string | undefined {
  return normaliseAuthority(domain.trim().replace(/\/+$/, ""), undefined);
}

/** True when some clone URL names `domain` (normalised): GRASP-01, own-domain matching. */
export function namesInClone(cloneUrls: readonly string[], domain: string): boolean {
  return cloneUrls.some((url) => authorityOf(url, CLONE_SCHEMES) === domain);
}

/** True when some relay URL names `domain` (normalised). */
export function namesInRelays(relayUrls: readonly string[], domain: string): boolean {
  return relayUrls.some((url) => authorityOf(url, RELAY_SCHEMES) === domain);
}

/** GRASP-01: an announcement lists the service when both `clone` and `relays` name it. */
export function listsService(
  announcement: { readonly cloneUrls: readonly string[]; readonly relayUrls: readonly string[] },
  domain: string,
): boolean {
  return namesInClone(announcement.cloneUrls, domain) && namesInRelays(announcement.relayUrls, domain);
}
