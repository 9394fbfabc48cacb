import type { NetworkFault } from "../../lib/world/mod.ts";

/** One way in which the network treats a peer; changed at run time. */
export interface Road {
  /** Every dial fails like this. */
  failure: { readonly fault: NetworkFault; readonly text: string } | undefined;
  /** Dials are never answered. */
  hangs: boolean;
  /** What we send is lost. */
  losesOurs: boolean;
  /** What the peer sends is lost. */
  losesTheirs: boolean;
  latencyMs: number;
  /** Both directions; 0: unlimited. */
  bytesPerSecond: number;
  /** Turns one message of the peer into those that arrive. */
  distort: (text: string) => readonly string[];
}
