import { isIPv4, isIPv6 } from "node:net";

/** Result of {@link parseDomain}; `problem` is the part of a sentence that follows the value. */
export type ParsedDomain =
  | { readonly ok: true; readonly domain: string; readonly warnings: readonly string[] }
  | { readonly ok: false; readonly problem: string };

/**
 * Reads a domain `host[:port]` (DNS name, IPv4 or bracketed IPv6): lower case, A-labels, without a
 * default port. A value whose meaning is plain is refused with the corrected one in the message.
 */
export function parseDomain(text: string): ParsedDomain {
  const warnings: string[] = [];
  const trimmed = text.trim();
  const bare = trimmed.replace(/\/+$/, "");
  const fault = shapeFault(bare);
  if (fault !== undefined) return { ok: false, problem: `${fault}${correction(bare)}` };
  if (bare !== trimmed) warnings.push("the trailing '/' of the domain is dropped");
  const { host: rawHost, port } = splitPort(bare);
  const host = canonicalHost(rawHost);
  if (host === undefined) {
    return { ok: false, problem: "expected a host name, an IPv4 address or a bracketed IPv6 address" };
  }
  if (host === "0.0.0.0" || host === "[::]") {
    return { ok: false, problem: "the unspecified address is not a name clients can use" };
  }
  if (port !== undefined && (!/^\d{1,5}$/.test(port) || Number(port) < 1 || Number(port) > 65535)) {
    return { ok: false, problem: "expected a port between 1 and 65535" };
  }
  const number = port === undefined ? undefined : Number(port);
  const isDefault = number === 80 || number === 443;
  if (isDefault) warnings.push(`the default port :${number} of the domain is dropped`);
  if (!host.includes(".") && !host.startsWith("[") && host !== "localhost") {
    warnings.push(`the domain host '${host}' has no dot`);
  }
  return { ok: true, domain: number === undefined || isDefault ? host : `${host}:${number}`, warnings };
}

/** Host part of a domain, without port and without brackets. */
export function hostOfDomain(domain: string): string {
  return splitPort(domain).host.replace(/^\[|\]$/g, "");
}

/** True for `localhost`, 127.0.0.0/8 and ::1. */
export function isLoopbackHost(host: string): boolean {
  return host === "localhost" || host === "::1" || (isIPv4(host) && host.startsWith("127."));
}

function shapeFault(text: string): string | undefined {
  if (text === "") return "the domain must not be empty";
  if (text.includes("://")) return "expected host[:port] without a scheme";
  if (text.includes("@")) return "expected host[:port] without user information";
  if (/[/?#\\]/.test(text)) return "expected host[:port] without a path";
  if (/\s/.test(text)) return "the domain contains a blank";
  return undefined;
}

function correction(text: string): string {
  const authority = text.replace(/^[A-Za-z][A-Za-z0-9+.-]*:\/\//, "").split(/[/?#\\]/, 1)[0]!.trim();
  const host = authority.slice(authority.lastIndexOf("@") + 1);
  if (shapeFault(host) !== undefined) return "";
  const parsed = parseDomain(host);
  return parsed.ok ? `; use '${parsed.domain}'` : "";
}

function splitPort(text: string): { readonly host: string; readonly port: string | undefined } {
  const match = /^(\[[^\]]*\]|[^:]*)(?::(.*))?$/s.exec(text);
  return match ? { host: match[1]!, port: match[2] } : { host: text, port: undefined };
}

function canonicalHost(host: string): string | undefined {
  if (host.startsWith("[")) {
    return isIPv6(host.slice(1, -1)) && !host.includes("%") ? urlHost(host) : undefined;
  }
  if (host.includes(":") || host.includes("%")) return undefined;
  const ascii = urlHost(host)?.replace(/\.$/, "");
  if (ascii === undefined || ascii.length > 253) return undefined;
  // The URL parser would read "127.1" or "0x7f.1" as an address; only four decimal numbers are one.
  if (isIPv4(ascii)) return host.replace(/\.$/, "") === ascii ? ascii : undefined;
  const labels = ascii.split(".");
  return labels.every((label) => /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(label)) ? ascii : undefined;
}

function urlHost(host: string): string | undefined {
  try {
    const { hostname } = new URL(`http://${host}/`);
    return hostname === "" ? undefined : hostname;
  } catch {
    return undefined;
  }
}
