import type { LookupFunction } from "node:net";
import { isIPv6 } from "node:net";
import type { PinnedHost } from "../world/mod.ts";

/**
 * What a connection asks instead of DNS: the checked addresses, for the checked host only. A connection
 * tries them in order, the next when one does not answer.
 */
export function pinnedLookup(pinned: PinnedHost): LookupFunction {
  const found = pinned.addresses.map((address) => ({ address, family: isIPv6(address) ? 6 : 4 }));
  return (_host, options, done) => {
    if (options.all) return done(null, found);
    done(null, found[0]!.address, found[0]!.family);
  };
}

/** How long one address may keep the next from being tried, in milliseconds. */
export const ADDRESS_ATTEMPT_MS = 1_000;
