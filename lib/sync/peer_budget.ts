import type { PeerMemory, SyncSettings } from "./ports.ts";

/** What one peer lets us do, from its NIP-11 document, from what it refused, and from our settings. */
export interface PeerBounds {
  /** Open subscriptions and negotiations in all. */
  readonly budget: number;
  /** Of these, for history: subscriptions and negotiations together. */
  readonly historic: number;
  readonly historicRequests: number;
  readonly negotiations: number;
  /** For live subscriptions; 0 when the peer allows a single subscription, which history needs. */
  readonly live: number;
  readonly filtersPerLive: number;
  /** Longest REQ, in bytes. */
  readonly maxMessageBytes: number;
  readonly pageLimit: number;
  readonly pageThreshold: number;
  /** The peer says how many events it sends at most. */
  readonly knowsPageLimit: boolean;
  readonly idsPerRequest: number;
}

/** Historic subscriptions and negotiations open per relay. */
const MAX_HISTORIC_REQUESTS = 10;
const MAX_NEGOTIATIONS = 3;
/** Filters of one packed live subscription. */
const MAX_PACKED_FILTERS = 10;
/** Kept free below an advertised maximum, for a probe among others. */
const SPARE_SUBSCRIPTIONS = 2;
const MAX_MESSAGE_BYTES = 128 << 10;
/** A peer that claims to accept less would be asked for every single value by itself. */
const LEAST_MESSAGE_BYTES = 4_096;
/** A REQ around its filters, and one id in a list. */
const ENVELOPE_BYTES = 100;
const ID_BYTES = 67;
/** A refusal never lowers the budget below this. */
export const LEAST_LEARNED_BUDGET = 5;

/** Computes the bounds in force. */
export function peerBounds(settings: SyncSettings, memory: PeerMemory): PeerBounds {
  const { limits, learnedBudget, learnedThreshold } = memory;
  const advertised = limits?.maxSubscriptions;
  const allowed = advertised === undefined
    ? Infinity
    : Math.max(advertised - SPARE_SUBSCRIPTIONS, Math.min(advertised, 2));
  const budget = Math.min(settings.maxSubscriptions, allowed, learnedBudget ?? Infinity);
  const historic = Math.min(MAX_HISTORIC_REQUESTS + MAX_NEGOTIATIONS, Math.max(1, Math.floor(budget / 2)));
  const { maxLimit = Infinity, defaultLimit = Infinity } = limits ?? {};
  const answerLimit = Math.min(maxLimit, defaultLimit);
  const accepted = limits?.maxMessageLength ?? Infinity;
  const maxMessageBytes = Math.max(Math.min(accepted, MAX_MESSAGE_BYTES), LEAST_MESSAGE_BYTES);
  const idsThatFit = Math.max(1, Math.floor((maxMessageBytes - ENVELOPE_BYTES) / ID_BYTES));
  return {
    budget,
    historic,
    historicRequests: Math.min(MAX_HISTORIC_REQUESTS, historic),
    negotiations: Math.min(MAX_NEGOTIATIONS, historic),
    live: budget - historic,
    filtersPerLive: Math.min(MAX_PACKED_FILTERS, limits?.maxFilters ?? Infinity),
    maxMessageBytes,
    pageLimit: Math.min(settings.pageLimit, maxLimit),
    pageThreshold: Math.min(settings.pageThreshold, answerLimit, learnedThreshold ?? Infinity),
    knowsPageLimit: Number.isFinite(answerLimit),
    idsPerRequest: Math.min(settings.idsPerFilter, answerLimit, idsThatFit),
  };
}

/** Longest text of one filter that still fits a REQ of its own. */
export function maxFilterLength(bounds: PeerBounds): number {
  // Characters outside ASCII are rare in filters, and take more bytes than units: two thirds leave room.
  return Math.floor((bounds.maxMessageBytes - ENVELOPE_BYTES) * 2 / 3);
}

/** Splits a list into packs of at most `size`, as even as their number allows. */
export function inPacks<T>(list: readonly T[], size: number): readonly (readonly T[])[] {
  const count = Math.ceil(list.length / size);
  return Array.from(
    { length: count },
    (_, index) =>
      list.slice(Math.floor(index * list.length / count), Math.floor((index + 1) * list.length / count)),
  );
}
