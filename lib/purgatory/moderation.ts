import type { Contribution } from "../git/mod.ts";
import { addressIdentifier, encodeNpub, KIND, type NostrEvent, parsePullRequest } from "../nostr/mod.ts";
import {
  type Blacklists,
  decideModeration,
  operatorRefusal,
  pullRequestRefusal,
  viewOf,
} from "../policy/mod.ts";
import type { KeyedLock } from "../world/mod.ts";
import { applyEffects } from "./executor.ts";
import { hangingOn, type Standing } from "./hanging.ts";
import { authorKey, Hiding } from "./hidden.ts";
import { hideUnwanted, retireContributions, retireContributors } from "./moderate_contributions.ts";
import type { ReleaseParts } from "./ports.ts";
import { standingOf } from "./standing.ts";

/** Authors asked for in one query. */
const AUTHORS_PER_QUERY = 50;
/** Events read in one query. */
const PAGE = 500;

/** What the blacklists took out of service or out of purgatory. */
export interface ModerationResult {
  /** Repositories, contributors' included. */
  retired: number;
  /** Entries of purgatory. */
  dropped: number;
  /** Served events beside announcements and states of retired repositories. */
  hidden: number;
  /** Steps that the next start has to repeat. */
  failed: number;
}

/** What applying the blacklists works with. */
export interface ModerationParts extends ReleaseParts {
  /** All contributors' repositories (GRASP-06); they are looked at when they are offered. */
  readonly listContributions: () => Promise<readonly Contribution[]>;
}

/**
 * What a start does about the blacklists before requests are accepted: repositories and events that are
 * stored already and match leave, as they would be refused if they came today. After
 * {@link startPurgatory}. Nothing happens, and next to nothing is read, when all of it was done before.
 */
export async function applyBlacklists(parts: ModerationParts, locks: KeyedLock): Promise<ModerationResult> {
  const { rules } = parts;
  const result: ModerationResult = { retired: 0, dropped: 0, hidden: 0, failed: 0 };
  if (rules.eventBlacklist.size + rules.repositoryBlacklist.length === 0) return result;
  const run: Run = { rules, hiding: new Hiding(parts), result };
  await step(parts, run, {}, () => dropWaiting(parts, run));
  const identifiers = new Set<string>();
  await step(parts, run, {}, () => findConcerned(parts, rules, identifiers));
  for (const identifier of identifiers) {
    await step(
      parts,
      run,
      { repo: identifier },
      () => locks.run([identifier], () => moderate(parts, identifier, run)),
    );
  }
  await step(parts, run, {}, () => hideAuthors(parts, run));
  if (parts.contributions) await step(parts, run, {}, () => moderateContributors(parts, run));
  if (Object.values(result).some((count) => count > 0)) {
    parts.log.info("blacklists applied to what was stored", { ...result });
  }
  return result;
}

/** What the steps of one run share. */
interface Run {
  readonly rules: Blacklists;
  readonly hiding: Hiding;
  readonly result: ModerationResult;
}

/** One step; a failing one keeps neither the others nor the start from going on. */
async function step(
  { log }: ReleaseParts,
  { result }: Run,
  subject: { readonly repo?: string },
  work: () => Promise<void>,
): Promise<void> {
  try {
    await work();
  } catch (error) {
    result.failed++;
    log.error("something blacklisted is still served, the next start tries again", {
      ...subject,
      error: String(error),
    });
  }
}

/** Everything under one identifier; the caller holds its lock. */
async function moderate(parts: ReleaseParts, identifier: string, run: Run): Promise<void> {
  const { store, log } = parts;
  const { rules, result } = run;
  const view = viewOf(identifier, await store.readIdentifier(identifier));
  const { blacklisted, leaving, effects } = decideModeration(view, rules);
  const isLeaving = new Set(leaving.map(({ id }) => id));
  const standing = (event: NostrEvent) => isLeaving.has(event.id) ? "apart" : standingOf(parts, event, rules);
  const announcements = new Set(blacklisted.map(({ announcement }) => announcement.event));
  const followers = leaving.filter((event) => !announcements.has(event));
  for (const { announcement, waiting } of blacklisted) {
    if (!waiting) {
      await hideHanging(parts, identifier, [announcement.event, ...followers], { run, standing });
    }
  }
  const applied = await applyEffects(parts, identifier, effects);
  if (!applied.ok) throw new Error(applied.text);
  for (const { announcement, waiting, hosted } of blacklisted) {
    if (waiting) result.dropped++;
    else if (hosted) result.retired++;
    else result.hidden++;
    const { event, owner } = announcement;
    const what = waiting
      ? "waiting announcement dropped"
      : hosted
      ? "repository retired"
      : "announcement hidden";
    log.warn(`${what}: blacklisted`, {
      repo: identifier,
      npub: encodeNpub(owner),
      event_id: event.id,
      reason: operatorRefusal(announcement, rules)!.text,
    });
  }
}

