import type { NostrEvent } from "../../lib/nostr/mod.ts";
import { firstTagValue } from "../../lib/nostr/mod.ts";

/** A point in time as the Rust ngit-grasp writes it. */
export function systemTime(ms: number) {
  return { secs_since_epoch: Math.floor(ms / 1000), nanos_since_epoch: (ms % 1000) * 1_000_000 };
}

const DEFAULT_LEFT_SECS = 1_200;

/** An announcement as an entry of `announcement_purgatory`, with its key. */
export function legacyAnnouncement(event: NostrEvent, left = DEFAULT_LEFT_SECS): [string, object] {
  const identifier = firstTagValue(event, "d")!;
  return [`${event.pubkey}:${identifier}`, {
    event,
    identifier,
    owner: event.pubkey,
    repo_path: `/srv/git/${event.pubkey}/${identifier}.git`,
    relays: ["ws://localhost"],
    created_at_offset_secs: 0,
    expires_at_offset_secs: left,
  }];
}

/** A state as an entry of one list of `state_events`. */
export function legacyState(event: NostrEvent, source?: "Direct" | "Sync", left = DEFAULT_LEFT_SECS): object {
  return {
    event,
    identifier: firstTagValue(event, "d"),
    author: event.pubkey,
    created_at_offset_secs: 0,
    expires_at_offset_secs: left,
    ...(source && { source }),
  };
}

/** An entry of `pr_events`: a pull request, or a placeholder without one. */
export function legacyPullRequest(
  event: NostrEvent | null,
  commit: string,
  more: object = {},
  left = DEFAULT_LEFT_SECS,
): object {
  return {
    event,
    commit,
    created_at_offset_secs: 0,
    expires_at_offset_secs: left,
    source: "Direct",
    ...more,
  };
}

/** `purgatory-state.json` as a Rust ngit-grasp writes it that stops at `savedAt` (ms). */
export function purgatoryState(savedAt: number, content: {
  readonly announcements?: readonly [string, object][];
  readonly states?: Readonly<Record<string, readonly object[]>>;
  readonly pullRequests?: Readonly<Record<string, object>>;
  /** When they expired (ms), by id. */
  readonly expired?: Readonly<Record<string, number>>;
}): string {
  const { announcements = [], states = {}, pullRequests = {}, expired = {} } = content;
  const state = {
    version: 1,
    saved_at: systemTime(savedAt),
    announcement_purgatory: Object.fromEntries(announcements),
    state_events: states,
    pr_events: pullRequests,
    expired_events: Object.fromEntries(Object.entries(expired).map(([id, at]) => [id, systemTime(at)])),
  };
  return JSON.stringify(state, undefined, 2);
}

/** A refused announcement or state, and how many seconds before the stop that was. */
export interface LegacyRefusal {
  readonly event: NostrEvent;
  readonly age: number;
  readonly reason?: "DoesNotListService" | "MaintainerNotYetValid" | "Other";
}

/** `rejected-events-cache.json`; `whole` is the first tier, `ids` the second. */
export function rejectedCache(
  savedAt: number,
  content: { readonly whole?: readonly LegacyRefusal[]; readonly ids: readonly LegacyRefusal[] },
): string {
  const about = ({ event, reason = "MaintainerNotYetValid" }: LegacyRefusal) => ({
    pubkey: event.pubkey,
    identifier: firstTagValue(event, "d"),
    event_type: event.kind === 30617 ? "Announcement" : "State",
    reason,
  });
  const whole = (content.whole ?? []).map((refusal) => [
    refusal.event.id,
    { event: refusal.event, ...about(refusal), cached_at_offset_secs: refusal.age },
  ]);
  const ids = content.ids.map((refusal) => [
    refusal.event.id,
    { ...about(refusal), rejected_at_offset_secs: refusal.age },
  ]);
  const state = {
    version: 1,
    saved_at: systemTime(savedAt),
    hot_cache: { expiry_duration_secs: 120, entries: Object.fromEntries(whole) },
    cold_index: { expiry_duration_secs: 604_800, entries: Object.fromEntries(ids) },
  };
  return JSON.stringify(state, undefined, 2);
}

/** What a damaged file may hold: a word for it, and the text or bytes. */
export const DAMAGED_FILES: readonly (readonly [string, string | Uint8Array])[] = [
  ["empty", ""],
  ["cut off", '{"version": 1, "saved_at": {"secs_sin'],
  ["no UTF-8", new Uint8Array([0x7b, 0xff, 0xfe, 0x7d])],
  ["no object", "[]"],
  ["null", "null"],
  ["no version", "{}"],
  ["a later version", '{"version": 2}'],
  ["a version as text", '{"version": "1"}'],
  ["no time", '{"version": 1}'],
  ["a negative time", '{"version": 1, "saved_at": {"secs_since_epoch": -1, "nanos_since_epoch": 0}}'],
  ["a time beyond time", '{"version": 1, "saved_at": {"secs_since_epoch": 1e300, "nanos_since_epoch": 0}}'],
  ["nothing else", '{"version": 1, "saved_at": {"secs_since_epoch": 1, "nanos_since_epoch": 0}}'],
  ["deeply nested", `${"[".repeat(200_000)}${"]".repeat(200_000)}`],
];
