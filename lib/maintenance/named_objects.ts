import type { RepositoryRef } from "../git/mod.ts";
import { isOid, isPullRequest, KIND, type NostrEvent, parsePullRequest } from "../nostr/mod.ts";
import { viewOf } from "../policy/mod.ts";
import type { MaintenanceParts } from "./ports.ts";

/** Served pull requests of one repository that are looked at; with more nothing is pruned there. */
const MAX_PULL_REQUESTS = 5_000;
const WALK_TIMEOUT_MS = 600_000;

/**
 * Object ids that served or waiting states and pull requests of the repository's identifier name, and
 * commits of refs that wait for their event. Undefined when there are too many to be sure.
 */
export async function namedObjects(
  { store }: Pick<MaintenanceParts, "store">,
  { owner, identifier }: RepositoryRef,
): Promise<ReadonlySet<string> | undefined> {
  const view = viewOf(identifier, await store.readIdentifier(identifier));
  const states = [...view.storedStates, ...view.waitingStates.map(({ state }) => state)];
  const coordinate = `${KIND.announcement}:${owner}:${identifier}`;
  const filter = {
    kinds: [KIND.pullRequest, KIND.pullRequestUpdate],
    tags: new Map([["a", [coordinate]]]),
  };
  const items = await store.items(filter, MAX_PULL_REQUESTS);
  if (!items) return undefined;
  const served = await store.get(items.map(({ id }) => id));
  return new Set([
    ...states.flatMap(({ refs }) => [...refs.values()]),
    ...view.waitingPullRequests.map(({ pullRequest }) => pullRequest.commit),
    ...view.placeholders.map(({ commit }) => commit.toLowerCase()),
    ...served.map(commitOf).filter((commit) => commit !== undefined),
  ].filter(isOid));
}

function commitOf(event: NostrEvent): string | undefined {
  const parsed = isPullRequest(event.kind) ? parsePullRequest(event) : undefined;
  return parsed?.ok ? parsed.pullRequest.commit : undefined;
}

/**
 * True when some event names an object that is here although no ref reaches it (or when that cannot be
 * told): then nothing may be pruned. The caller holds the identifier's lock, so that no event and no
 * push changes the answer.
 */
export async function holdsNamedOnly(parts: MaintenanceParts, repository: RepositoryRef): Promise<boolean> {
  const named = await namedObjects(parts, repository);
  if (!named) return true;
  const { refs } = await parts.repositories.readRefs(repository);
  const tips = new Set(refs.values());
  const present = await parts.repositories.present(repository, named);
  const open = [...present].filter(([oid]) => !tips.has(oid));
  if (open.length === 0) return false;
  if (open.some(([, type]) => type !== "commit")) return true;
  const path = parts.repositories.path(repository);
  const walk = await parts.git.run(
    [`--git-dir=${path}`, "rev-list", "--max-count=1", "--not", "--all", "--not", "--stdin"],
    {
      input: open.map(([oid]) => `${oid}\n`).join(""),
      timeoutMs: WALK_TIMEOUT_MS,
      signal: parts.signal,
    },
  );
  return walk.code !== 0 || walk.stdout.length > 0;
}
