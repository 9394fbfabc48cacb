import { compareNewestFirst, type NostrEvent, pullRequestIdOf, type Verifier } from "../nostr/mod.ts";
import type { LogFields } from "../observe/mod.ts";
import type { Changes, Placeholder, RepositoryKey, Store, WaitingAnnouncement } from "../store/mod.ts";
import type { KeyedLock } from "../world/mod.ts";
import { type LegacyEntries, parseLegacyEntries } from "./legacy_entries.ts";
import { importLegacyFile, slices } from "./legacy_file.ts";
import { pullRequestLock } from "./lock_keys.ts";
import type { ReleaseParts } from "./ports.ts";

/** Rows, and ids, in one unit of work. */
const ROWS_PER_UNIT = 100;
const IDS_PER_UNIT = 1_000;
/** Most repositories a placeholder may name. */
const MAX_PLACES = 1_000;

/** What {@link importLegacyState} works with. */
export interface LegacyStateParts extends Pick<ReleaseParts, "store" | "repositories" | "clock" | "log"> {
  readonly locks: KeyedLock;
  readonly verifier: Pick<Verifier, "verify">;
  readonly gitDataPath: string;
}

/**
 * Takes over what waited in the purgatory of a Rust ngit-grasp that ran on this git data and was
 * stopped cleanly. What this store knows already stays as it is. To be called before `startPurgatory`,
 * which recreates directories, gives everything its grace and releases what is complete. Never throws.
 */
export async function importLegacyState(parts: LegacyStateParts): Promise<void> {
  const { clock, log, gitDataPath } = parts;
  await importLegacyFile({ path: `${gitDataPath}/purgatory-state.json`, log }, {
    parse: (body, savedAt) => parseLegacyEntries(body, savedAt, clock.now()),
    keep: (entries) => keepAll(parts, entries),
  });
}

async function keepAll(parts: LegacyStateParts, entries: LegacyEntries): Promise<LogFields> {
  const { store } = parts;
  const announcements = await keepEvents(parts, entries.announcements, {
    locks: ({ identifier }) => [identifier],
    isSuperseded: async (row) => await isOutdated(store, row.event, row) || await hasRow(store, row),
    put: (rows) => ({ putAnnouncements: rows }),
  });
  const states = await keepEvents(parts, entries.states, {
    locks: ({ identifier }) => [identifier],
    isSuperseded: ({ event, identifier }) => isOutdated(store, event, { owner: event.pubkey, identifier }),
    put: (rows) => ({ putStates: rows }),
  });
  const pullRequests = await keepEvents(parts, entries.pullRequests, {
    locks: (
      { event, targets },
    ) => [pullRequestLock(event.id), ...targets.map(({ identifier }) => identifier)],
    isSuperseded: () => Promise.resolve(false),
    put: (rows) => ({ putPullRequests: rows }),
  });
  const placeholders = await keepPlaceholders(parts, entries.placeholders);
  const expired = await keepExpired(parts, entries.expired);
  return {
    announcements: announcements.kept,
    states: states.kept,
    pull_requests: pullRequests.kept,
    placeholders,
    expired_ids: expired,
    damaged: entries.damaged + announcements.forged + states.forged + pullRequests.forged,
    surplus: entries.surplus,
  };
}

/** How rows of one sort are taken over. */
interface Sort<T> {
  locks(row: T): readonly string[];
  /** What is here already leaves no room for it. */
  isSuperseded(row: T): Promise<boolean>;
  put(rows: readonly T[]): Changes;
}

async function keepEvents<T extends { readonly event: NostrEvent }>(
  { store, locks, verifier }: LegacyStateParts,
  rows: readonly T[],
  sort: Sort<T>,
): Promise<{ readonly kept: number; readonly forged: number }> {
  let kept = 0;
  let forged = 0;
  for (const slice of slices(rows, ROWS_PER_UNIT)) {
    const valid = await Promise.all(slice.map(({ event }) => verifier.verify(event)));
    const signed = slice.filter((_, index) => valid[index]);
    forged += slice.length - signed.length;
    // Refused events may be looked at again as soon as the first announcement is here.
    await locks.run(signed.flatMap((row) => sort.locks(row)), async () => {
      const known = await store.unwanted(signed.map(({ event }) => event.id));
      const fresh: T[] = [];
      for (const row of signed) {
        if (known.has(row.event.id) || await store.isTombstoned(row.event)) continue;
        if (!await sort.isSuperseded(row)) fresh.push(row);
      }
      if (fresh.length > 0) await store.commit(sort.put(fresh));
      kept += fresh.length;
    });
  }
  return { kept, forged };
}

/** A newer version is served. */
async function isOutdated(
  store: Store,
  event: NostrEvent,
  { owner, identifier }: RepositoryKey,
): Promise<boolean> {
  const current = await store.currentVersion(event.kind, owner, identifier);
  return current !== undefined && compareNewestFirst(current, event) <= 0;
}

/** An announcement of this repository waits, in whatever version. */
async function hasRow(store: Store, { owner, identifier }: WaitingAnnouncement): Promise<boolean> {
  const { waitingAnnouncements } = await store.readIdentifier(identifier);
  return waitingAnnouncements.some((waiting) => waiting.owner === owner);
}

/**
 * The file does not say where the refs are, and a clean stop deletes them: only those still found on
 * disk have to be remembered, so that they go in time. The commit of the others is found without.
 */
async function keepPlaceholders(
  { store, repositories, log, locks }: LegacyStateParts,
  placeholders: readonly Placeholder[],
): Promise<number> {
  if (placeholders.length === 0) return 0;
  const places = new Map<string, RepositoryKey[]>(placeholders.map(({ id }) => [id, []]));
  for (const repository of await repositories.list()) {
    try {
      const { refs } = await repositories.readRefs(repository);
      for (const name of refs.keys()) {
        const found = places.get(pullRequestIdOf(name) ?? "");
        if (found && found.length < MAX_PLACES) found.push(repository);
      }
    } catch (error) {
      log.debug("refs could not be read", { repo: repository.identifier, error: String(error) });
    }
  }
  let kept = 0;
  for (const { id, ...placeholder } of placeholders) {
    const found = places.get(id)!;
    if (found.length === 0) continue;
    await locks.run([pullRequestLock(id)], async () => {
      if ((await store.unwanted([id])).has(id) || await store.placeholder(id)) return;
      await store.commit({ putPlaceholders: [{ ...placeholder, id, repositories: found }] });
      kept++;
    });
  }
  return kept;
}

async function keepExpired(
  { store }: LegacyStateParts,
  expired: LegacyEntries["expired"],
): Promise<number> {
  let kept = 0;
  for (const slice of slices(expired, IDS_PER_UNIT)) {
    const known = await store.unwanted(slice.map(({ id }) => id));
    const fresh = slice.filter(({ id }) => !known.has(id));
    if (fresh.length > 0) await store.commit({ putExpired: fresh });
    kept += fresh.length;
  }
  return kept;
}
