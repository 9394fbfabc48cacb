import { encodeNpub, KIND, type NostrEvent, type Refusal, refuse } from "../nostr/mod.ts";
import type { Effect } from "../policy/mod.ts";
import type { Changes, InsertVerdict, RepositoryKey, RetiredRepository, Store } from "../store/mod.ts";
import { clearContribution } from "./contributions.ts";
import { firstDependents, hideDependents } from "./dependents.ts";
import { clearPullRequestRef } from "./pull_requests.ts";
import type { ReleaseParts } from "./ports.ts";
import { holdsRepository } from "./hidden.ts";
import { release } from "./release.ts";

/** About the most events that leave with a repository while somebody waits for the answer. */
const DEPENDENTS_AT_ONCE = 500;

/** What applying a decision led to. */
export type Applied =
  | {
    readonly ok: true;
    /** Verdict of the store per served event id. */
    readonly verdicts: ReadonlyMap<string, InsertVerdict>;
    /** Ids a `release` effect put into service. */
    readonly released: ReadonlySet<string>;
  }
  | Refusal;

/**
 * Applies the effects of one decision for one identifier as one unit of work: repositories first,
 * then one database transaction, then notifications, then a release if asked for. Of the events that hang
 * on a retired repository, those that are too many for one transaction leave later. The caller
 * holds the identifier's lock. A refusal means that nothing was kept.
 */
export async function applyEffects(
  parts: ReleaseParts,
  identifier: string,
  effects: readonly Effect[],
): Promise<Applied> {
  const created = await prepareRepositories(parts, identifier, effects);
  if (!created.ok) return created;
  for (const effect of effects) {
    if (effect.type === "clearPullRequestRef") {
      await clearPullRequestRef(parts, effect.repository, effect.id, effect.keep);
    }
    if (effect.type === "clearContribution") await clearContribution(parts, effect.scope, effect.id);
  }
  let verdicts: ReadonlyMap<string, InsertVerdict>;
  let retired: readonly Retired[];
  try {
    retired = await retireRepositories(parts, identifier, effects);
    const rows = retired.flatMap(({ row, dependents }) => dependents ? [row, dependents] : [row]);
    const replaced = retired.flatMap(({ before }) => before ?? []);
    verdicts = await commitEffects(parts, identifier, effects, { rows, replaced });
  } catch (error) {
    parts.log.error("unit of work could not be committed", { repo: identifier, error: String(error) });
    for (const owner of created.owners) {
      await parts.repositories.remove({ owner, identifier }, { force: false });
    }
    return refuse("error", "db_error", "could not store event");
  }
  await removeRepositories(parts, identifier, effects);
  await hideRest(parts, retired);
  const wanted = effects.find((effect) => effect.type === "release");
  const released = wanted
    ? (await release(parts, {
      identifier,
      via: "event",
      ...(wanted.incoming && { incoming: wanted.incoming }),
      ...(wanted.incomingPullRequest && { incomingPullRequest: wanted.incomingPullRequest }),
    })).served
    : new Set<string>();
  return { ok: true, verdicts, released };
}

/** Restores or creates repositories; the owners whose repository did not exist before are returned. */
async function prepareRepositories(
  { repositories, log }: ReleaseParts,
  identifier: string,
  effects: readonly Effect[],
): Promise<{ ok: true; owners: readonly string[] } | Refusal> {
  const owners: string[] = [];
  for (const effect of effects) {
    if (effect.type === "restore") await repositories.restore(effect.retired, effect.retired.directory);
    if (effect.type !== "ensureRepository") continue;
    const repository = { owner: effect.owner, identifier };
    try {
      if (await repositories.exists(repository)) continue;
      await repositories.ensure(repository);
      owners.push(effect.owner);
    } catch (error) {
      log.error("repository could not be created", {
        repo: identifier,
        npub: encodeNpub(effect.owner),
        error: String(error),
      });
      for (const owner of owners) await repositories.remove({ owner, identifier }, { force: false });
      return refuse("error", "other", "could not create repository");
    }
  }
  return { ok: true, owners };
}

/** A repository out of service. */
interface Retired {
  readonly row: RetiredRepository;
  /** Some of the events that hang on it; undefined when none do. */
  readonly dependents: RetiredRepository | undefined;
  /** The row whose directory `row` goes on to hold. */
  readonly before: RetiredRepository | undefined;
}

/** What one unit of work does to held rows. */
interface HeldRows {
  readonly rows: readonly RetiredRepository[];
  readonly replaced: readonly RetiredRepository[];
}

/** Takes repositories out of service before their events go: data without event is harmless. */
async function retireRepositories(
  parts: ReleaseParts,
  identifier: string,
  effects: readonly Effect[],
): Promise<Retired[]> {
  const { repositories, store, clock } = parts;
  const retired: Retired[] = [];
  for (const effect of effects) {
    if (effect.type !== "retire") continue;
    const { owner, reason, events } = effect;
    const dependents = await firstDependents(parts, effect, effects);
    // A crash before the events are gone leaves this mark, and the start moves the directory back.
    await store.commit({ putDirty: [{ owner, identifier, since: clock.now() }] });
    const directory = await repositories.retire({ owner, identifier }, reason);
    // Whoever withdrew, stayed known as maintainer and goes for good has data here from before.
    const before = directory === "" ? await heldWithData(store, { owner, identifier }) : undefined;
    const row = {
      owner,
      identifier,
      reason,
      directory: before?.directory ?? directory,
      retiredAt: Math.floor(clock.now()),
      events: [...events, ...await statesOutOfService(store, before)],
    };
    retired.push({
      row,
      before,
      dependents: dependents.length > 0
        ? { ...row, directory: "", retiredAt: row.retiredAt - 1, events: dependents }
        : undefined,
    });
  }
  return retired;
}

