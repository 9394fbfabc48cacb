import { type AddressRange, inRanges } from "../config/mod.ts";

/** Most forwarded addresses looked at; longer chains are cut at the left, where anybody can write. */
const MAX_HOPS = 16;

/**
 * The client's address: the peer, or, when the peer is a trusted proxy, the right-most forwarded
 * address that is not itself trusted. Garbage in the header falls back to the peer.
 */
export function clientAddress(headers: Headers, peer: string, trusted: readonly AddressRange[]): string {
  const direct = normaliseAddress(peer);
  if (!inRanges(trusted, direct)) return direct;
  const hops = forwardedAddresses(headers).slice(-MAX_HOPS);
  for (const hop of hops.reverse()) {
    if (!isAddress(hop)) return direct;
    const address = normaliseAddress(hop);
    if (!inRanges(trusted, address)) return address;
  }
  return direct;
}

function forwardedAddresses(headers: Headers): string[] {
  const list = headers.get("x-forwarded-for");
  if (list !== null) return list.split(",").map((hop) => hop.trim());
  const standard = headers.get("forwarded") ?? "";
  return [...standard.matchAll(/for="?(\[[^\]]+\]|[^;,"\s]+)"?/gi)].map((match) => match[1]!);
}

/** Brackets, port and IPv4-mapping removed. */
function normaliseAddress(address: string): string {
  const bare = /^\[([^\]]+)\](?::\d+)?$/.exec(address)?.[1] ?? address.replace(/^([\d.]+):\d+$/, "$1");
  return bare.replace(/^::ffff:(?=\d+\.)/i, "").toLowerCase();
}

function isAddress(text: string): boolean {
  const address = normaliseAddress(text);
  const isIpv4 = /^\d{1,3}(\.\d{1,3}){3}$/.test(address) &&
    address.split(".").every((part) => Number(part) <= 255);
  return isIpv4 || (address.includes(":") && URL.canParse(`http://[${address}]/`));
}
