import { encodeNpub, KIND, type NostrEvent, type PullRequest, type State } from "../nostr/mod.ts";
import {
  type Alignment,
  type IdentifierView,
  planRelease,
  type ReleaseOutcome,
  type ReleasePlan,
  settleRelease,
  viewOf,
} from "../policy/mod.ts";
import type { PurgatoryType } from "../observe/mod.ts";
import type { Changes, DirtyMark, RepositoryKey, WaitingSource, WaitingState } from "../store/mod.ts";
import { type DiskFacts, readDisk } from "./completeness.ts";
import { contributionsOf, marks, mirrorServed } from "./contributions.ts";
import { repositoryPin } from "./pins.ts";
import type { ReleaseParts } from "./ports.ts";
import { arrivedPullRequests, placePullRequest, relevantRepositories } from "./pull_requests.ts";

/** What a release is asked to look at. */
export interface ReleaseRequest {
  readonly identifier: string;
  /** A state that is not a row yet: judged like a waiting one, served only if its data is here. */
  readonly incoming?: State;
  /** The same for a pull request. */
  readonly incomingPullRequest?: PullRequest;
  /** Owner of the repository that just received data. */
  readonly receivedBy?: string;
  /** The repository of `receivedBy` may lack refs of pull requests that are served already (GRASP-06). */
  readonly mirrorAgain?: boolean;
}

/** What a release led to. */
export interface Released {
  /** Ids of the events that are served now. */
  readonly served: ReadonlySet<string>;
  /** Owners whose repository equals its governing state. */
  readonly aligned: ReadonlySet<string>;
}

/**
 * Door 2: re-evaluates everything that waits under one identifier against the git data on disk.
 * Repositories are aligned, then one transaction serves what became complete, then subscribers hear
 * of it. Running it again with nothing new changes nothing and notifies nobody.
 *
 * The caller holds the identifier's lock.
 */
export async function release(parts: ReleaseParts, request: ReleaseRequest): Promise<Released> {
  const { identifier, incoming, receivedBy } = request;
  const rows = await parts.store.readIdentifier(identifier);
  const view = withIncoming(viewOf(identifier, rows), incoming);
  const disk = await readDisk(parts.repositories, view, incoming, receivedBy);
  const plan = planRelease(view, new Set(disk.donors.keys()), new Set(disk.owners));
  await markDirty(parts, view.identifier, plan, disk, receivedBy);
  const { aligned, failed } = await alignAll(parts, view, plan, disk);
  const outcome = settleRelease(view, plan, aligned);
  const placed = await placeAll(parts, view, outcome, disk, request.incomingPullRequest);
  const late = new Set(outcome.promote.map(({ owner }) => owner));
  if (request.mirrorAgain && receivedBy !== undefined) late.add(receivedBy);
  const lacking = [...await mirrorServed(parts, view, late)].map((owner) => ({ owner, identifier }));
  const unfinished = [...failed, ...marks(parts, [...lacking, ...placed.failed])];
  const served = await serve(parts, view, plan, outcome, {
    disk,
    failed: unfinished,
    pullRequests: placed.events,
  });
  return { served, aligned };
}

/** Gives complete pull requests their refs; those that have one somewhere may be served. */
async function placeAll(
  parts: ReleaseParts,
  view: IdentifierView,
  outcome: ReleaseOutcome,
  disk: DiskFacts,
  incoming: PullRequest | undefined,
): Promise<{ events: readonly NostrEvent[]; failed: readonly RepositoryKey[] }> {
  const promoted = new Set(outcome.promote.map(({ owner }) => owner));
  const arrived = await arrivedPullRequests(parts, view, disk.owners);
  const events: NostrEvent[] = [];
  const failed: RepositoryKey[] = [];
  for (const pullRequest of incoming ? [...arrived, incoming] : arrived) {
    const targets = await relevantRepositories(parts, pullRequest, view, promoted);
    const sources = pullRequest === incoming ? await contributionsOf(parts, pullRequest) : [];
    const placement = await placePullRequest(parts, pullRequest, targets, sources);
    if (placement.placed) events.push(pullRequest.event);
    if (sources.length > 0) failed.push(...placement.failed);
  }
  return { events, failed };
}

/**
 * Durable before any ref moves: after a crash between git and database the start looks at these
 * repositories again. The repository that received data was marked before its upload.
 */
async function markDirty(
  { store, clock }: ReleaseParts,
  identifier: string,
  plan: ReleasePlan,
  disk: DiskFacts,
  receivedBy: string | undefined,
): Promise<void> {
  const marks: DirtyMark[] = [];
  for (const { owner, state } of plan.alignments) {
    if (owner === receivedBy || !await disk.differs(owner, state)) continue;
    marks.push({ owner, identifier, since: clock.now() });
  }
  if (marks.length > 0) await store.commit({ putDirty: marks });
}

