import type { Git, Repositories } from "../git/mod.ts";
import type { Logger } from "../observe/mod.ts";
import type { Clock, Network, Random } from "../world/mod.ts";
import type { HuntSettings } from "./ports.ts";

/** What fetching with the system git needs. */
export interface RemoteGitOptions {
  readonly git: Git;
  readonly repositories: Pick<
    Repositories,
    "path" | "complete" | "readRefs" | "changeRefs" | "cleanLeftovers"
  >;
  readonly network: Pick<Network, "get" | "pin">;
  /** Deadlines of children: real time. */
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly settings: Pick<HuntSettings, "isOwn" | "hasSpace">;
  /** Most bytes one fetch may bring (`NGIT_MAX_PUSH_BYTES`); 0 = unlimited. */
  readonly maxBytes: number;
  /** Without blanks at its ends, e.g. `ngit-grasp/1.0`. */
  readonly userAgent: string;
}
