import {
  type Announcement,
  authorityOf,
  decodeNpub,
  identifierProblem,
  normaliseDomain,
} from "../nostr/mod.ts";
import { bareHost } from "./address_guard.ts";
import { hasOddNumericHost } from "./raw_host.ts";

/** Longest relay URL in characters. */
const MAX_RELAY_URL = 512;
/** Longest clone URL in characters. */
const MAX_CLONE_URL = 2048;
/** Relays followed per announcement. */
const MAX_RELAYS = 20;

const SCHEME = /^([a-z][a-z0-9+.-]*):\/\//i;
const WEB_SOCKET_SCHEME: Readonly<Record<string, string>> = {
  ws: "ws:",
  wss: "wss:",
  http: "ws:",
  https: "wss:",
};

/**
 * The one spelling of a relay URL, used as its key everywhere: scheme `ws` or `wss` (`wss` when none is
 * written, `http(s)` mapped), host in lower-case ASCII, no default port, no trailing dot, fragment or
 * slash. Undefined for other schemes, user info, over 512 characters and what is no URL.
 */
export function normaliseRelayUrl(text: string): string | undefined {
  const clean = text.replace(/\p{Cc}/gu, "").trim();
  if (clean === "" || clean.length > MAX_RELAY_URL) return undefined;
  const scheme = SCHEME.exec(clean)?.[1]?.toLowerCase();
  // "//host" and "wss:/host" would parse, as something nobody wrote.
  if (scheme === undefined && /^(?:\/|[a-z][a-z0-9+.-]*:\/)/i.test(clean)) return undefined;
  const protocol = WEB_SOCKET_SCHEME[scheme ?? "wss"];
  if (protocol === undefined) return undefined;
  const rest = scheme === undefined ? clean : clean.slice(scheme.length + 3);
  const url = parseStrictly(`${protocol}//${rest}`);
  if (!url) return undefined;
  const normalised = `${protocol}//${authority(url)}${url.pathname.replace(/\/+$/, "")}${url.search}`;
  return normalised.length > MAX_RELAY_URL ? undefined : normalised;
}

/** Result of {@link normaliseCloneUrl}: `scheme` is one git over HTTP does not speak, `shape` anything else. */
export type CloneUrl =
  | { readonly ok: true; readonly url: string }
  | { readonly ok: false; readonly reason: "scheme" | "shape" };

/**
 * The one spelling of a clone URL: `http` or `https`, at most 2 048 characters, without user info,
 * control characters, fragment, default port and trailing slashes.
 */
export function normaliseCloneUrl(text: string): CloneUrl {
  const clean = text.trim();
  if (clean === "" || clean.length > MAX_CLONE_URL || /\p{Cc}/u.test(clean)) return SHAPE;
  if (!/^https?:\/\//i.test(clean)) return { ok: false, reason: "scheme" };
  const url = parseStrictly(clean);
  if (!url) return SHAPE;
  const normalised = `${url.protocol}//${authority(url)}${url.pathname.replace(/\/+$/, "")}${url.search}`;
  return normalised.length > MAX_CLONE_URL ? SHAPE : { ok: true, url: normalised };
}

const SHAPE: CloneUrl = { ok: false, reason: "shape" };

/** True for a URL whose path is `/<npub>/<identifier>.git` (GRASP-01): its host is a relay as well. */
export function isGraspShaped(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const [, npub, name] = /^\/([^/]+)\/([^/]+)\.git\/*$/.exec(new URL(url).pathname) ?? [];
  if (npub === undefined || name === undefined || decodeNpub(npub) === undefined) return false;
  try {
    return identifierProblem(decodeURIComponent(name)) === undefined;
  } catch {
    return false; // stray percent signs
  }
}

/**
 * The relays an announcement asks to follow, normalised, without repetition, at most 20: its `relays`
 * first, then the hosts of its GRASP-shaped `clone` URLs. A plain git host is no relay.
 */
export function relayUrlsOf(
  announcement: Pick<Announcement, "relayUrls" | "cloneUrls">,
): readonly string[] {
  const found = new Set<string>();
  const add = (text: string) => {
    const url = found.size < MAX_RELAYS ? normaliseRelayUrl(text) : undefined;
    if (url !== undefined) found.add(url);
  };
  for (const text of announcement.relayUrls) add(text);
  for (const text of announcement.cloneUrls) {
    const clone = normaliseCloneUrl(text);
    if (clone.ok && isGraspShaped(clone.url)) add(new URL(clone.url).origin);
  }
  return [...found];
}

/** Host of a URL in lower case, without port, brackets and trailing dot; "" for what is no URL. */
export function hostOf(url: string): string {
  if (!URL.canParse(url)) return "";
  return bareHost(new URL(url));
}

/** What {@link OwnAddresses} needs; every entry is `host[:port]`, IPv6 in brackets. */
export interface OwnAddressesOptions {
  readonly domain: string;
  readonly aliases: readonly string[];
  /** Addresses this server listens on; the unspecified one stands for every loopback name too. */
  readonly bindAddresses: readonly string[];
}

const OWN_SCHEMES = ["ws", "wss", "http", "https"];
const LOOPBACK = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;
const UNSPECIFIED = /^(?:0\.0\.0\.0|\[::\])$/;

/** The authorities under which this server itself is reached: never dialled, fetched from or followed. */
export class OwnAddresses {
  readonly #authorities: ReadonlySet<string>;

  constructor({ domain, aliases, bindAddresses }: OwnAddressesOptions) {
    const names = [domain, ...aliases, ...bindAddresses.flatMap(spellings)];
    this.#authorities = new Set(names.flatMap(authoritiesOf));
  }

  /** True when host and effective port of `url` (a WebSocket or HTTP URL) are ours, in whatever spelling. */
  has(url: string): boolean {
    const named = authorityOf(url, OWN_SCHEMES);
    return named !== undefined && this.#authorities.has(named);
  }
}

/** A name without a port is ours on the default port of either scheme, also where that port is written out. */
function authoritiesOf(name: string): readonly string[] {
  const own = normaliseDomain(name);
  if (own === undefined) return [];
  return /:\d+$/.test(own) ? [own] : [own, `${own}:80`, `${own}:443`];
}

function spellings(bind: string): readonly string[] {
  const [, host, port] = /^(.*):(\d+)$/.exec(bind) ?? [];
  if (host === undefined || !(LOOPBACK.test(host) || UNSPECIFIED.test(host))) return [bind];
  return [bind, `localhost:${port}`, `127.0.0.1:${port}`, `[::1]:${port}`];
}

/** A parsed URL that means what it says: no user info, no backslash, no blank, no disguised address. */
function parseStrictly(text: string): URL | undefined {
  const written = text.slice(text.indexOf("//") + 2).split(/[/?#]/, 1)[0]!;
  if (/[@\\]/.test(written) || /\s/.test(text) || !URL.canParse(text) || hasOddNumericHost(text)) {
    return undefined;
  }
  const url = new URL(text);
  return authority(url).startsWith(":") || authority(url) === "" ? undefined : url;
}

function authority(url: URL): string {
  const host = url.hostname.replace(/\.$/, "");
  return url.port === "" ? host : `${host}:${url.port}`;
}
