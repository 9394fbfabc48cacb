import type { Clock } from "../world/mod.ts";
import type { Logger } from "./log.ts";
import type { AttemptTally } from "./metrics_attempts.ts";
import type { Families } from "./metrics_families.ts";
import { labelText } from "./metrics_labels.ts";
import { type MetricSources, type RejectedCounts, SourceReader } from "./metrics_sources.ts";
import type { HuntGauges, NaughtyGauge, RelayGauges } from "./metrics_sync.ts";
import { NAUGHTY_CATEGORIES, REJECTED_TYPES, UNIT_STATES } from "./metrics_sync_labels.ts";

/** What {@link SyncGauges} sets, and from what beside the sources. */
export interface SyncGaugeInputs {
  readonly families: Families;
  readonly attempts: AttemptTally;
  readonly clock: Clock;
  readonly log: Logger;
}

/** The part of a gauge without labels that is used here. */
export interface PlainGauge {
  set(value: number): void;
  remove(): void;
}

/** The part of a labelled gauge that is used here. */
interface CategoryGauge {
  reset(): void;
  set(labels: { readonly category: string }, value: number): void;
}

/** Most entries of the list of faults that get a series; the newest are kept. */
const MAX_NAUGHTY_SERIES = 200;
/** Values of the connection gauge that mean a working connection. */
const CONNECTED: ReadonlySet<number> = new Set<RelayGauges["connection"]>([2, 3, 4]);
const DEAD: RelayGauges["health"] = 4;

const NO_HUNT: HuntGauges = {
  units: { due: 0, delayed: 0, running: 0, host_queued: 0 },
  hostsThrottled: 0,
  naughtyHosts: [],
};
const NOTHING_REJECTED: RejectedCounts = {
  hot: { announcement: 0, state: 0 },
  cold: { announcement: 0, state: 0 },
};

/** Rebuilds everything about sync and the hunt from its sources, so that no series outlives what it is about. */
export class SyncGauges {
  readonly #inputs: SyncGaugeInputs;
  readonly #relays: SourceReader<readonly RelayGauges[]>;
  readonly #naughty: SourceReader<readonly NaughtyGauge[]>;
  readonly #hunt: SourceReader<HuntGauges>;
  readonly #rejected: SourceReader<RejectedCounts>;

  constructor(inputs: SyncGaugeInputs) {
    const { clock, log } = inputs;
    this.#inputs = inputs;
    this.#relays = new SourceReader("ngit_sync_relay_connected", 0, clock, log);
    this.#naughty = new SourceReader("ngit_sync_naughty_relays_total", 0, clock, log);
    this.#hunt = new SourceReader("ngit_purgatory_hunt_units", 0, clock, log);
    this.#rejected = new SourceReader("ngit_sync_rejected_cold_index_current", 0, clock, log);
  }

  /**
   * Brings the gauges up to date. Without a source there is nothing, which is shown as zeros; a source
   * that fails leaves its gauges without samples.
   */
  async collect(sources: MetricSources): Promise<void> {
    const { syncRelays, naughtyRelays, hunt, rejectedCounts } = sources;
    const none = Promise.resolve([]);
    await Promise.all([
      (syncRelays ? this.#relays.read(syncRelays) : none).then((relays) => this.#setRelays(relays)),
      (naughtyRelays ? this.#naughty.read(naughtyRelays) : none).then((entries) => this.#setNaughty(entries)),
      (hunt ? this.#hunt.read(hunt) : Promise.resolve(NO_HUNT)).then((gauges) => this.#setHunt(gauges)),
      (rejectedCounts ? this.#rejected.read(rejectedCounts) : Promise.resolve(NOTHING_REJECTED))
        .then((counts) => this.#setRejected(counts)),
    ]);
  }

  #setRelays(relays: readonly RelayGauges[] | undefined): void {
    const { families } = this.#inputs;
    const values = [
      [families.syncRelayConnected, (relay: RelayGauges) => relay.connection],
      [families.syncRelayStatus, (relay: RelayGauges) => relay.health],
      [families.syncRelayFailures, (relay: RelayGauges) => relay.failures],
      [families.syncPendingBatches, (relay: RelayGauges) => relay.pendingBatches],
      [families.syncSubscriptions, (relay: RelayGauges) => relay.subscriptions],
      [families.syncQueueDepth, (relay: RelayGauges) => relay.queueDepth],
    ] as const;
    for (const [gauge, valueOf] of values) {
      gauge.reset();
      for (const relay of relays ?? []) gauge.set({ relay: labelText(relay.relay) }, valueOf(relay));
    }
    setPlain(families.syncTracked, relays?.length);
    setPlain(families.syncConnected, relays?.filter(({ connection }) => CONNECTED.has(connection)).length);
    setPlain(families.syncDead, relays?.filter(({ health }) => health === DEAD).length);
    if (relays) this.#setAttempts(new Set(relays.map(({ relay }) => relay)));
  }

  #setAttempts(tracked: ReadonlySet<string>): void {
    const { families: { syncAttempts }, attempts } = this.#inputs;
    attempts.keep(tracked);
    syncAttempts.reset();
    for (const [relay, { success, failure }] of attempts.entries()) {
      syncAttempts.inc({ relay: labelText(relay), result: "success" }, success);
      syncAttempts.inc({ relay: labelText(relay), result: "failure" }, failure);
    }
  }

  #setNaughty(entries: readonly NaughtyGauge[] | undefined): void {
    const { naughtyRelays, naughtyRelayInfo } = this.#inputs.families;
    setCategories(naughtyRelays, entries);
    naughtyRelayInfo.reset();
    for (const { host, category, reason, count } of entries?.slice(-MAX_NAUGHTY_SERIES) ?? []) {
      naughtyRelayInfo.set({ relay: labelText(host), category, reason: labelText(reason) }, count);
    }
  }

  #setHunt(hunt: HuntGauges | undefined): void {
    const { huntUnits, huntHostsThrottled, naughtyGitHosts } = this.#inputs.families;
    huntUnits.reset();
    if (hunt) { for (const state of UNIT_STATES) huntUnits.set({ state }, hunt.units[state]); }
    setPlain(huntHostsThrottled, hunt?.hostsThrottled);
    setCategories(naughtyGitHosts, hunt?.naughtyHosts);
  }

  #setRejected(counts: RejectedCounts | undefined): void {
    const { rejectedHot, rejectedCold } = this.#inputs.families;
    rejectedHot.reset();
    rejectedCold.reset();
    if (!counts) return;
    for (const type of REJECTED_TYPES) {
      rejectedHot.set({ event_type: type }, counts.hot[type]);
      rejectedCold.set({ event_type: type }, counts.cold[type]);
    }
  }
}

/** Sets a gauge; a value nobody can tell leaves it without a sample. */
export function setPlain(gauge: PlainGauge, value: number | undefined): void {
  if (value === undefined) gauge.remove();
  else gauge.set(value);
}

function setCategories(gauge: CategoryGauge, entries: readonly NaughtyGauge[] | undefined): void {
  gauge.reset();
  if (!entries) return;
  for (const category of NAUGHTY_CATEGORIES) {
    gauge.set({ category }, entries.filter((entry) => entry.category === category).length);
  }
}
