import {
  addressIdentifier,
  isPullRequest,
  KIND,
  type NostrEvent,
  parsePullRequest,
  type PullRequest,
  refuse,
} from "../nostr/mod.ts";
import {
  decideDeletion,
  type DeletionRequest,
  names,
  parseDeletion,
  tombstonesOf,
  type Verdict,
  viewOf,
} from "../policy/mod.ts";
import {
  applyEffects,
  clearContribution,
  clearPullRequestRef,
  contributionsOf,
  pullRequestLock,
  relevantRepositories,
} from "../purgatory/mod.ts";
import type { Changes } from "../store/mod.ts";
import type { IntakeParts } from "./ports.ts";
import { storeVerdict } from "./verdicts.ts";

/** Kinds whose deletion concerns a repository and is decided per identifier. */
const REPOSITORY_KINDS: ReadonlySet<number> = new Set([KIND.announcement, KIND.state]);

const CONCERNS_NOTHING = refuse(
  "blocked",
  "other",
  "deletion request does not concern events on this relay",
);

/**
 * Judges a deletion request (NIP-09): accepted, stored and broadcast unless the operator restricts them,
 * because it is the durable record that keeps its targets from coming back. Targets of other authors are
 * skipped.
 *
 * Removals come first and the request is stored last: after a crash in between the client, which got
 * no answer, sends it again.
 */
export async function admitDeletion(parts: IntakeParts, event: NostrEvent): Promise<Verdict> {
  if (parts.limits.ignoreDeletionRequests) return await keep(parts, { insertEvents: [{ event }] });
  const request = parseDeletion(event);
  const found = await targetsOf(parts, request);
  if (parts.limits.restrictDeletionRequests && !await concernsUs(parts, request, found)) {
    return CONCERNS_NOTHING;
  }
  const identifiers = [...found.identifiers];
  return await parts.locks.run([...identifiers, ...found.locks], async () => {
    for (const identifier of identifiers) {
      const view = viewOf(identifier, await parts.store.readIdentifier(identifier));
      const applied = await applyEffects(parts, identifier, decideDeletion(view, request));
      if (!applied.ok) return applied;
    }
    for (const pullRequest of found.contributed) await removeContribution(parts, pullRequest);
    const stillWaiting = await Promise.all(
      found.pullRequests.map((id) => parts.store.waitingPullRequest(id)),
    );
    const verdict = await keep(parts, {
      insertEvents: [{ event }],
      // A pull request that waited may have been released before its locks were free.
      removeEvents: [...found.served, ...found.pullRequests],
      removePullRequests: found.pullRequests,
      putTombstones: tombstonesOf(request),
    });
    for (const row of stillWaiting) if (row) parts.counters.removed("pr", "deleted");
    return verdict;
  });
}

/** Commits the request with what it changes, and tells everybody when it is new. */
async function keep(
  { store, counters, notify }: IntakeParts,
  changes: Changes & { readonly insertEvents: readonly [{ readonly event: NostrEvent }] },
): Promise<Verdict> {
  const [{ event }] = changes.insertEvents;
  const [verdict] = await store.commit(changes);
  if (verdict === "stored") {
    counters.stored(event.kind);
    notify(event);
  }
  return storeVerdict(verdict!);
}

/** True when the request names something of its author that is, was or may be here, or is related itself. */
async function concernsUs(
  { store }: IntakeParts,
  { event, ids }: DeletionRequest,
  { identifiers, served, pullRequests }: Awaited<ReturnType<typeof targetsOf>>,
): Promise<boolean> {
  if (identifiers.size + served.length + pullRequests.length > 0) return true;
  for (const id of ids) if (await store.isTombstoned({ ...event, id })) return true;
  return await store.isRelated(event);
}

/** Events the request names: repository events by their identifier, all others by id. */
async function targetsOf(parts: IntakeParts, request: DeletionRequest) {
  const { store } = parts;
  const identifiers = new Set<string>();
  const served: string[] = [];
  const pullRequests: string[] = [];
  const locks: string[] = [];
  const contributed: PullRequest[] = [];
  const consider = (event: NostrEvent | undefined) => {
    if (!event || !names(request, event, addressIdentifier(event) ?? "")) return;
    if (REPOSITORY_KINDS.has(event.kind)) identifiers.add(addressIdentifier(event) ?? "");
    else {
      served.push(event.id);
      const parsed = parts.contributions && isPullRequest(event.kind) ? parsePullRequest(event) : undefined;
      if (!parsed?.ok) return;
      contributed.push(parsed.pullRequest);
      locks.push(
        pullRequestLock(event.id),
        ...parsed.pullRequest.targets.map(({ identifier }) => identifier),
      );
    }
  };
  for (const event of await store.get([...request.ids])) consider(event);
  for (const id of request.ids) {
    const waiting = await store.waitingEvent(id);
    if (waiting?.pubkey !== request.event.pubkey) continue;
    if (REPOSITORY_KINDS.has(waiting.kind)) identifiers.add(addressIdentifier(waiting) ?? "");
    else {
      pullRequests.push(id);
      const parsed = parsePullRequest(waiting);
      const targets = parsed.ok ? parsed.pullRequest.targets : [];
      locks.push(pullRequestLock(id), ...targets.map(({ identifier }) => identifier));
    }
  }
  for (const { kind, pubkey, identifier } of request.coordinates) {
    if (REPOSITORY_KINDS.has(kind)) identifiers.add(identifier);
    else consider(await store.currentVersion(kind, pubkey, identifier));
  }
  return { identifiers, served, pullRequests, locks, contributed };
}

/** A pull request its author takes back: its ref below `/prs/` goes, and the copies of it (GRASP-06). */
async function removeContribution(parts: IntakeParts, pullRequest: PullRequest): Promise<void> {
  const { event } = pullRequest;
  const sources = await contributionsOf(parts, pullRequest);
  for (const source of sources) await clearContribution(parts, source, event.id);
  if (sources.length === 0) return;
  for (const target of await relevantRepositories(parts, pullRequest)) {
    await clearPullRequestRef(parts, target, event.id, undefined);
  }
}
