import { encodeNpub, KIND, type NostrEvent, type PullRequest, type State } from "../nostr/mod.ts";
import {
  type Alignment,
  type IdentifierView,
  planRelease,
  type ReleaseOutcome,
  type ReleasePlan,
  settleRelease,
  viewOf,
  withoutBlacklisted,
} from "../policy/mod.ts";
import type { PurgatoryType, ReleaseStep, ReleaseVia } from "../observe/mod.ts";
import type { Changes, DirtyMark, RepositoryKey, WaitingState } from "../store/mod.ts";
import { type DiskFacts, readDisk } from "./completeness.ts";
import { contributionsOf, marks, mirrorServed } from "./contributions.ts";
import { repositoryPin } from "./pins.ts";
import type { ReleaseParts } from "./ports.ts";
import { arrivedPullRequests, placePullRequest, relevantRepositories } from "./pull_requests.ts";

/** Entry time of a state that is no row. */
const INCOMING = -1;

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
  /** What may have completed something; a fetch when not given. */
  readonly via?: ReleaseVia;
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
  const startedAt = parts.clock.monotonic();
  try {
    return await run(parts, request);
  } finally {
    parts.counters.processed((parts.clock.monotonic() - startedAt) / 1000);
  }
}

async function run(parts: ReleaseParts, request: ReleaseRequest): Promise<Released> {
  const { identifier, incoming, receivedBy } = request;
  const { view, disk } = await atStep(parts, "3", async () => {
    const rows = await parts.store.readIdentifier(identifier);
    const view = withIncoming(withoutBlacklisted(viewOf(identifier, rows), parts.rules), incoming);
    return { view, disk: await readDisk(parts.repositories, view, incoming, receivedBy) };
  });
  const plan = planRelease(view, new Set(disk.donors.keys()), new Set(disk.owners));
  await atStep(parts, "1", () => markDirty(parts, view.identifier, plan, disk, receivedBy));
  const { aligned, failed, copied } = await alignAll(parts, view, plan, disk);
  const outcome = settleRelease(view, plan, aligned);
  const placed = await atStep(
    parts,
    "8",
    () => placeAll(parts, view, outcome, disk, request.incomingPullRequest),
  );
  const late = new Set(outcome.promote.map(({ owner }) => owner));
  if (request.mirrorAgain && receivedBy !== undefined) late.add(receivedBy);
  const lacking = [...await atStep(parts, "8", () => mirrorServed(parts, view, late))]
    .map((owner) => ({ owner, identifier }));
  const unfinished = [...failed, ...marks(parts, [...lacking, ...placed.failed])];
  const via = request.via ?? "fetch";
  const facts = { disk, failed: unfinished, pullRequests: placed.events, via, copied };
  const served = await atStep(parts, "10", () => serve(parts, view, plan, outcome, facts));
  return { served, aligned };
}

/** Counts a step that fails; the failure goes on to the caller. */
async function atStep<T>({ counters }: ReleaseParts, step: ReleaseStep, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    counters.processingFailed(step);
    throw error;
  }
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
    firstEnteredAt: INCOMING,
    enteredAt: 0,
    deadlineAt: 0,
  };
  return { ...view, waitingStates: [...view.waitingStates, { state: incoming, row }] };
}

async function alignAll(parts: ReleaseParts, view: IdentifierView, plan: ReleasePlan, disk: DiskFacts) {
  const aligned = new Set<string>();
  const copied = new Set<string>();
  const failed: DirtyMark[] = [];
  for (const alignment of plan.alignments) {
    const { owner } = alignment;
    const done = await alignOne(parts, view.identifier, alignment, disk);
    if (done === "failed") failed.push({ owner, identifier: view.identifier, since: parts.clock.now() });
    else aligned.add(owner);
    if (done === "copied") copied.add(owner);
  }
  return { aligned, failed, copied };
}

