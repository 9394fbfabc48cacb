import { compareNewestFirst, KIND, kindClass, type NostrEvent } from "../../lib/nostr/mod.ts";
import { Listings } from "./listings.ts";
import type { Ledger } from "./ledger.ts";
import type { Machine } from "./machine.ts";
import type { Commits } from "./commits.ts";
import { type Expected, type OracleInput, predict } from "./oracle.ts";
import { isDeleted, judge, type ModelRepository, type ModelServer, tagValues } from "./oracle_view.ts";

/** Most differences described. */
const MAX_DIFFERENCES = 20;

/** What is known of a whole run. */
export interface Evidence {
  readonly machines: ReadonlyMap<string, Machine>;
  readonly ledger: Ledger;
  readonly commits: Commits;
}

/**
 * Differences between what every server serves and what the oracle says, one sentence each; none when the
 * network has converged. All machines must be up.
 *
 * Left open, because the order of arrival decides: requests for deletion, comments whose issue was deleted,
 * what belongs to a repository that was deleted or left the server, and what servers learned of each other
 * only through one. Never open: that something deleted is served where its deletion is known, or an old
 * announcement where a newer one is.
 */
export async function differences(evidence: Evidence): Promise<string[]> {
  const { machines, ledger } = evidence;
  const start = await startingPoint(evidence);
  const [least, lasting, most] = (["least", "lasting", "most"] as const).map((bound) =>
    predict(start, bound)
  );
  const found: string[] = [];
  for (const [host, machine] of machines) {
    const isLoose = looseness(ledger, start.listings, host);
    const { judgement } = least!.get(host)!;
    const { candidates } = lasting!.get(host)!;
    const upper = most!.get(host)!;
    const items = await machine.store.items({ tags: new Map() }, 1_000_000) ?? [];
    const served = new Set(items.map(({ id }) => id));
    const held = [...served].flatMap((id) => ledger.events.get(id)?.event ?? []);
    // An older version may stay where the newer one need not arrive.
    const isAllowed = (event: NostrEvent) =>
      upper.judgement.served.has(event.id) || judgement.served.has(event.id) ||
      (upper.candidates.has(event.id) &&
        [...upper.judgement.served.values()].some((other) => replaces(other, event)));
    // A maintainer's announcement outlives the one that let it in, and is not renewed any more.
    const isLeftOver = (event: NostrEvent) =>
      isLoose(event) &&
      !event.tags.some(([name, ...urls]) => name === "relays" && urls.includes(`wss://${host}`));
    const lower = least!.get(host)!.candidates;
    const asked = [...upper.candidates.values()].filter(({ kind }) => kind === KIND.deletion);
    // Deleted by a request, or replaced by a version, of which it is uncertain how far it came.
    const isMaybeGone = (event: NostrEvent) =>
      isDeleted(event, asked) || held.some((other) => replaces(other, event)) ||
      [...ledger.events.values()].some((sent) => replaces(sent.event, event) && !lower.has(sent.event.id));
    for (const [id, event] of judgement.served) {
      if (!served.has(id) && !isLoose(event) && !isMaybeGone(event)) {
        found.push(`${host} lacks ${describe(event)}${await whereIs(machine, id)}`);
      }
    }
    const requests = [...candidates.values()].filter(({ kind }) => kind === KIND.deletion);
    for (const id of served) {
      const event = ledger.events.get(id)?.event;
      if (!event) found.push(`${host} serves ${id}, which nobody made`);
      else if (isOutdated(event, lower) && !isLeftOver(event)) {
        found.push(`${host} serves an older version: ${describe(event)}`);
      } else if (isDeleted(event, requests)) found.push(`${host} serves deleted ${describe(event)}`);
      else if (!isAllowed(event) && !isLoose(event)) {
        found.push(`${host} serves ${describe(event)} too much`);
      }
    }
    // Refs follow the states that are served, whatever these ought to be.
    for (const repository of judge(modelOf(machine, held, start.listings)).repositories) {
      if (!repository.hosted || !repository.served || isLoose(repository.announcement.event)) continue;
      found.push(...refDifferences(machine, repository));
    }
    found.push(
      ...missingPullRequestRefs(machine, judgement, (event) => served.has(event.id) && !isLoose(event)),
    );
  }
  return found.slice(0, MAX_DIFFERENCES);
}

/** What users were promised, and what servers that died over an answer kept. */
async function startingPoint({ machines, ledger, commits }: Evidence): Promise<OracleInput> {
  const accepted = new Map<string, NostrEvent[]>();
  for (const [host, machine] of machines) {
    const events: NostrEvent[] = [];
    for (const { event, told } of ledger.events.values()) {
      const answer = told.get(host);
      const kept = answer === "accepted" || (answer === "unknown" && await holds(machine, event.id));
      if (kept) events.push(event);
    }
    accepted.set(host, events);
  }
  const pushed = ledger.pushes.filter(({ acknowledged, host, identifier, oids }) =>
    acknowledged ||
    [...machines.get(host)!.disk.repositories.values()].some(({ ref, objects }) =>
      ref.identifier === identifier && oids.every((oid) => objects.has(oid))
    )
  );
  const hosts = new Map([...machines].map(([host, { bootstrap }]) => [host, bootstrap]));
  const listings = new Listings([...ledger.events.values()].map(({ event }) => event));
  return { accepted, pushed, hosts, commits, listings };
}

