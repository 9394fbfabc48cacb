import type { Repositories } from "../git/mod.ts";
import { encodeNpub, type State } from "../nostr/mod.ts";
import type { Logger } from "../observe/mod.ts";
import {
  type Alignment,
  type IdentifierView,
  planRelease,
  type ReleaseOutcome,
  type ReleasePlan,
  settleRelease,
  viewOf,
} from "../policy/mod.ts";
import type { Changes, DirtyMark, Store, WaitingSource, WaitingState } from "../store/mod.ts";
import type { Clock } from "../world/mod.ts";
import { type DiskFacts, readDisk } from "./completeness.ts";
import type { Notify, PurgatoryCounters } from "./ports.ts";

/** Parts a release works with. */
export interface ReleaseParts {
  readonly store: Store;
  readonly repositories: Repositories;
  readonly clock: Clock;
  readonly notify: Notify;
  readonly counters: PurgatoryCounters;
  readonly log: Logger;
}

/** What a release is asked to look at. */
export interface ReleaseRequest {
  readonly identifier: string;
  /** A state that is not a row yet: judged like a waiting one, served only if its data is here. */
  readonly incoming?: State;
  /** Owner of the repository that just received data. */
  readonly receivedBy?: string;
}

/**
 * Door 2: re-evaluates everything that waits under one identifier against the git data on disk.
 * Repositories are aligned, then one transaction serves what became complete, then subscribers hear
 * of it. Running it again with nothing new changes nothing and notifies nobody.
 *
 * The caller holds the identifier's lock. Returns the ids of the events that are served now.
 */
export async function release(parts: ReleaseParts, request: ReleaseRequest): Promise<ReadonlySet<string>> {
  const { identifier, incoming, receivedBy } = request;
  const rows = await parts.store.readIdentifier(identifier);
  const view = withIncoming(viewOf(identifier, rows), incoming);
  const disk = await readDisk(parts.repositories, view, incoming, receivedBy);
  const plan = planRelease(view, new Set(disk.donors.keys()), new Set(disk.owners));
  const { aligned, failed } = await alignAll(parts, view, plan, disk);
  const outcome = settleRelease(view, plan, aligned);
  return await serve(parts, view, plan, outcome, { disk, failed });
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
  { store, notify, counters, log }: ReleaseParts,
  view: IdentifierView,
  plan: ReleasePlan,
  outcome: ReleaseOutcome,
  { disk, failed }: { disk: DiskFacts; failed: readonly DirtyMark[] },
): Promise<ReadonlySet<string>> {
  const { identifier } = view;
  const events = [
    ...outcome.promote.map(({ event }) => ({ event, hosted: true })),
    ...outcome.serve.map(({ event }) => ({ event })),
  ];
  const gone = [...outcome.serve.map(({ event }) => event.id), ...plan.superseded, ...plan.unauthorised];
  const dirtyNow = new Set(failed.map(({ owner }) => owner));
  const changes: Changes = {
    insertEvents: events,
    removeAnnouncements: outcome.promote.map(({ owner }) => ({ owner, identifier })),
    removeStates: gone,
    removeExpired: events.map(({ event }) => event.id),
    removeDirty: disk.owners.filter((owner) => !dirtyNow.has(owner)).map((owner) => ({ owner, identifier })),
    putDirty: failed,
  };
  const verdicts = await store.commit(changes);
  for (const id of plan.unauthorised) {
    log.warn("waiting state dropped: author no longer authorised", { event_id: id });
  }
  for (const id of plan.superseded) log.debug("waiting state dropped: superseded", { event_id: id });
  events.forEach(({ event }, index) => {
    if (verdicts[index] !== "stored") return;
    const type = event.kind === 30617 ? "announcement" : "state";
    counters.released(type, sourceOf(view, event.id));
    counters.stored(event.kind);
    log.info(type === "announcement" ? "announcement promoted" : "state released", {
      ...subject(event.pubkey, identifier),
      event_id: event.id,
    });
    notify(event);
  });
  return new Set(events.map(({ event }) => event.id));
}

function sourceOf(view: IdentifierView, id: string): WaitingSource {
  const state = view.waitingStates.find(({ row }) => row.event.id === id)?.row;
  const announcement = view.announcements.find(({ waiting }) => waiting?.event.id === id)?.waiting;
  return (state ?? announcement)?.source ?? "direct";
}

function subject(owner: string, identifier: string) {
  return { repo: identifier, npub: encodeNpub(owner) };
}
