import type { Contribution, RepositoryRef } from "../git/mod.ts";
import {
  encodeNpub,
  isPullRequest,
  KIND,
  type NostrEvent,
  parsePullRequest,
  pullRequestIdOf,
} from "../nostr/mod.ts";
import { type Blacklists, operatorRefusal, targetsRefusal } from "../policy/mod.ts";
import { contributionsOf } from "./contributions.ts";
import { authorKey, type Hiding } from "./hidden.ts";
import type { ReleaseParts } from "./ports.ts";

/** Pull requests read at once. */
const PAGE = 500;

/** Retires the repositories below `/prs/` that belong to blacklisted contributors; returns how many. */
export async function retireContributors(
  parts: ReleaseParts,
  hiding: Hiding,
  repositories: readonly Contribution[],
  rules: Blacklists,
): Promise<number> {
  let count = 0;
  for (const repository of repositories) {
    const refusal = operatorRefusal(repository, rules);
    if (!refusal) continue;
    await retire(parts, hiding, repository, refusal.text);
    count++;
  }
  return count;
}

/**
 * Retires the repositories below `/prs/` that held the commits of `leaving` pull requests and no others;
 * returns how many. Refs in one that stays go like those whose event never came.
 */
export async function retireContributions(
  parts: ReleaseParts,
  hiding: Hiding,
  leaving: readonly NostrEvent[],
): Promise<number> {
  const ids = new Set(leaving.map(({ id }) => id));
  let count = 0;
  for (const event of leaving.filter(({ kind }) => isPullRequest(kind))) {
    const parsed = parsePullRequest(event);
    for (const repository of parsed.ok ? await contributionsOf(parts, parsed.pullRequest) : []) {
      if (await holdsOthers(parts, repository, ids)) continue;
      await retire(parts, hiding, repository, "its pull requests are for blacklisted repositories");
      count++;
    }
  }
  return count;
}

/**
 * Hides served pull requests of these contributors that name blacklisted repositories only, whether those
 * were ever announced here or not, and retires where their commits lie.
 */
export async function hideUnwanted(
  parts: ReleaseParts,
  hiding: Hiding,
  contributors: ReadonlySet<string>,
  rules: Blacklists,
): Promise<{ readonly retired: number; readonly hidden: number }> {
  const { store } = parts;
  const total = { retired: 0, hidden: 0 };
  if (rules.repositoryBlacklist.length === 0) return total;
  const kinds = [KIND.pullRequest, KIND.pullRequestUpdate];
  const items = await store.items({ kinds, authors: [...contributors], tags: new Map() }, Infinity) ?? [];
  for (let at = 0; at < items.length; at += PAGE) {
    const events = await store.get(items.slice(at, at + PAGE).map(({ id }) => id));
    const unwanted = events.flatMap((event) => {
      const parsed = parsePullRequest(event);
      return parsed.ok && targetsRefusal(parsed.pullRequest, rules) ? [parsed.pullRequest] : [];
    });
    total.retired += await retireContributions(parts, hiding, unwanted.map(({ event }) => event));
    for (const { event, targets } of unwanted) await hiding.hide(targets[0]!, [event]);
    total.hidden += unwanted.length;
  }
  return total;
}

async function holdsOthers(
  { repositories, store }: ReleaseParts,
  repository: RepositoryRef,
  leaving: ReadonlySet<string>,
): Promise<boolean> {
  const { refs } = await repositories.readRefs(repository);
  const others = [...refs.keys()].map(pullRequestIdOf).filter((id) => id !== undefined && !leaving.has(id));
  for (const id of others) {
    if (await store.has(id!) || await store.waitingKind(id!)) return true;
  }
  return false;
}

/** Recorded before it is moved: nothing else would find it again in the archive. */
async function retire(
  { repositories, store, log }: ReleaseParts,
  hiding: Hiding,
  repository: RepositoryRef,
  reason: string,
): Promise<void> {
  const { owner, identifier } = repository;
  await repositories.retire(repository, "operator", async (directory) => {
    const retiredAt = hiding.nextTime();
    const row = { ...authorKey(owner), reason: "operator" as const, directory, retiredAt, events: [] };
    await store.commit({ putRetired: [row] });
  });
  log.warn("a contributor's repository retired: blacklisted", {
    repo: identifier,
    npub: encodeNpub(owner),
    reason,
  });
}