/** The incoming state takes part like a row that entered now. */
function withIncoming(view: IdentifierView, incoming: State | undefined): IdentifierView {
  if (!incoming) return view;
  const row: WaitingState = {
    event: incoming.event,
    author: incoming.author,
    identifier: incoming.identifier,
    source: "direct",
    firstEnteredAt: 0,
    enteredAt: 0,
    deadlineAt: 0,
  };
  return { ...view, waitingStates: [...view.waitingStates, { state: incoming, row }] };
}

async function alignAll(parts: ReleaseParts, view: IdentifierView, plan: ReleasePlan, disk: DiskFacts) {
  const aligned = new Set<string>();
  const failed: DirtyMark[] = [];
  for (const alignment of plan.alignments) {
    if (await alignOne(parts, view.identifier, alignment, disk)) aligned.add(alignment.owner);
    else failed.push({ owner: alignment.owner, identifier: view.identifier, since: parts.clock.now() });
  }
  return { aligned, failed };
}

/** Copies what is missing and makes refs and HEAD equal the state. False when either did not work. */
async function alignOne(
  { repositories, log }: ReleaseParts,
  identifier: string,
  { owner, state }: Alignment,
  { donors }: DiskFacts,
): Promise<boolean> {
  const target = { owner, identifier };
  const done = repositories.use(target);
  try {
    const oids = [...new Set(state.refs.values())];
    const donor = donors.get(state.event.id);
    if (donor !== undefined && donor !== owner) {
      const here = await repositories.complete(target, oids);
      const missing = oids.filter((oid) => !here.has(oid));
      if (
        missing.length > 0 && !await repositories.copyObjects({ owner: donor, identifier }, target, missing)
      ) {
        return false;
      }
    }
    const { failed } = await repositories.align(target, state);
    if (failed.length === 0) return true;
    log.warn("refs could not be aligned", {
      ...subject(owner, identifier),
      reason: failed.slice(0, 5).join(", "),
    });
  } catch (error) {
    log.error("repository could not be aligned", { ...subject(owner, identifier), error: String(error) });
  } finally {
    done();
  }
  return false;
}

/** The database half: one transaction, then notifications in the order clients can use. */
async function serve(
  { store, notify, counters, pins, log }: ReleaseParts,
  view: IdentifierView,
  plan: ReleasePlan,
  outcome: ReleaseOutcome,
  { disk, failed, pullRequests }: {
    disk: DiskFacts;
    failed: readonly DirtyMark[];
    pullRequests: readonly NostrEvent[];
  },
): Promise<ReadonlySet<string>> {
  const { identifier } = view;
  const events = [
    ...outcome.promote.map(({ event }) => ({ event, hosted: true })),
    ...outcome.serve.map(({ event }) => ({ event })),
    ...pullRequests.map((event) => ({ event })),
  ];
  const gone = [...outcome.serve.map(({ event }) => event.id), ...plan.superseded, ...plan.unauthorised];
  const dirtyNow = new Set(failed.filter((mark) => mark.identifier === identifier).map(({ owner }) => owner));
  const changes: Changes = {
    insertEvents: events,
    removeAnnouncements: outcome.promote.map(({ owner }) => ({ owner, identifier })),
    removeStates: gone,
    removePullRequests: pullRequests.map(({ id }) => id),
    removePlaceholders: pullRequests.map(({ id }) => id),
    removeExpired: events.map(({ event }) => event.id),
    // A push that still runs may move refs later: its mark stays until it is settled.
    removeDirty: disk.owners.map((owner) => ({ owner, identifier }))
      .filter((repository) => !dirtyNow.has(repository.owner) && !pins.has(repositoryPin(repository))),
    putDirty: failed,
  };
  const verdicts = await store.commit(changes);
  for (const id of plan.unauthorised) {
    log.warn("waiting state dropped: author no longer authorised", { event_id: id });
  }
  for (const id of plan.superseded) log.debug("waiting state dropped: superseded", { event_id: id });
  events.forEach(({ event }, index) => {
    if (verdicts[index] !== "stored") return;
    const type = typeOf(event);
    counters.released(type, sourceOf(view, event.id));
    counters.stored(event.kind);
    const message =
      { announcement: "announcement promoted", state: "state released", pr: "pull request released" }[type];
    log.info(message, { ...subject(event.pubkey, identifier), event_id: event.id });
    notify(event);
  });
  return new Set(events.map(({ event }) => event.id));
}

function typeOf({ kind }: NostrEvent): PurgatoryType {
  return kind === KIND.announcement ? "announcement" : kind === KIND.state ? "state" : "pr";
}

function sourceOf(view: IdentifierView, id: string): WaitingSource {
  const state = view.waitingStates.find(({ row }) => row.event.id === id)?.row;
  const announcement = view.announcements.find(({ waiting }) => waiting?.event.id === id)?.waiting;
  const pullRequest = view.waitingPullRequests.find(({ row }) => row.event.id === id)?.row;
  return (state ?? announcement ?? pullRequest)?.source ?? "direct";
}

function subject(owner: string, identifier: string) {
  return { repo: identifier, npub: encodeNpub(owner) };
}