/** What hangs on a repository leaves before it: after a crash the rest is still found from there. */
async function hideHanging(
  parts: ReleaseParts,
  identifier: string,
  repository: readonly [NostrEvent, ...NostrEvent[]],
  { run, standing }: { readonly run: Run; readonly standing: (event: NostrEvent) => Standing },
): Promise<void> {
  const { hiding, result } = run;
  for await (const events of hangingOn(parts.store, repository, standing)) {
    result.retired += await retireContributions(parts, hiding, events);
    await hiding.hide({ owner: repository[0].pubkey, identifier }, events);
    result.hidden += events.length;
  }
}

/** Adds the identifiers under which a blacklisted announcement is served or waits. */
async function findConcerned(
  { store }: ReleaseParts,
  rules: Blacklists,
  found: Set<string>,
): Promise<void> {
  const owners = new Set(rules.eventBlacklist);
  const names = new Set<string>();
  for (const entry of rules.repositoryBlacklist) {
    if (entry.kind === "identifier") names.add(entry.identifier);
    else owners.add(entry.pubkey);
  }
  const kinds = [KIND.announcement];
  const items = [
    ...await store.items({ kinds, authors: [...owners], tags: new Map() }, Infinity) ?? [],
    ...await store.items({ kinds, tags: new Map([["d", [...names]]]) }, Infinity) ?? [],
  ];
  for (let at = 0; at < items.length; at += PAGE) {
    const ids = items.slice(at, at + PAGE).map(({ id }) => id);
    for (const event of await store.get(ids)) {
      const identifier = addressIdentifier(event) ?? "";
      if (operatorRefusal({ owner: event.pubkey, identifier }, rules)) found.add(identifier);
    }
  }
  for (const row of await store.waitingAnnouncements()) {
    if (operatorRefusal(row, rules)) found.add(row.identifier);
  }
}

/** Waiting states and pull requests of blacklisted authors, and pull requests for nothing else. */
async function dropWaiting(
  { store, counters }: ReleaseParts,
  { rules, result }: Run,
): Promise<void> {
  const { states, pullRequests } = await store.pendingAtStart();
  const removeStates = states.filter(({ author }) => rules.eventBlacklist.has(author))
    .map(({ event }) => event.id);
  const removePullRequests = pullRequests.filter(({ event }) => isUnwanted(event, rules))
    .map(({ event }) => event.id);
  if (removeStates.length + removePullRequests.length === 0) return;
  await store.commit({ removeStates, removePullRequests });
  for (const _ of removeStates) counters.removed("state", "deleted");
  for (const _ of removePullRequests) counters.removed("pr", "deleted");
  result.dropped += removeStates.length + removePullRequests.length;
}

function isUnwanted(event: NostrEvent, rules: Blacklists): boolean {
  const parsed = parsePullRequest(event);
  return parsed.ok && pullRequestRefusal(parsed.pullRequest, rules) !== undefined;
}

/** Hides all served events of blacklisted authors. */
async function hideAuthors({ store }: ReleaseParts, { rules, hiding, result }: Run): Promise<void> {
  const authors = [...rules.eventBlacklist];
  for (let at = 0; at < authors.length; at += AUTHORS_PER_QUERY) {
    const filter = { authors: authors.slice(at, at + AUTHORS_PER_QUERY), limit: PAGE, tags: new Map() };
    for (;;) {
      const { events } = await store.query([filter]);
      if (events.length === 0) break;
      const found = events.map((text) => JSON.parse(text) as NostrEvent);
      for (const [author, own] of Map.groupBy(found, ({ pubkey }) => pubkey)) {
        await hiding.hide(authorKey(author), own);
      }
      result.hidden += found.length;
    }
  }
}

async function moderateContributors(parts: ModerationParts, { rules, hiding, result }: Run): Promise<void> {
  const repositories = await parts.listContributions();
  const contributors = new Set(repositories.map(({ owner }) => owner));
  result.retired += await retireContributors(parts, hiding, repositories, rules);
  const { retired, hidden } = await hideUnwanted(parts, hiding, contributors, rules);
  result.retired += retired;
  result.hidden += hidden;
}