/** What is held of a repository with its data since it was last retired. */
async function heldWithData(
  store: Store,
  { owner, identifier }: RepositoryKey,
): Promise<RetiredRepository | undefined> {
  const last = await store.lastRetired(owner, identifier);
  return last && holdsRepository(last) && last.directory !== "" ? last : undefined;
}

/** States held in a row, without those that came again on their own. */
async function statesOutOfService(
  store: Store,
  row: RetiredRepository | undefined,
): Promise<readonly NostrEvent[]> {
  const states = row?.events.filter(({ kind }) => kind === KIND.state) ?? [];
  const served = new Set((await store.get(states.map(({ id }) => id))).map(({ id }) => id));
  return states.filter(({ id }) => !served.has(id));
}

/** A little more of what hangs on retired repositories: most have no more. The sweep sees to the rest. */
async function hideRest(parts: ReleaseParts, retired: readonly Retired[]): Promise<void> {
  for (const { row, dependents } of retired) {
    if (!dependents) continue;
    try {
      await hideDependents(parts, row, DEPENDENTS_AT_ONCE);
    } catch (error) {
      parts.log.error("events of a retired repository are still served, the sweep tries again", {
        repo: row.identifier,
        error: String(error),
      });
    }
  }
}

async function commitEffects(
  { store, notify, counters }: ReleaseParts,
  identifier: string,
  effects: readonly Effect[],
  held: HeldRows,
): Promise<ReadonlyMap<string, InsertVerdict>> {
  const served = effects.filter((effect) => effect.type === "serve");
  const changes = changesOf(identifier, effects, held);
  if (Object.values(changes).every((list) => list.length === 0)) return new Map();
  const verdicts = await store.commit(changes);
  countEntries(counters, effects);
  const stored: NostrEvent[] = [];
  served.forEach(({ event }, index) => {
    if (verdicts[index] === "stored") stored.push(event);
  });
  for (const event of stored) {
    counters.stored(event.kind);
    notify(event);
  }
  return new Map(served.map(({ event }, index) => [event.id, verdicts[index]!]));
}

/** What a committed decision did to entries. */
function countEntries(counters: ReleaseParts["counters"], effects: readonly Effect[]): void {
  for (const effect of effects) {
    if (effect.type === "holdAnnouncement") {
      if (effect.revives) counters.revived();
      if (effect.replaces) counters.replaced();
    } else if (effect.type === "dropAnnouncement") counters.removed("announcement", effect.reason);
    else if (effect.type === "dropState") counters.removed("state", effect.reason);
    else if (effect.type === "dropPullRequest") counters.removed("pr", effect.reason);
  }
}

/** The database half of `effects`. Removals come before puts, so dropping and holding a row again works. */
function changesOf(
  identifier: string,
  effects: readonly Effect[],
  { rows: retired, replaced }: HeldRows,
): Required<
  Omit<
    Changes,
    "putDirty" | "putPlaceholders" | "putExpired" | "putRefused" | "removeRefused" | "putGone"
  >
> {
  const of = <T extends Effect["type"]>(type: T) =>
    effects.filter((effect): effect is Extract<Effect, { type: T }> => effect.type === type);
  return {
    insertEvents: of("serve").map(({ event, hosted }) => ({
      event,
      ...(hosted !== undefined && { hosted }),
    })),
    removeEvents: [
      ...of("removeServed").map(({ id }) => id),
      ...retired.flatMap(({ events }) => events.map(({ id }) => id)),
    ],
    putAnnouncements: of("holdAnnouncement").map(({ row }) => row),
    removeAnnouncements: of("dropAnnouncement").map(({ owner }) => ({ owner, identifier })),
    putStates: of("holdState").map(({ row }) => row),
    removeStates: of("dropState").map(({ id }) => id),
    putPullRequests: of("holdPullRequest").map(({ row }) => row),
    removePullRequests: of("dropPullRequest").map(({ id }) => id),
    removePlaceholders: of("dropPlaceholder").map(({ id }) => id),
    putTombstones: of("forbid").map(({ tombstone }) => tombstone),
    putRetired: retired,
    removeRetired: [...of("restore").map(({ retired }) => retired), ...replaced]
      .map(({ owner, retiredAt }) => ({ owner, identifier, retiredAt })),
    removeDirty: retired.map(({ owner }) => ({ owner, identifier })),
    removeExpired: of("forgetExpired").map(({ id }) => id),
  };
}

async function removeRepositories(
  { repositories, counters, log }: ReleaseParts,
  identifier: string,
  effects: readonly Effect[],
) {
  for (const effect of effects) {
    if (effect.type !== "removeRepository") continue;
    const force = effect.force ?? false;
    const result = await repositories.remove({ owner: effect.owner, identifier }, { force });
    counters.repositoryDeleted(force ? "deleted" : "service_change", result);
    if (result === "removed" || result === "absent") continue;
    log.warn("repository kept although its announcement left purgatory", {
      repo: identifier,
      npub: encodeNpub(effect.owner),
      reason: result,
    });
  }
}
