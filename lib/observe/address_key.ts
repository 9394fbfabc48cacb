import ipaddr from "ipaddr.js";

/**
 * What counts as one client: an IPv4 address, or an IPv6 /64 because a single host owns all of it.
 * Text that is no address stands for itself.
 */
export function addressKey(remoteAddress: string): string {
  if (!ipaddr.isValid(remoteAddress)) return remoteAddress;
  const address = ipaddr.process(remoteAddress);
  if (!(address instanceof ipaddr.IPv6)) return address.toString();
  return address.parts.slice(0, 4).map((part) => part.toString(16)).join(":") + "::/64";
}
