import {
  contributionIdentifiers,
  type NostrEvent,
  parsePullRequest,
  type PullRequest,
  pullRequestRef,
} from "../nostr/mod.ts";
import { decidePullRequest, HELD, holdPullRequest, targetsRefusal, type Verdict } from "../policy/mod.ts";
import {
  applyEffects,
  commitHolder,
  contributionRef,
  contributionsOf,
  pullRequestLock,
  relevantRepositories,
} from "../purgatory/mod.ts";
import type { Placeholder } from "../store/mod.ts";
import { type EventSource, type IntakeParts, waitingSource } from "./ports.ts";
import type { JudgeParts } from "./refused_memory.ts";
import { carryOut, noted, structuralRefusal } from "./verdicts.ts";

/** Judges a pull request or update (kinds 1618 and 1619). */
export async function admitPullRequest(
  parts: JudgeParts,
  event: NostrEvent,
  source: EventSource,
): Promise<Verdict> {
  const parsed = parsePullRequest(event);
  if (!parsed.ok) return noted(parts, event, source, structuralRefusal(parts, event, parsed));
  const { pullRequest } = parsed;
  const blacklisted = targetsRefusal(pullRequest, parts.rules);
  if (blacklisted) return noted(parts, event, source, blacklisted);
  const identifiers = [...new Set(pullRequest.targets.map(({ identifier }) => identifier))];
  // A ref pushed to a contributor's repository of another identifier may have to go.
  const scope = (await parts.store.placeholder(event.id))?.scope;
  const keys = [...identifiers, pullRequestLock(event.id), ...(scope ? [scope.identifier] : [])];
  return await parts.locks.run(
    keys,
    async () => noted(parts, event, source, await judge(parts, pullRequest, identifiers[0] ?? "", source)),
  );
}

/** Under the locks of every identifier it names and of its own ref. */
async function judge(
  parts: IntakeParts,
  pullRequest: PullRequest,
  identifier: string,
  source: EventSource,
): Promise<Verdict> {
  const { store, clock, contributions } = parts;
  const { event } = pullRequest;
  const repositories = await relevantRepositories(parts, pullRequest);
  const sources = await contributionsOf(parts, pullRequest);
  const placeholder = await store.placeholder(event.id);
  const counts = await Promise.all(pullRequest.targets.map((target) => store.waitingPullRequestsFor(target)));
  const decision = decidePullRequest({
    pullRequest,
    source: waitingSource(source),
    related: await store.isRelated(event),
    waiting: await store.waitingPullRequest(event.id),
    placeholder,
    contributions: contributions ? contributionIdentifiers(pullRequest, contributions.domain) : [],
    offered: await offeredIn(parts, placeholder),
    repositories,
    complete: await commitHolder(parts, pullRequest, [...sources, ...repositories]) !== undefined,
    expired: await store.isExpired(event.id),
    waitingForTarget: Math.max(0, ...counts),
    waitingInTotal: (await store.waitingCounts()).pullRequests,
    now: clock.now(),
  });
  const verdict = await carryOut(parts, event, identifier, decision);
  if (verdict) return verdict;
  const hold = holdPullRequest(pullRequest, waitingSource(source), clock.now());
  const applied = await applyEffects(parts, identifier, hold);
  return applied.ok ? HELD : applied;
}

/** Where the ref pushed to a contributor's repository points to. */
async function offeredIn(
  { repositories, contributions }: IntakeParts,
  placeholder: Placeholder | undefined,
): Promise<string | undefined> {
  if (!contributions || !placeholder?.scope) return undefined;
  const repository = contributionRef(placeholder.scope);
  if (!await repositories.exists(repository)) return undefined;
  return (await repositories.readRefs(repository)).refs.get(pullRequestRef(placeholder.id));
}