/** Copies what is missing and makes refs and HEAD equal the state; tells whether copying was needed. */
async function alignOne(
  { repositories, counters, log }: ReleaseParts,
  identifier: string,
  { owner, state }: Alignment,
  { donors }: DiskFacts,
): Promise<"aligned" | "copied" | "failed"> {
  const target = { owner, identifier };
  const done = repositories.use(target);
  let result: "aligned" | "copied" = "aligned";
  try {
    const oids = [...new Set(state.refs.values())];
    const donor = donors.get(state.event.id);
    if (donor !== undefined && donor !== owner) {
      const here = await repositories.complete(target, oids);
      const missing = oids.filter((oid) => !here.has(oid));
      if (missing.length > 0) {
        if (!await repositories.copyObjects({ owner: donor, identifier }, target, missing)) {
          counters.processingFailed("6");
          return "failed";
        }
        result = "copied";
      }
    }
    const { failed } = await repositories.align(target, state);
    if (failed.length === 0) return result;
    log.warn("refs could not be aligned", {
      ...subject(owner, identifier),
      reason: failed.slice(0, 5).join(", "),
    });
  } catch (error) {
    log.error("repository could not be aligned", { ...subject(owner, identifier), error: String(error) });
  } finally {
    done();
  }
  counters.processingFailed("7");
  return "failed";
}

/** What {@link serve} has to know beside the plan. */
interface ServeFacts {
  readonly disk: DiskFacts;
  readonly failed: readonly DirtyMark[];
  readonly pullRequests: readonly NostrEvent[];
  readonly via: ReleaseVia;
  /** Owners whose repository got objects from another one. */
  readonly copied: ReadonlySet<string>;
}

/** The database half: one transaction, then notifications in the order clients can use. */
async function serve(
  parts: ReleaseParts,
  view: IdentifierView,
  plan: ReleasePlan,
  outcome: ReleaseOutcome,
  facts: ServeFacts,
): Promise<ReadonlySet<string>> {
  const { store, notify, counters, pins, log } = parts;
  const { disk, failed, pullRequests } = facts;
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
  reportDropped(parts, view, plan);
  events.forEach(({ event }, index) => {
    if (verdicts[index] !== "stored") return;
    const type = typeOf(event);
    countReleased(parts, view, event, facts);
    counters.stored(event.kind);
    const message =
      { announcement: "announcement promoted", state: "state released", pr: "pull request released" }[type];
    log.info(message, { ...subject(event.pubkey, identifier), event_id: event.id });
    notify(event);
  });
  return new Set(events.map(({ event }) => event.id));
}

function reportDropped({ counters, log }: ReleaseParts, view: IdentifierView, plan: ReleasePlan): void {
  for (const id of plan.unauthorised) {
    log.warn("waiting state dropped: author no longer authorised", { event_id: id });
    if (entryOf(view, id)) counters.removed("state", "unauthorised");
  }
  for (const id of plan.superseded) {
    log.debug("waiting state dropped: superseded", { event_id: id });
    if (entryOf(view, id)) counters.removed("state", "superseded");
  }
}

/** An event whose data was here when it came never waited: it is stored, not released. */
function countReleased(
  { counters, clock }: ReleaseParts,
  view: IdentifierView,
  event: NostrEvent,
  { via, copied }: ServeFacts,
): void {
  const entry = entryOf(view, event.id);
  if (!entry) return;
  const type = typeOf(event);
  const isCopy = type === "announcement" && copied.has(event.pubkey);
  counters.released(type, entry.source);
  counters.waited(type, isCopy ? "copy" : via, (clock.now() - entry.firstEnteredAt) / 1000);
}

function typeOf({ kind }: NostrEvent): PurgatoryType {
  return kind === KIND.announcement ? "announcement" : kind === KIND.state ? "state" : "pr";
}

/** The row that waits under an event id. */
function entryOf(view: IdentifierView, id: string) {
  const state = view.waitingStates.find(({ row }) => row.event.id === id)?.row;
  const announcement = view.announcements.find(({ waiting }) => waiting?.event.id === id)?.waiting;
  const pullRequest = view.waitingPullRequests.find(({ row }) => row.event.id === id)?.row;
  const row = state ?? announcement ?? pullRequest;
  return row === undefined || row.firstEnteredAt === INCOMING ? undefined : row;
}

function subject(owner: string, identifier: string) {
  return { repo: identifier, npub: encodeNpub(owner) };
}
