import { type Announcement, KIND, kindClass, type NostrEvent } from "../../lib/nostr/mod.ts";
import type { Commits } from "./commits.ts";
import type { Bound, Listings } from "./listings.ts";
import {
  coordinate,
  judge,
  type Judgement,
  type ModelRepository,
  type ModelServer,
  rootsOf,
  tagValues,
} from "./oracle_view.ts";

/** What the oracle starts from. */
export interface OracleInput {
  /** Events by the host that accepted them. */
  readonly accepted: ReadonlyMap<string, readonly NostrEvent[]>;
  /** Tips by the host and identifier they were pushed to. */
  readonly pushed: readonly {
    readonly host: string;
    readonly identifier: string;
    readonly oids: readonly string[];
  }[];
  /** Hosts with the hosts their operators named. */
  readonly hosts: ReadonlyMap<string, readonly string[]>;
  readonly commits: Commits;
  readonly listings: Listings;
}

/** What one server must end up with. */
export interface Expected {
  readonly judgement: Judgement;
  /** Everything that could reach it. */
  readonly candidates: ReadonlyMap<string, NostrEvent>;
}

/**
 * The end state of a network in which everything works again, computed without time or messages: every
 * server judges all that reached it, asks the servers its repositories name for what its filters match
 * (GRASP-02), takes the git data its states wait for, and so on until nothing changes.
 */
export function predict(input: OracleInput, bound: Bound): Map<string, Expected> {
  const { accepted, pushed, hosts, commits, listings } = input;
  const hostsOf = (announcement: Announcement) => listings.hosts(announcement, bound);
  const servers = new Map<string, ModelServer>();
  for (const [host, bootstrap] of hosts) {
    const candidates = new Map((accepted.get(host) ?? []).map((event) => [event.id, event]));
    servers.set(host, {
      host,
      deletes: bound !== "most",
      bootstrap,
      candidates,
      objects: new Map(),
      hostsOf,
      isForgotten: (announcement) => bound === "least" && listings.leaves(announcement, host),
    });
  }
  for (const { host, identifier, oids } of pushed) {
    for (const oid of commits.closure(oids)) objectsOf(servers.get(host)!, identifier).add(oid);
  }
  for (;;) {
    const judgements = new Map([...servers].map(([host, server]) => [host, judge(server)]));
    let changed = false;
    for (const server of servers.values()) {
      changed = pullEvents(server, judgements, servers) || changed;
      changed = pullObjects(server, judgements, servers, commits) || changed;
    }
    if (changed) continue;
    return new Map([...servers].map(([host, { candidates }]) => [host, {
      judgement: judgements.get(host)!,
      candidates,
    }]));
  }
}

function pullEvents(
  server: ModelServer,
  judgements: ReadonlyMap<string, Judgement>,
  servers: ReadonlyMap<string, ModelServer>,
): boolean {
  const { repositories } = judgements.get(server.host)!;
  const before = server.candidates.size;
  const peers = new Map<string, ModelRepository[]>(server.bootstrap.map((host) => [host, []]));
  for (const repository of repositories) {
    for (const host of server.hostsOf(repository.announcement)) {
      peers.set(host, [...peers.get(host) ?? [], repository]);
    }
  }
  peers.delete(server.host);
  for (const [host, shared] of peers) {
    const isAskedFor = filtersOf(server, shared);
    const offered = [...judgements.get(host)?.served.values() ?? []];
    // What was replaced meanwhile may have come before.
    if (!server.deletes) offered.push(...replacedAt(servers.get(host), offered));
    for (const event of offered) {
      if (isAskedFor(event)) server.candidates.set(event.id, event);
    }
  }
  return server.candidates.size > before;
}

/** Older versions of what a server serves. */
function replacedAt(server: ModelServer | undefined, served: readonly NostrEvent[]): NostrEvent[] {
  const key = (event: NostrEvent) => `${event.kind}:${event.pubkey}:${tagValues(event, "d")[0]}`;
  const current = new Set(served.filter(({ kind }) => kindClass(kind) === "addressable").map(key));
  return [...server?.candidates.values() ?? []].filter((event) => current.has(key(event)));
}

/** The three layers of filters towards one peer, as one condition. */
function filtersOf(server: ModelServer, shared: readonly ModelRepository[]): (event: NostrEvent) => boolean {
  const identifiers = new Set(shared.map(({ announcement }) => announcement.identifier));
  const full = shared.filter(({ served }) => served);
  const names = new Set(full.map(({ announcement }) => coordinate(announcement)));
  const roots = new Set(full.flatMap((repository) => [...rootsOf(server, repository)]));
  return (event) =>
    event.kind === KIND.announcement || event.kind === KIND.graspList ||
    (event.kind === KIND.state && identifiers.has(tagValues(event, "d")[0] ?? "")) ||
    tagValues(event, "aAq").some((value) => names.has(value)) ||
    tagValues(event, "eEq").some((value) => roots.has(value));
}

/** Takes what waits for its data from the clone URLs of its sources, where such a repository exists. */
function pullObjects(
  server: ModelServer,
  judgements: ReadonlyMap<string, Judgement>,
  servers: ReadonlyMap<string, ModelServer>,
  commits: Commits,
): boolean {
  const { wantedStates, wantedPullRequests } = judgements.get(server.host)!;
  let changed = false;
  const pull = (oids: readonly string[], source: Announcement) => {
    const { owner, identifier } = source;
    const own = objectsOf(server, identifier);
    for (const host of server.hostsOf(source)) {
      const isThere = judgements.get(host)?.repositories.some(({ announcement, hosted }) =>
        hosted && announcement.owner === owner && announcement.identifier === identifier
      );
      const theirs = isThere ? servers.get(host)?.objects.get(identifier) : undefined;
      for (const oid of oids) {
        if (own.has(oid) || !theirs?.has(oid)) continue;
        for (const reached of commits.closure([oid])) own.add(reached);
        changed = true;
      }
    }
  };
  for (const { state, sources } of wantedStates) {
    for (const source of sources) pull([...state.refs.values()], source);
  }
  for (const { commit, sources } of wantedPullRequests) {
    for (const source of sources) pull([commit], source);
  }
  return changed;
}

function objectsOf(server: ModelServer, identifier: string): Set<string> {
  const known = server.objects.get(identifier) ?? new Set<string>();
  server.objects.set(identifier, known);
  return known;
}
