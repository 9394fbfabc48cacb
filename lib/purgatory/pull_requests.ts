import { isOid, type PullRequest, pullRequestRef, ZERO_OID } from "../nostr/mod.ts";
import { type IdentifierView, relevantOwners, servedView, viewOf } from "../policy/mod.ts";
import type { RepositoryRef } from "../git/mod.ts";
import type { RepositoryKey } from "../store/mod.ts";
import type { ReleaseParts } from "./ports.ts";

/** The part of {@link ReleaseParts} that looks at repositories and rows. */
type DiskParts = Pick<ReleaseParts, "store" | "repositories" | "log">;

/**
 * Repositories on disk that have to carry the ref of a pull request, over all identifiers it names.
 *
 * Only the lock of the caller's identifier is held. Other identifiers are read as they are: their
 * refs of the same name can only ever get the same value, and a use count keeps directories alive.
 *
 * @param view current view of one identifier, used instead of reading it again
 * @param promoted owners of that identifier whose announcement is served as of this unit of work
 */
export async function relevantRepositories(
  { store, repositories }: DiskParts,
  pullRequest: PullRequest,
  view?: IdentifierView,
  promoted?: ReadonlySet<string>,
): Promise<RepositoryKey[]> {
  const found: RepositoryKey[] = [];
  for (const identifier of new Set(pullRequest.targets.map((target) => target.identifier))) {
    const served = identifier === view?.identifier
      ? servedView(view, promoted)
      : servedView(viewOf(identifier, await store.readIdentifier(identifier)));
    for (const owner of relevantOwners(served, pullRequest)) {
      if (await repositories.exists({ owner, identifier })) found.push({ owner, identifier });
    }
  }
  return found;
}

/** The first of `candidates` that holds the commit of a pull request with all its history. */
export async function commitHolder(
  { repositories }: DiskParts,
  { commit }: PullRequest,
  candidates: readonly RepositoryRef[],
): Promise<RepositoryRef | undefined> {
  if (!isOid(commit)) return undefined;
  for (const candidate of candidates) {
    if ((await repositories.present(candidate, [commit])).get(commit) !== "commit") continue;
    if ((await repositories.complete(candidate, [commit])).has(commit)) return candidate;
  }
  return undefined;
}

/** Where the ref of a pull request got to. */
export interface Placement {
  /** At least one repository has it: only then may the pull request be served. */
  readonly placed: boolean;
  /** Hosted repositories that should have it and do not. */
  readonly failed: readonly RepositoryKey[];
}

/**
 * Gives `refs/nostr/<id>` its commit in every relevant repository, and in the first of the
 * contributors' repositories `sources` that has the commit: those are only ever copied from.
 */
export async function placePullRequest(
  parts: ReleaseParts,
  pullRequest: PullRequest,
  targets: readonly RepositoryKey[],
  sources: readonly RepositoryRef[] = [],
): Promise<Placement> {
  const holder = await commitHolder(parts, pullRequest, [...sources, ...targets]);
  if (!holder) return { placed: false, failed: [] };
  let placed = false;
  const failed: RepositoryKey[] = [];
  for (const target of holder.space === "prs" ? [holder, ...targets] : targets) {
    const done = parts.repositories.use(target);
    let isPlaced = false;
    try {
      isPlaced = await placeIn(parts, pullRequest, holder, target);
    } catch (error) {
      parts.counters.processingFailed("8");
      parts.log.error("pull request could not be placed", {
        repo: target.identifier,
        event_id: pullRequest.event.id,
        error: String(error),
      });
    } finally {
      done();
    }
    placed ||= isPlaced;
    if (!isPlaced && target !== holder) failed.push(target);
  }
  return { placed, failed };
}

async function placeIn(
  { repositories }: DiskParts,
  { event, commit }: PullRequest,
  holder: RepositoryRef,
  target: RepositoryRef,
): Promise<boolean> {
  const name = pullRequestRef(event.id);
  const current = (await repositories.readRefs(target)).refs.get(name);
  if (current === commit) return true;
  if (target !== holder && !(await repositories.complete(target, [commit])).has(commit)) {
    if (!await repositories.copyObjects(holder, target, [commit])) return false;
  }
  const failed = await repositories.changeRefs(target, [refChange(name, current, commit)]);
  return failed.length === 0;
}

/** Deletes `refs/nostr/<id>` in a repository where it points to anything but `keep`. False when git refused. */
export async function clearPullRequestRef(
  { repositories, log }: DiskParts,
  repository: RepositoryRef,
  id: string,
  keep: string | undefined,
): Promise<boolean> {
  if (!await repositories.exists(repository)) return true;
  const name = pullRequestRef(id);
  const current = (await repositories.readRefs(repository)).refs.get(name);
  if (current === undefined || current === keep) return true;
  const failed = await repositories.changeRefs(repository, [refChange(name, current, undefined)]);
  if (failed.length > 0) {
    log.warn("pull request ref could not be deleted", { repo: repository.identifier, event_id: id });
  }
  return failed.length === 0;
}

function refChange(ref: string, oldOid: string | undefined, newOid: string | undefined) {
  return { ref, oldOid: oldOid ?? ZERO_OID, newOid: newOid ?? ZERO_OID };
}

/**
 * Waiting pull requests whose commit is in one of these repositories: one look per repository,
 * however many pull requests wait.
 */
export async function arrivedPullRequests(
  { repositories }: DiskParts,
  view: IdentifierView,
  owners: readonly string[],
): Promise<PullRequest[]> {
  const waiting = view.waitingPullRequests.map(({ pullRequest }) => pullRequest);
  const commits = [...new Set(waiting.map(({ commit }) => commit).filter(isOid))];
  const here = new Set<string>();
  for (const owner of commits.length > 0 ? owners : []) {
    const present = await repositories.present({ owner, identifier: view.identifier }, commits);
    for (const commit of present.keys()) here.add(commit);
  }
  return waiting.filter(({ commit }) => here.has(commit));
}
