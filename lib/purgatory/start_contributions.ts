import type { Contribution, Repositories } from "../git/mod.ts";
import { isPullRequest, parsePullRequest, type PullRequest, pullRequestIdOf } from "../nostr/mod.ts";
import type { KeyedLock } from "../world/mod.ts";
import {
  contributionsOf,
  mirrorContribution,
  serveContributions,
  tidyContribution,
} from "./contributions.ts";
import type { ContributionRules, ReleaseParts } from "./ports.ts";
import { clearPullRequestRef } from "./pull_requests.ts";

/**
 * What a start does about contributors' repositories before requests are accepted (GRASP-06): left-over
 * locks go, refs that nobody knows go or get a deadline, repositories without refs go, and pull
 * requests whose commits had just arrived are served. After {@link startPurgatory}.
 */
export async function startContributions(
  parts: ReleaseParts & { readonly contributions: ContributionRules },
  locks: KeyedLock,
  repositories: Repositories,
): Promise<void> {
  for (const repository of await repositories.listContributions()) {
    try {
      await repositories.cleanAfterCrash(repository);
      await locks.run([repository.identifier], async () => {
        const kept = await claimRefs(parts, repositories, repository);
        if (kept === 0) await tidyContribution(parts, repository);
        else await parts.contributions.usage.update(repository);
      });
    } catch (error) {
      parts.log.error("a contributor's repository could not be looked at", {
        repo: repository.identifier,
        error: String(error),
      });
    }
  }
  await serveArrived(parts, locks);
}

/** A crash between git and the database leaves refs without a placeholder. Returns how many refs stay. */
async function claimRefs(
  parts: ReleaseParts & { readonly contributions: ContributionRules },
  disk: Repositories,
  repository: Contribution,
): Promise<number> {
  const { store, clock, log, contributions: { unclaimedMs } } = parts;
  const { owner, identifier } = repository;
  const now = clock.now();
  const { refs } = await disk.readRefs(repository);
  let kept = refs.size;
  for (const [name, commit] of refs) {
    const id = pullRequestIdOf(name);
    if (id === undefined) continue;
    const served = await servedAs(parts, id);
    if (served?.event.pubkey === owner && served.commit !== commit) {
      // A push of another commit began before the event was here, and nobody saw its end.
      await mirrorContribution(parts, repository, served);
      continue;
    }
    const claimedBy = await claimant(parts, id);
    if (claimedBy === owner) continue;
    const writtenAt = Math.min(now, await disk.refWrittenAt(repository, name) ?? now);
    if (claimedBy !== undefined || writtenAt + unclaimedMs <= now) {
      if (await clearPullRequestRef(parts, repository, id, undefined)) kept--;
      log.warn("a ref that no event claimed was removed", { event_id: id, repo: identifier });
    } else {
      const times = { firstEnteredAt: writtenAt, enteredAt: writtenAt, deadlineAt: writtenAt + unclaimedMs };
      const scope = { owner, identifier };
      const repositories = (await store.placeholder(id))?.repositories ?? [];
      await store.commit({ putPlaceholders: [{ id, commit, scope, repositories, ...times }] });
    }
  }
  return kept;
}

async function servedAs({ store }: ReleaseParts, id: string): Promise<PullRequest | undefined> {
  const [event] = await store.get([id]);
  const parsed = event && isPullRequest(event.kind) ? parsePullRequest(event) : undefined;
  return parsed?.ok ? parsed.pullRequest : undefined;
}

/** Whose event, or whose claim, an id is. */
async function claimant({ store }: ReleaseParts, id: string): Promise<string | undefined> {
  const event = (await store.get([id]))[0] ?? await store.waitingEvent(id);
  return event?.pubkey ?? (await store.placeholder(id))?.scope?.owner;
}

/** A crash between git and the database leaves pull requests waiting for what is here. */
async function serveArrived(parts: ReleaseParts, locks: KeyedLock): Promise<void> {
  const { store, repositories, log } = parts;
  for (const { event } of (await store.pendingAtStart()).pullRequests) {
    const parsed = parsePullRequest(event);
    if (!parsed.ok) continue;
    const { pullRequest } = parsed;
    for (const source of await contributionsOf(parts, pullRequest)) {
      try {
        const present = await repositories.present(source, [pullRequest.commit]);
        if (present.get(pullRequest.commit) !== "commit") continue;
        await locks.run(
          [source.identifier],
          () => serveContributions(parts, source, [pullRequest], "startup"),
        );
      } catch (error) {
        log.error("a contribution could not be served at start", {
          event_id: event.id,
          error: String(error),
        });
      }
    }
  }
}
