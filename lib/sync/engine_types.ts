import type { Logger, NaughtyCategory, NaughtyGauge, RelayGauges, SyncGroup } from "../observe/mod.ts";
import type { Store, SyncStore } from "../store/mod.ts";
import type { Clock, NetworkFailure, Random } from "../world/mod.ts";
import type { NaughtyRelays } from "./context.ts";
import type { Inspection } from "./inspection.ts";
import type { OpenLink, SyncSettings } from "./ports.ts";
import type { RelayUrlsOf } from "./repo_relays.ts";
import type { WantedEvents } from "./wanted_events.ts";

/** What sync is made of. */
export interface SyncParts {
  readonly settings: SyncSettings;
  readonly store: Pick<Store, "watch" | "query"> & Pick<SyncStore, "eventsOfKinds" | "waitingAnnouncements">;
  readonly openLink: OpenLink;
  /** True for a URL under which this server itself is reached. */
  readonly isOwn: (url: string) => boolean;
  /** Why a URL is not dialled, judged without asking DNS; not asked for bootstrap relays. */
  readonly literalProblem: (url: string) => string | undefined;
  /** The relays of an announcement as normalised URLs. */
  readonly relayUrlsOf: RelayUrlsOf;
  /** Keyed by normalised relay URL. */
  readonly naughty: NaughtyRelays;
  readonly classify: (failure: NetworkFailure) => NaughtyCategory | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly metrics: SyncGroup;
}

/** Sync at work. */
export interface SyncEngine {
  /** Closes everything, politely where the peers play along; at most 10 s. */
  stop(): Promise<void>;
  /** One entry per tracked relay, for metrics. */
  relayGauges(): readonly RelayGauges[];
  naughtyRelays(): readonly NaughtyGauge[];
  /** A view of the indexes as they are at this moment. */
  snapshot(): Inspection;
  /** True as soon as `condition` holds, by notification; false after `deadlineMs` or when sync stops. */
  changed(condition: (snapshot: Inspection) => boolean, deadlineMs: number): Promise<boolean>;
  /**
   * Asks for announcements or states whose copies were dropped: the live relays of the repository, for
   * announcements the others as well; each author's of one kind and identifier at most once a minute.
   */
  fetchWanted(want: WantedEvents): void;
}
