import { isHex64, KIND } from "../nostr/mod.ts";
import type { LogFields, Logger } from "../observe/mod.ts";
import {
  eventOf,
  type Fields,
  fieldsOf,
  importLegacyFile,
  isAbout,
  secondsOf,
  slices,
} from "../purgatory/mod.ts";
import type { RefusedEvent, Store } from "../store/mod.ts";
import type { Clock } from "../world/mod.ts";
import type { RefusedLifetimes, SignatureVerifier } from "./ports.ts";

const IDS_PER_UNIT = 1_000;
/** Most entries taken over, the newest: what the memory of refused events holds. */
const MAX_ENTRIES = 100_000;
/** Longest identifier, in UTF-16 units. */
const MAX_IDENTIFIER = 1_024;
/** The file does not say the kind and time of what it knows by id only: no filter names this kind. */
const UNKNOWN_KIND = -1;

const TYPES = new Map<unknown, "announcement" | "state">([
  ["Announcement", "announcement"],
  ["State", "state"],
]);

const REASONS = new Map<unknown, string>([
  ["DoesNotListService", "does_not_list_service"],
  ["MaintainerNotYetValid", "maintainer_not_yet_valid"],
  ["Other", "other"],
]);

/** What {@link importLegacyRejected} works with. */
export interface LegacyRejectedParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly verifier: SignatureVerifier;
  readonly refusedLifetimes: RefusedLifetimes;
  readonly gitDataPath: string;
  readonly log: Logger;
}

interface LegacyRejected {
  readonly entries: readonly RefusedEvent[];
  readonly damaged: number;
}

/**
 * Takes over which events of other relays a Rust ngit-grasp that ran on this git data had refused when
 * it was stopped cleanly. What this store knows already stays as it is. Never throws.
 */
export async function importLegacyRejected(parts: LegacyRejectedParts): Promise<void> {
  const { clock, log, refusedLifetimes, gitDataPath } = parts;
  await importLegacyFile({ path: `${gitDataPath}/rejected-events-cache.json`, log }, {
    parse: (body, savedAt) => parseRejected(body, { savedAt, now: clock.now(), ...refusedLifetimes }),
    keep: (rejected) => keep(parts, rejected),
  });
}

interface Times extends RefusedLifetimes {
  readonly savedAt: number;
  readonly now: number;
}

/** Ages are counted back from the time the file was saved, so that downtime counts. */
function parseRejected(body: Fields, times: Times): LegacyRejected | undefined {
  const whole = fieldsOf(fieldsOf(body.hot_cache)?.entries);
  const ids = fieldsOf(fieldsOf(body.cold_index)?.entries);
  if (!whole || !ids) return undefined;
  const entries: RefusedEvent[] = [];
  let damaged = 0;
  // Whole events without their id were judged again already, and may well have been accepted.
  for (const [id, entry] of Object.entries(ids)) {
    const refused = entryOf(id, fieldsOf(entry) ?? {}, times);
    if (!refused) damaged++;
    else if (refused.until > times.now) entries.push(withEvent(refused, whole[id], times));
  }
  return { entries: entries.sort((a, b) => b.at - a.at).slice(0, MAX_ENTRIES), damaged };
}

function entryOf(
  id: string,
  entry: Fields,
  { savedAt, now, hotMs, coldMs }: Times,
): RefusedEvent | undefined {
  const { pubkey, identifier } = entry;
  const type = TYPES.get(entry.event_type);
  const reason = REASONS.get(entry.reason);
  const age = secondsOf(entry.rejected_at_offset_secs);
  const isNamed = isHex64(id) && isHex64(pubkey) && typeof identifier === "string" &&
    identifier.length <= MAX_IDENTIFIER;
  if (!isNamed || type === undefined || reason === undefined || age === undefined) return undefined;
  const at = Math.min(savedAt - age, now);
  return {
    id,
    type,
    kind: UNKNOWN_KIND,
    author: pubkey,
    identifier,
    createdAt: 0,
    reason,
    at,
    attempts: 0,
    until: at + Math.max(coldMs, hotMs),
    whole: undefined,
    keys: [],
  };
}

/** `refused` with its event, when that is still of use and really is the event of this entry. */
function withEvent(refused: RefusedEvent, value: unknown, { savedAt, now, hotMs }: Times): RefusedEvent {
  const entry = fieldsOf(value) ?? {};
  const age = secondsOf(entry.cached_at_offset_secs);
  const until = age === undefined ? 0 : Math.min(savedAt - age, now) + hotMs;
  const event = until > now ? eventOf(entry.event) : undefined;
  const kind = refused.type === "announcement" ? KIND.announcement : KIND.state;
  if (event?.id !== refused.id || !isAbout(event, kind, refused.author, refused.identifier)) return refused;
  return { ...refused, kind, createdAt: event.created_at, whole: { event, until } };
}

async function keep(
  { store, verifier }: LegacyRejectedParts,
  { entries, damaged }: LegacyRejected,
): Promise<LogFields> {
  let kept = 0;
  for (const slice of slices(entries, IDS_PER_UNIT)) {
    const known = await store.unwanted(slice.map(({ id }) => id));
    const fresh = slice.filter(({ id }) => !known.has(id));
    const signed = await Promise.all(fresh.map((refused) => withoutForgery(verifier, refused)));
    if (signed.length > 0) await store.commit({ putRefused: signed });
    kept += signed.length;
  }
  return { refused: kept, damaged };
}

/** An event whose signature is wrong is nobody's: only its id stays. */
async function withoutForgery(verifier: SignatureVerifier, refused: RefusedEvent): Promise<RefusedEvent> {
  const event = refused.whole?.event;
  if (!event || await verifier.verify(event)) return refused;
  return { ...refused, kind: UNKNOWN_KIND, createdAt: 0, whole: undefined };
}
