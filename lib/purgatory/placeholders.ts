import { isPullRequest, parsePullRequest, pullRequestIdOf, pullRequestRef, ZERO_OID } from "../nostr/mod.ts";
import { DURATION, LIMIT, type PullRequestKnowledge, type RefCommand } from "../policy/mod.ts";
import type { Placeholder, RepositoryKey } from "../store/mod.ts";
import { clearContribution, contributionRef } from "./contributions.ts";
import { repositoryPin } from "./pins.ts";
import { clearPullRequestRef, placePullRequest, relevantRepositories } from "./pull_requests.ts";
import type { ReleaseParts } from "./ports.ts";

/** Most repositories remembered for one placeholder. */
const MAX_PLACEHOLDER_REPOSITORIES = 1_000;

/** What is known about the event id of each `refs/nostr/` command, by ref; malformed refs are missing. */
export async function knowledgeOf(
  { store }: ReleaseParts,
  commands: readonly RefCommand[],
): Promise<ReadonlyMap<string, PullRequestKnowledge>> {
  const known = new Map<string, PullRequestKnowledge>();
  for (const { ref } of commands) {
    const id = pullRequestIdOf(ref);
    if (id !== undefined) known.set(ref, await lookUp(store, id));
  }
  return known;
}

async function lookUp(store: ReleaseParts["store"], id: string): Promise<PullRequestKnowledge> {
  const waiting = await store.waitingPullRequest(id);
  if (waiting) return { type: "waiting", id, commit: waiting.commit.toLowerCase() };
  const [served] = await store.get([id]);
  if (served) {
    if (!isPullRequest(served.kind)) return { type: "otherKind", id };
    const parsed = parsePullRequest(served);
    return { type: "served", id, commit: parsed.ok ? parsed.pullRequest.commit : undefined };
  }
  if (await store.waitingKind(id) !== undefined) return { type: "otherKind", id };
  return await store.placeholder(id) ? { type: "placeholder", id } : { type: "unknown", id };
}

/** True when this repository or the server does not take all the unannounced pull request refs of a push. */
export async function placeholdersFull(
  { store }: ReleaseParts,
  repository: RepositoryKey,
  pushed: ReadonlyMap<string, PullRequestKnowledge>,
): Promise<boolean> {
  const count = [...pushed.values()].filter(({ type }) => type === "unknown").length;
  return await store.placeholdersIn(repository) + count > LIMIT.placeholdersPerRepository ||
    (await store.waitingCounts()).placeholders + count > LIMIT.placeholders;
}

/**
 * After git moved `refs/nostr/` refs: a ref that is no commit, or that an event known by now
 * contradicts, is deleted; one whose event is unknown becomes a placeholder, or renews its own.
 * Runs under the lock of every id, so that an event arriving meanwhile is seen.
 */
export async function settlePullRequestRefs(
  parts: ReleaseParts,
  repository: RepositoryKey,
  applied: readonly RefCommand[],
): Promise<void> {
  const { store, repositories } = parts;
  for (const { ref, newOid } of applied) {
    const id = pullRequestIdOf(ref);
    if (id === undefined || newOid === ZERO_OID) continue;
    const known = await lookUp(store, id);
    const isCommit = (await repositories.present(repository, [newOid])).get(newOid) === "commit";
    const contradicted = known.type === "otherKind" || ("commit" in known && known.commit !== newOid);
    if (!isCommit || contradicted) {
      const keep = isCommit && "commit" in known ? known.commit : undefined;
      await clearPullRequestRef(parts, repository, id, keep);
      if (known.type === "served") await setAgain(parts, repository, id);
    } else if (known.type === "unknown" || known.type === "placeholder") {
      await keepPlaceholder(parts, repository, id, newOid);
    }
  }
}

/** A served pull request that was here when a push moved its ref has it again, when it belongs here. */
async function setAgain(
  parts: ReleaseParts,
  { owner, identifier }: RepositoryKey,
  id: string,
): Promise<void> {
  const [event] = await parts.store.get([id]);
  const parsed = event && parsePullRequest(event);
  if (!parsed?.ok) return;
  const targets = (await relevantRepositories(parts, parsed.pullRequest)).filter((target) =>
    target.owner === owner && target.identifier === identifier
  );
  await placePullRequest(parts, parsed.pullRequest, targets);
}

async function keepPlaceholder(
  { store, clock, log }: ReleaseParts,
  repository: RepositoryKey,
  id: string,
  commit: string,
): Promise<void> {
  const now = clock.now();
  const existing = await store.placeholder(id);
  const others =
    existing?.repositories.filter(({ owner, identifier }) =>
      owner !== repository.owner || identifier !== repository.identifier
    ) ?? [];
  // What was pushed below /prs/ keeps its claim, whatever is pushed to hosted repositories.
  const scope = existing?.scope;
  const placeholder: Placeholder = {
    id,
    commit: scope ? existing.commit : commit,
    ...(scope && { scope }),
    repositories: [...others, repository].slice(-MAX_PLACEHOLDER_REPOSITORIES),
    firstEnteredAt: existing?.firstEnteredAt ?? now,
    enteredAt: now,
    deadlineAt: Math.max(now + DURATION.placeholderMs, scope ? existing.deadlineAt : 0),
  };
  await store.commit({ putPlaceholders: [placeholder] });
  log.info("pull request ref held until its event arrives", { event_id: id, repo: repository.identifier });
}

/**
 * Ends the waiting of a placeholder: its ref goes, also where an earlier push left another commit.
 * False when a running push may just have moved it: then it keeps waiting.
 */
export async function expirePlaceholder(
  parts: ReleaseParts,
  { id, commit, repositories, scope }: Placeholder,
): Promise<boolean> {
  // When contributors' repositories are not offered, what lies there stays as it is.
  if (scope && parts.contributions && !await expireContribution(parts, scope, id, commit)) return false;
  for (const repository of repositories) {
    if (!await parts.repositories.exists(repository)) continue;
    const current = (await parts.repositories.readRefs(repository)).refs.get(pullRequestRef(id));
    if (current !== undefined && current !== commit && parts.pins.has(repositoryPin(repository))) {
      return false;
    }
    await clearPullRequestRef(parts, repository, id, undefined);
  }
  await parts.store.commit({ removePlaceholders: [id] });
  return true;
}

/** Its ref below `/prs/` goes; false when that has to wait for a running push, or for git. */
async function expireContribution(
  parts: ReleaseParts,
  scope: RepositoryKey,
  id: string,
  commit: string,
): Promise<boolean> {
  const repository = contributionRef(scope);
  if (!await parts.repositories.exists(repository)) return true;
  const current = (await parts.repositories.readRefs(repository)).refs.get(pullRequestRef(id));
  if (current !== commit && parts.pins.has(repositoryPin(repository))) return false;
  return await clearContribution(parts, scope, id);
}
