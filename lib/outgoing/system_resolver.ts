import { lookup } from "node:dns/promises";

/**
 * All addresses of a DNS name, at least one. Rejects with an error whose message names the resolver's
 * code: `ENOTFOUND` for a name that does not exist, `EAI_AGAIN` when nobody could tell.
 */
export type Resolve = (host: string) => Promise<readonly string[]>;

/** Asks the operating system, hosts file included. */
export const systemResolve: Resolve = async (host) => {
  try {
    return (await lookup(host, { all: true })).map(({ address }) => address);
  } catch (error) {
    // The runtime reports a resolver that does not answer as a name that does not exist.
    if (await isUnknown(host)) throw error;
    throw new Error(`getaddrinfo EAI_AGAIN ${host}: temporary failure in name resolution`);
  }
};

/** True when a DNS server answers that there is no such address. */
async function isUnknown(host: string): Promise<boolean> {
  try {
    await Deno.resolveDns(host, "A");
    return false;
  } catch (error) {
    return error instanceof Deno.errors.NotFound;
  }
}
