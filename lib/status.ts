import { OwnerUsage, type Repositories, type UsageReport } from "./git/mod.ts";
import type { DiskFacts, HuntFacts, Listing, PeerFacts, StatusFacts, WaitingFacts } from "./http/mod.ts";
import type { HuntSnapshot } from "./hunt/mod.ts";
import { encodeNpub, parseState } from "./nostr/mod.ts";
import type { Replication } from "./replication.ts";
import type { RepositoryKey, Store, WaitingEntries, WaitingSource } from "./store/mod.ts";
import type { RelayInspection } from "./sync/mod.ts";
import type { Clock } from "./world/mod.ts";

/** Rows shown of each list; the rest is counted. */
const MAX_ROWS = 200;
const MAX_SERVERS = 5;
const MAX_REFS_NAMED = 2;

/** Where the operator's status page reads. */
export interface StatusParts {
  readonly version: string;
  readonly commit: string;
  readonly store: Pick<Store, "overdue" | "waitingCounts" | "count">;
  readonly repositories: Repositories;
  readonly replication: Replication;
  readonly clock: Clock;
  readonly stopping: AbortSignal;
}

/** Reads the facts of the status page; call it only for the operator: it tells what purgatory holds. */
export function statusReader(parts: StatusParts): () => Promise<StatusFacts> {
  const { store, repositories, replication, clock, stopping } = parts;
  const startedAt = clock.monotonic();
  const usage = new OwnerUsage({
    list: () => repositories.list(),
    bytes: (repository) => repositories.bytes(repository),
    clock,
    stopping,
  });
  return async () => {
    const [entries, counts, storedEvents, disk] = await Promise.all([
      store.overdue(Number.MAX_SAFE_INTEGER, MAX_ROWS),
      store.waitingCounts(),
      store.count([{ tags: new Map() }]),
      usage.look(),
    ]);
    const waiting = waitingFacts(entries);
    const now = clock.monotonic();
    return {
      at: clock.now(),
      version: parts.version,
      commit: parts.commit,
      uptimeSeconds: Math.floor((now - startedAt) / 1000),
      storedEvents,
      repositories: repositories.count,
      peers: peerFacts(replication),
      waiting: {
        shown: waiting.slice(0, MAX_ROWS),
        total: counts.active + counts.soft + counts.states + counts.pullRequests + counts.placeholders,
      },
      hunts: firstOf(replication.hunt.hunts().toSorted(byNextAttempt), huntFacts),
      disk: disk && diskFacts(disk),
    };
  };
}

function peerFacts({ sync }: Replication): StatusFacts["peers"] {
  if (!sync) return undefined;
  const faults = new Map(sync.naughtyRelays().map(({ host, category }) => [host, category]));
  const relays = [...sync.snapshot().relays.values()].sort((a, b) => a.url < b.url ? -1 : 1);
  return firstOf(relays, (relay) => peer(relay, faults.get(relay.url)));
}

function peer(relay: RelayInspection, fault: string | undefined): PeerFacts {
  const remarks = [
    relay.isBootstrap ? "bootstrap" : undefined,
    fault?.replaceAll("_", " "),
    relay.hadFailures ? "history has gaps" : undefined,
    relay.possiblyIncomplete ? "more events of one second than it sends" : undefined,
    relay.partlyLive ? "refuses some live subscriptions" : undefined,
  ].filter((remark) => remark !== undefined);
  return {
    relay: relay.url,
    connection: relay.status,
    health: relay.health,
    failures: relay.failures,
    lastHeardAt: relay.lastConnected,
    completeAt: relay.completedAt,
    pendingBatches: relay.batches.length,
    subscriptions: relay.openSubscriptions,
    queued: relay.queueDepth,
    remark: remarks.length > 0 ? remarks.join("; ") : undefined,
  };
}

/** The entries of every sort, those that end soonest first. */
function waitingFacts(entries: WaitingEntries): WaitingFacts[] {
  const { announcements, states, pullRequests, placeholders } = entries;
  return [
    ...announcements.map((row): WaitingFacts => ({
      ...times(row),
      sort: row.phase === "soft" ? "announcement (soft-expired)" : "announcement",
      id: row.event.id,
      repository: name(row),
      waitsFor: row.phase === "soft"
        ? "a push or a state, before it is forgotten"
        : "a state and its git data",
      source: row.source,
    })),
    ...states.map((row): WaitingFacts => ({
      ...times(row),
      sort: "state",
      id: row.event.id,
      repository: name({ owner: row.author, identifier: row.identifier }),
      waitsFor: stateWaitsFor(row.event),
      source: row.source,
    })),
    ...pullRequests.map((row): WaitingFacts => ({
      ...times(row),
      sort: "pull request",
      id: row.event.id,
      repository: row.targets[0] && name(row.targets[0]),
      waitsFor: `git data: commit ${short(row.commit)}`,
      source: row.source,
    })),
    ...placeholders.map((row): WaitingFacts => ({
      ...times(row),
      sort: "placeholder",
      id: row.id,
      repository: row.repositories[0] && name(row.repositories[0]),
      waitsFor: `the event of the pushed commit ${short(row.commit)}`,
      source: undefined,
    })),
  ].sort((a, b) => a.until - b.until);
}

function times(row: { firstEnteredAt: number; deadlineAt: number; source?: WaitingSource }) {
  return { since: row.firstEnteredAt, until: row.deadlineAt };
}

function stateWaitsFor(event: WaitingEntries["states"][number]["event"]): string {
  const parsed = parseState(event);
  if (!parsed.ok) return "nothing that can come";
  const { refs, unsatisfiable } = parsed.state;
  if (unsatisfiable !== undefined) return `nothing that can come: it has ${unsatisfiable}`;
  const named = Array.from(refs).slice(0, MAX_REFS_NAMED).map(([ref, oid]) => `${ref} at ${short(oid)}`);
  const rest = refs.size - named.length;
  return refs.size === 0
    ? "an announcement by its author or one that names its author"
    : `git data: ${named.join(", ")}${rest > 0 ? ` and ${rest} more` : ""}`;
}

function huntFacts(
  { owner, identifier, waiting, attempts, running, nextAttemptAt, urls }: HuntSnapshot,
): HuntFacts {
  return {
    repository: name({ owner, identifier }),
    events: waiting.length,
    attempts,
    nextAt: running ? undefined : nextAttemptAt,
    servers: urls.slice(-MAX_SERVERS).map(({ url, result, at }) => ({ url: withoutQuery(url), result, at })),
  };
}

function byNextAttempt(a: HuntSnapshot, b: HuntSnapshot): number {
  return (a.nextAttemptAt ?? 0) - (b.nextAttemptAt ?? 0);
}

function diskFacts({ at, owners }: UsageReport): DiskFacts {
  return {
    at,
    totalBytes: owners.reduce((sum, { bytes }) => sum + bytes, 0),
    owners: firstOf(owners, ({ owner, repositories, bytes }) => ({
      npub: encodeNpub(owner),
      repositories,
      bytes,
    })),
  };
}

function firstOf<T, U>(all: readonly T[], describe: (item: T) => U): Listing<U> {
  return { shown: all.slice(0, MAX_ROWS).map(describe), total: all.length };
}

function name({ owner, identifier }: RepositoryKey) {
  return { npub: encodeNpub(owner), identifier };
}

function short(oid: string): string {
  return oid.slice(0, 12);
}

/** URLs come from strangers: credentials and query strings in them are nobody's business. */
function withoutQuery(text: string): string {
  const url = URL.parse(text);
  return url ? `${url.protocol}//${url.host}${url.pathname}` : text.slice(0, 200);
}
