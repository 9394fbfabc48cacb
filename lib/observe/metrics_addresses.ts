import ipaddr from "ipaddr.js";
import { addressKey } from "./address_key.ts";
import type { Logger } from "./log.ts";

/** How client addresses appear in the log. */
export type AddressDisplay = "none" | "truncated" | "full";

/** What {@link ConnectionTracker} needs. */
export interface ConnectionTrackerOptions {
  /** Simultaneous connections that get an address flagged; 0 flags nobody. */
  readonly abuseThreshold: () => number;
  readonly display: () => AddressDisplay;
  readonly log: Logger;
}

interface Client {
  open: number;
  flagged: boolean;
}

/**
 * Open connections by client. An entry lives as long as its connections, so the map is bounded by
 * them, and no address leaves this object except as the log may show it.
 */
export class ConnectionTracker {
  readonly #options: ConnectionTrackerOptions;
  readonly #clients = new Map<string, Client>();
  #active = 0;
  #flagged = 0;

  constructor(options: ConnectionTrackerOptions) {
    this.#options = options;
  }

  /** Open connections. */
  get active(): number {
    return this.#active;
  }

  /** Clients with at least one open connection. */
  get unique(): number {
    return this.#clients.size;
  }

  /** Clients that reached the threshold and have not left since. */
  get flagged(): number {
    return this.#flagged;
  }

  /** Counts one connection; warns once when its client reaches the threshold. */
  open(remoteAddress: string): void {
    const key = addressKey(remoteAddress);
    let client = this.#clients.get(key);
    if (!client) this.#clients.set(key, client = { open: 0, flagged: false });
    client.open++;
    this.#active++;
    const { log } = this.#options;
    const abuseThreshold = this.#options.abuseThreshold();
    if (abuseThreshold === 0 || client.flagged || client.open < abuseThreshold) return;
    client.flagged = true;
    this.#flagged++;
    log.warn("Potential abuse detected: IP exceeded connection threshold", {
      ip: shownAddress(remoteAddress, this.#options.display()),
      threshold: abuseThreshold,
    });
  }

  /** Takes one connection back; false, without effect, when none of this client is open. */
  close(remoteAddress: string): boolean {
    const key = addressKey(remoteAddress);
    const client = this.#clients.get(key);
    if (!client) return false;
    client.open--;
    this.#active--;
    if (client.open === 0) {
      this.#clients.delete(key);
      if (client.flagged) this.#flagged--;
    }
    return true;
  }
}

/** `remoteAddress` as the log may show it: whole, as its /24 or /48, or not at all. */
export function shownAddress(remoteAddress: string, display: AddressDisplay): string | undefined {
  if (display === "none" || !ipaddr.isValid(remoteAddress)) return undefined;
  const address = ipaddr.process(remoteAddress);
  if (display === "full") return address.toString();
  if (address instanceof ipaddr.IPv6) {
    return `${address.parts.slice(0, 3).map((part) => part.toString(16)).join(":")}::/48`;
  }
  return `${address.toByteArray().slice(0, 3).join(".")}.0/24`;
}
