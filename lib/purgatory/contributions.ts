import type { RepositoryRef } from "../git/mod.ts";
import {
  contributionIdentifiers,
  encodeNpub,
  KIND,
  type NostrEvent,
  parsePullRequest,
  type PullRequest,
} from "../nostr/mod.ts";
import type { ReleaseVia } from "../observe/mod.ts";
import { Authority, type IdentifierView, relevantOwners, servedView } from "../policy/mod.ts";
import type { DirtyMark, RepositoryKey } from "../store/mod.ts";
import type { ReleaseParts } from "./ports.ts";
import { clearPullRequestRef, placePullRequest, relevantRepositories } from "./pull_requests.ts";

/** The repository of a contributor. */
export function contributionRef({ owner, identifier }: RepositoryKey): RepositoryRef {
  return { space: "prs", owner, identifier };
}

/**
 * The signer's own repositories below `/prs/` that a pull request names in `a` and `clone` and that
 * exist (GRASP-06). None when they are not offered.
 */
export async function contributionsOf(
  { contributions, repositories }: ReleaseParts,
  pullRequest: PullRequest,
): Promise<RepositoryRef[]> {
  if (!contributions) return [];
  const found: RepositoryRef[] = [];
  for (const identifier of contributionIdentifiers(pullRequest, contributions.domain)) {
    const repository = contributionRef({ owner: pullRequest.event.pubkey, identifier });
    if (await repositories.exists(repository)) found.push(repository);
  }
  return found;
}

/**
 * Deletes the ref of an event in a contributor's repository, and the repository when it was the last.
 * When they are not offered, what lies there stays as it is.
 */
export async function clearContribution(
  parts: ReleaseParts,
  scope: RepositoryKey,
  id: string,
): Promise<boolean> {
  if (!parts.contributions) return true;
  const repository = contributionRef(scope);
  const isCleared = await clearPullRequestRef(parts, repository, id, undefined);
  await tidyContribution(parts, repository);
  return isCleared;
}

/**
 * Removes a contributor's repository without refs. One that others than `ownUses` use is noted, to be
 * removed when they are done. The caller holds the identifier's lock.
 */
export async function tidyContribution(
  { contributions, repositories, log }: ReleaseParts,
  repository: RepositoryRef,
  ownUses = 0,
): Promise<void> {
  if (!contributions) return;
  const result = await repositories.remove(repository, { force: false, ownUses });
  if (result === "in-use") contributions.idle.note(repository);
  else contributions.idle.forget(repository);
  await contributions.usage.update(repository);
  if (result !== "failed") return;
  log.warn("a contributor's empty repository could not be removed", {
    repo: repository.identifier,
    npub: encodeNpub(repository.owner),
  });
}

/**
 * Serves waiting pull requests whose commit lies in the contributor's repository `source`, and gives
 * them their ref in every hosted repository they belong to (GRASP-06). Announcements and states are
 * left alone. What cannot be copied is marked, to be tried again by the sweep.
 *
 * The caller holds the lock of the repository's identifier.
 */
export async function serveContributions(
  parts: ReleaseParts,
  source: RepositoryRef,
  pullRequests: readonly PullRequest[],
  via: ReleaseVia,
): Promise<void> {
  const { store, clock, counters, notify, log } = parts;
  for (const pullRequest of pullRequests) {
    const { event } = pullRequest;
    const { placed, failed } = await mirror(parts, source, pullRequest);
    if (!placed) continue;
    const waiting = await store.waitingPullRequest(event.id);
    const [verdict] = await store.commit({
      insertEvents: [{ event }],
      removePullRequests: [event.id],
      removePlaceholders: [event.id],
      removeExpired: [event.id],
      putDirty: marks(parts, failed),
    });
    if (verdict !== "stored") continue;
    if (waiting) {
      counters.released("pr", waiting.source);
      counters.waited("pr", via, (clock.now() - waiting.firstEnteredAt) / 1000);
    }
    counters.stored(event.kind);
    log.info("pull request released", {
      repo: source.identifier,
      npub: encodeNpub(event.pubkey),
      event_id: event.id,
    });
    notify(event);
  }
}

/** Gives a served pull request its ref in the hosted repositories; what cannot be copied is marked. */
export async function mirrorContribution(
  parts: ReleaseParts,
  source: RepositoryRef,
  pullRequest: PullRequest,
): Promise<void> {
  const { failed } = await mirror(parts, source, pullRequest);
  if (failed.length > 0) await parts.store.commit({ putDirty: marks(parts, failed) });
}

async function mirror(parts: ReleaseParts, source: RepositoryRef, pullRequest: PullRequest) {
  const targets = await relevantRepositories(parts, pullRequest);
  return await placePullRequest(parts, pullRequest, targets, [source]);
}

/** Marks of hosted repositories that lack a ref: the sweep tries again. */
export function marks({ clock }: ReleaseParts, failed: readonly RepositoryKey[]): DirtyMark[] {
  return failed.map(({ owner, identifier }) => ({ owner, identifier, since: clock.now() }));
}

/**
 * Gives served pull requests whose data lies below `/prs/` their ref in the repositories of `owners`,
 * whose announcement became known after them. Returns the owners who still lack one.
 */
export async function mirrorServed(
  parts: ReleaseParts,
  view: IdentifierView,
  owners: ReadonlySet<string>,
): Promise<ReadonlySet<string>> {
  const failing = new Set<string>();
  if (!parts.contributions || owners.size === 0) return failing;
  const served = servedView(view, owners);
  for (const pullRequest of await servedPullRequests(parts, served, owners)) {
    const sources = await contributionsOf(parts, pullRequest);
    if (sources.length === 0) continue;
    const targets: RepositoryKey[] = [];
    for (const owner of relevantOwners(served, pullRequest)) {
      const target = { owner, identifier: view.identifier };
      if (owners.has(owner) && await parts.repositories.exists(target)) targets.push(target);
    }
    const { failed } = await placePullRequest(parts, pullRequest, targets, sources);
    for (const { owner } of failed) failing.add(owner);
  }
  return failing;
}

/** Stored pull requests addressed to one of `owners` or to somebody they trust. */
async function servedPullRequests(
  { store }: ReleaseParts,
  served: IdentifierView,
  owners: ReadonlySet<string>,
): Promise<PullRequest[]> {
  const authority = new Authority(served);
  const keys = new Set([...owners].flatMap((owner) => [...authority.of(owner) ?? []]));
  const addresses = [...keys].map((key) => `${KIND.announcement}:${key}:${served.identifier}`);
  if (addresses.length === 0) return [];
  const kinds = [KIND.pullRequest, KIND.pullRequestUpdate];
  const { events } = await store.query([{ kinds, tags: new Map([["a", addresses]]), limit: 5_000 }]);
  return events.flatMap((text) => {
    const parsed = parsePullRequest(JSON.parse(text) as NostrEvent);
    return parsed.ok ? [parsed.pullRequest] : [];
  });
}
