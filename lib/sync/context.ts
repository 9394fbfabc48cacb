import type { NaughtyList } from "../outgoing/mod.ts";
import type { Logger, NaughtyCategory, SyncGroup } from "../observe/mod.ts";
import type { Clock, NetworkFailure, Random } from "../world/mod.ts";
import type { DialGate } from "./dial_gate.ts";
import type { OpenLink, SyncSettings } from "./ports.ts";
import type { RelayRecord } from "./relay_record.ts";
import type { RepoIndex } from "./repo_index.ts";
import type { Target } from "./targets.ts";

/** The list of relays with faults that do not heal in minutes, as far as sync uses it. */
export type NaughtyRelays = Pick<NaughtyList, "record" | "get" | "clear" | "entries">;

/** What every relay actor shares. */
export interface ActorContext {
  readonly settings: SyncSettings;
  readonly openLink: OpenLink;
  readonly naughty: NaughtyRelays;
  readonly classify: (failure: NetworkFailure) => NaughtyCategory | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly metrics: SyncGroup;
  readonly gate: DialGate;
  readonly repos: RepoIndex;
  /** What the relay should deliver, as of this moment. */
  targetOf(url: string): Target;
  /** True when the relay should be connected (bootstrap, or among the targets followed). */
  isWanted(record: RelayRecord): boolean;
  /** Announcements accepted or put in purgatory since the start. */
  announcementsSeen(): number;
  /** Something about the relay changed. */
  changed(record: RelayRecord): void;
  /** The relay is not tracked any more; nothing of it is open. */
  removed(record: RelayRecord): void;
}
