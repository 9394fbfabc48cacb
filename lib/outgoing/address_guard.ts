import { isIPv4, isIPv6 } from "node:net";
import ipaddr from "ipaddr.js";
import { hasOddNumericHost } from "./raw_host.ts";

/** Schemes this server dials. */
const SCHEMES = new Set(["http:", "https:", "ws:", "wss:"]);
const DEFAULT_PORTS: Readonly<Record<string, number>> = {
  "http:": 80,
  "ws:": 80,
  "https:": 443,
  "wss:": 443,
};
const FIRST_FREE_PORT = 1024;

const NAME_SUFFIXES = [".localhost", ".local", ".internal"];
const MAX_NAME = 253;
/** curl takes a leading minus for the removal of a pinned address, so that a second DNS answer would count. */
const LABEL = /^[a-z0-9_][a-z0-9_-]{0,62}$/;

/** IPv4 ranges that are not the public internet (RFC 6890 and those it was extended by). */
const IPV4_FORBIDDEN = prefixes<ipaddr.IPv4>([
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "192.168.0.0/16",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "224.0.0.0/4",
  "240.0.0.0/4",
]);

/** The only IPv6 range that is assigned for global use; loopback, local and multicast addresses lie outside. */
const IPV6_GLOBAL = prefixes<ipaddr.IPv6>(["2000::/3"]);
/** Documentation ranges inside the global one. */
const IPV6_FORBIDDEN = prefixes<ipaddr.IPv6>(["2001:db8::/32", "3fff::/20"]);

/** IPv6 forms that carry IPv4 addresses, and where. The address is as good as those it carries. */
const IPV4_CARRIERS: readonly {
  readonly range: [ipaddr.IPv6, number];
  carried(bytes: readonly number[]): readonly (readonly number[])[];
}[] = [
  // Mapped, and its translated form (RFC 2765).
  { range: prefix("::ffff:0:0/96"), carried: (bytes) => [bytes.slice(12)] },
  { range: prefix("::ffff:0:0:0/96"), carried: (bytes) => [bytes.slice(12)] },
  // NAT64 (RFC 6052).
  { range: prefix("64:ff9b::/96"), carried: (bytes) => [bytes.slice(12)] },
  // 6to4.
  { range: prefix("2002::/16"), carried: (bytes) => [bytes.slice(2, 6)] },
  // Teredo: the server, and the client with all bits inverted.
  {
    range: prefix("2001::/32"),
    carried: (bytes) => [bytes.slice(4, 8), bytes.slice(12).map((byte) => byte ^ 0xff)],
  },
];

/**
 * Why a URL of a stranger must not be dialled, as far as its text tells: scheme, port, name or literal
 * address. Undefined when only resolving its name can tell more. With `allowPrivate` names and addresses
 * are free, schemes and ports are not.
 */
export function literalProblem(url: string, allowPrivate: boolean): string | undefined {
  if (!URL.canParse(url)) return "not a URL";
  const parsed = new URL(url);
  const problem = endpointProblem(parsed);
  if (problem !== undefined || allowPrivate) return problem;
  // The URL parser turns "0x7f.1" into an address; whoever writes that hides one.
  if (hasOddNumericHost(url)) return "a host written as a number";
  const host = bareHost(parsed);
  return isAddress(host) ? addressProblem(host, NO_ADDRESSES) : nameProblem(host);
}

const NO_ADDRESSES: ReadonlySet<string> = new Set();

/** What is wrong with scheme and port, whoever named the URL. */
export function endpointProblem(url: URL): string | undefined {
  if (!SCHEMES.has(url.protocol)) return "a scheme that is not dialled";
  if (bareHost(url) === "") return "no host";
  const port = portOf(url);
  return port === 80 || port === 443 || port >= FIRST_FREE_PORT
    ? undefined
    : "a port reserved for other services";
}

/** Why `address` (an IP address in any form) must not be dialled; `own` are canonical addresses of this machine. */
export function addressProblem(address: string, own: ReadonlySet<string>): string | undefined {
  const canonical = canonicalAddress(address);
  if (canonical === undefined) return "not an address";
  const parsed = ipaddr.parse(canonical);
  if ([parsed, ...carriedBy(parsed)].some((one) => own.has(one.toString()))) {
    return "an address of this machine";
  }
  return isForbidden(parsed) ? "an address that is not public" : undefined;
}

/** Why a DNS name must not be resolved: it can only mean something local. */
export function nameProblem(name: string): string | undefined {
  const host = name.toLowerCase();
  if (host.length > MAX_NAME || host.split(".").some((label) => !LABEL.test(label))) {
    return "not a host name";
  }
  if (!host.includes(".")) return "a name without a dot";
  return NAME_SUFFIXES.some((suffix) => host.endsWith(suffix)) ? "a local name" : undefined;
}

/** One spelling per address: mapped IPv4 as IPv4, IPv6 compressed; undefined for text that is no address. */
export function canonicalAddress(address: string): string | undefined {
  // ipaddr.js also reads "10.1" and octal forms, and an IPv6 zone names an interface of this machine.
  if (!isAddress(address) || address.includes("%")) return undefined;
  // ipaddr.js takes "::1.2.3.4" for a mapped address, which it is not; the URL parser writes hex.
  const text = isIPv6(address) ? bareHost(new URL(`http://[${address}]/`)) : address;
  return ipaddr.process(text).toString();
}

/** True for IPv4 in four decimal numbers and for IPv6 without brackets. */
export function isAddress(host: string): boolean {
  return isIPv4(host) || isIPv6(host);
}

/** Host of a URL without brackets and trailing dot, lower case. */
export function bareHost(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, "").replace(/\.$/, "").toLowerCase();
}

/** Port of a URL, the scheme's default included. */
export function portOf(url: URL): number {
  return url.port === "" ? DEFAULT_PORTS[url.protocol] ?? 0 : Number(url.port);
}

function isForbidden(address: ipaddr.IPv4 | ipaddr.IPv6): boolean {
  if (address instanceof ipaddr.IPv4) return IPV4_FORBIDDEN.some(([base, bits]) => address.match(base, bits));
  const carried = carriedBy(address);
  if (carried.length > 0) return carried.some(isForbidden);
  const within = (ranges: readonly [ipaddr.IPv6, number][]) =>
    ranges.some(([base, bits]) => address.match(base, bits));
  return !within(IPV6_GLOBAL) || within(IPV6_FORBIDDEN);
}

function carriedBy(address: ipaddr.IPv4 | ipaddr.IPv6): readonly ipaddr.IPv4[] {
  if (address instanceof ipaddr.IPv4) return [];
  const carrier = IPV4_CARRIERS.find(({ range: [base, bits] }) => address.match(base, bits));
  return carrier?.carried(address.toByteArray()).map((bytes) => new ipaddr.IPv4([...bytes])) ?? [];
}

function prefix(text: string): [ipaddr.IPv6, number] {
  return ipaddr.IPv6.parseCIDR(text);
}

function prefixes<A extends ipaddr.IPv4 | ipaddr.IPv6>(texts: readonly string[]): readonly [A, number][] {
  return texts.map((text) => ipaddr.parseCIDR(text) as [A, number]);
}
