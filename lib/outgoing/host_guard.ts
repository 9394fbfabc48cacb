import { Semaphore } from "async-mutex";
import type { Logger } from "../observe/mod.ts";
import type { Clock, NetworkFailure, PinnedHost } from "../world/mod.ts";
import {
  addressProblem,
  bareHost,
  canonicalAddress,
  endpointProblem,
  isAddress,
  literalProblem,
  nameProblem,
  portOf,
} from "./address_guard.ts";
import type { Deadline } from "./deadline.ts";
import { failure } from "./failure.ts";
import type { Resolve } from "./system_resolver.ts";

/** What {@link HostGuard} needs. */
export interface HostGuardOptions {
  /** Lifts the rules on names and addresses for everybody. */
  readonly allowPrivate: boolean;
  /** IP addresses of this machine. */
  readonly ownAddresses: readonly string[];
  readonly clock: Clock;
  readonly log: Logger;
  readonly resolve: Resolve;
}

/** How long a host that resolved to a forbidden address is not asked for again. */
const BLOCKED_MS = 3_600_000;
/** Most blocked hosts remembered; beyond it the oldest is forgotten and would be resolved again. */
const MAX_BLOCKED = 10_000;
/** Name look-ups at once: each may hold a thread for as long as a resolver is silent. */
const MAX_LOOKUPS = 64;
/** More addresses than this for one name are no honest answer. */
const MAX_ADDRESSES = 64;

/**
 * Decides to which addresses a URL may lead. A name is resolved here and only here: whoever connects
 * uses the addresses that were checked, so that a second DNS answer does not matter.
 */
export class HostGuard {
  readonly #options: HostGuardOptions;
  readonly #own: ReadonlySet<string>;
  readonly #lookups = new Semaphore(MAX_LOOKUPS);
  /** When a blocked host may be asked for again (monotonic), in the order of blocking. */
  readonly #blocked = new Map<string, number>();

  constructor(options: HostGuardOptions) {
    this.#options = options;
    this.#own = new Set(options.ownAddresses.flatMap((address) => canonicalAddress(address) ?? []));
  }

  /** The checked addresses of the host of `url`; `trusted` lifts the rules on names and addresses. */
  async check(url: string, trusted: boolean, deadline: Deadline): Promise<PinnedHost | NetworkFailure> {
    if (deadline.signal.aborted) return deadline.failure();
    const isFree = trusted || this.#options.allowPrivate;
    const problem = this.#textProblem(url, isFree);
    if (problem !== undefined) return failure("blocked", `not dialled: ${problem}`);
    const parsed = new URL(url);
    const host = bareHost(parsed);
    const addresses = isAddress(host) ? [host] : await this.#resolve(host, deadline);
    if (!Array.isArray(addresses)) return addresses;
    const forbidden = isFree ? undefined : this.#forbidden(host, addresses);
    return forbidden ?? { ok: true, host, port: portOf(parsed), addresses };
  }

  #textProblem(url: string, isFree: boolean): string | undefined {
    if (isFree) return URL.canParse(url) ? endpointProblem(new URL(url)) : "not a URL";
    const problem = literalProblem(url, false);
    if (problem !== undefined) return problem;
    const host = bareHost(new URL(url));
    return this.#isBlocked(host) ? "blocked less than an hour ago" : undefined;
  }

  async #resolve(host: string, deadline: Deadline): Promise<string[] | NetworkFailure> {
    const label = nameProblem(`${host}.example`);
    if (label !== undefined) return failure("dns", "not a host name");
    try {
      const found = await deadline.race(this.#lookups.runExclusive(() => this.#lookup(host, deadline)));
      if (found === undefined) return deadline.failure();
      const addresses = [...new Set(found.filter(isAddress))];
      if (addresses.length === 0) return failure("dns", `getaddrinfo ENOTFOUND ${host}: no address`);
      return addresses.length > MAX_ADDRESSES ? failure("dns", `${host} has too many addresses`) : addresses;
    } catch (error) {
      return failure("dns", error instanceof Error ? error.message : String(error));
    }
  }

  /** Those that waited too long for their turn ask nobody. */
  #lookup(host: string, deadline: Deadline): Promise<readonly string[]> {
    return deadline.signal.aborted ? Promise.resolve([]) : this.#options.resolve(host);
  }

  /** A host with one forbidden address is refused as a whole. */
  #forbidden(host: string, addresses: readonly string[]): NetworkFailure | undefined {
    for (const address of addresses) {
      const problem = addressProblem(address, this.#own);
      if (problem === undefined) continue;
      if (!isAddress(host)) this.#block(host);
      this.#options.log.debug("a host is not dialled", { host, address, reason: problem });
      return failure("blocked", `not dialled: ${problem}`);
    }
    return undefined;
  }

  #block(host: string): void {
    this.#blocked.delete(host);
    if (this.#blocked.size >= MAX_BLOCKED) this.#forgetOldest();
    this.#blocked.set(host, this.#options.clock.monotonic() + BLOCKED_MS);
  }

  #isBlocked(host: string): boolean {
    const until = this.#blocked.get(host);
    if (until !== undefined && until > this.#options.clock.monotonic()) return true;
    this.#blocked.delete(host);
    return false;
  }

  #forgetOldest(): void {
    for (const host of this.#blocked.keys()) {
      this.#blocked.delete(host);
      return;
    }
  }
}