async function holds({ store }: Machine, id: string): Promise<boolean> {
  return await store.has(id) || await store.waitingEvent(id) !== undefined;
}

async function whereIs({ store }: Machine, id: string): Promise<string> {
  if (await store.waitingKind(id)) return " (waits in purgatory)";
  return await store.isExpired(id) ? " (expired from purgatory)" : "";
}

/** Events whose fate depends on the order of arrival. */
function looseness(
  { events }: Ledger,
  listings: Listings,
  host: string,
): (event: NostrEvent) => boolean {
  const requests = [...events.values()].map(({ event }) => event).filter(({ kind }) =>
    kind === KIND.deletion
  );
  const isLoose = (event: NostrEvent): boolean => {
    if (event.kind === KIND.deletion) return true;
    if (tagValues(event, "d").some((name) => listings.isUnsettled(name, host))) return true;
    const names = tagValues(event, "aAq").filter((value) => value.includes(":"));
    if (names.some((name) => listings.isUnsettled(name.split(":").slice(2).join(":"), host))) return true;
    const targets = tagValues(event, "eEq").flatMap((id) => events.get(id)?.event ?? []);
    const lost = targets.filter((target) => isLoose(target) || isDeleted(target, requests));
    return names.length === 0 && targets.length > 0 && lost.length === targets.length;
  };
  return isLoose;
}

/** True for an announcement of which a newer version certainly arrived. */
function isOutdated(event: NostrEvent, candidates: ReadonlyMap<string, NostrEvent>): boolean {
  return event.kind === KIND.announcement && [...candidates.values()].some((other) => replaces(other, event));
}

/** True when `other` is a newer version of `event` (NIP-01). */
function replaces(other: NostrEvent, event: NostrEvent): boolean {
  return kindClass(event.kind) === "addressable" && other.kind === event.kind &&
    other.pubkey === event.pubkey && tagValues(other, "d")[0] === tagValues(event, "d")[0] &&
    compareNewestFirst(other, event) < 0;
}

/** A machine as it is: what it serves, and the objects on its disk. */
function modelOf(
  { host, bootstrap, disk }: Machine,
  events: readonly NostrEvent[],
  listings: Listings,
): ModelServer {
  const objects = new Map<string, Set<string>>();
  for (const { ref, objects: own } of disk.repositories.values()) {
    objects.set(ref.identifier, own.union(objects.get(ref.identifier) ?? new Set()));
  }
  return {
    host,
    bootstrap,
    deletes: true,
    candidates: new Map(events.map((event) => [event.id, event])),
    objects,
    hostsOf: (announcement) => listings.hosts(announcement, "written"),
    isForgotten: () => false,
  };
}

function refDifferences(
  { host, disk }: Machine,
  { announcement, governing }: ModelRepository,
): string[] {
  const name = `${host} ${announcement.owner.slice(0, 8)}/${announcement.identifier}`;
  const repository = disk.find(announcement);
  if (!repository) return [`${name} has no repository`];
  const found: string[] = [];
  const branches = new Map([...repository.refs].filter(([ref]) => /^refs\/(heads|tags)\//.test(ref)));
  const wanted = governing?.refs ?? new Map<string, string>();
  const equal = branches.size === wanted.size && [...wanted].every(([ref, oid]) => branches.get(ref) === oid);
  if (!equal) found.push(`${name} has refs ${list(branches)} instead of ${list(wanted)}`);
  if (governing?.head !== undefined && repository.head !== governing.head) {
    found.push(`${name} has HEAD ${repository.head} instead of ${governing.head}`);
  }
  return found;
}

/** A served pull request has its ref in at least one repository it concerns. */
function missingPullRequestRefs(
  { host, disk }: Machine,
  { served, wantedPullRequests }: Expected["judgement"],
  isHeld: (event: NostrEvent) => boolean,
): string[] {
  return wantedPullRequests.filter(({ event, commit, relevant }) =>
    served.has(event.id) && isHeld(event) &&
    !relevant.some((one) => disk.find(one)?.refs.get(`refs/nostr/${event.id}`) === commit)
  ).map(({ event }) => `${host} has no ref of pull request ${event.id.slice(0, 8)}`);
}

function list(refs: ReadonlyMap<string, string>): string {
  return [...refs].sort().map(([ref, oid]) => `${ref}=${oid.slice(0, 6)}`).join(",") || "(none)";
}

function describe(event: NostrEvent): string {
  const named = tagValues(event, "d")[0] ?? tagValues(event, "a")[0]?.split(":")[2] ?? "";
  return `kind ${event.kind} ${event.id.slice(0, 8)} ${named}`.trim();
}
