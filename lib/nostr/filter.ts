import { isHex64, type NostrEvent } from "./event.ts";

/**
 * A parsed NIP-01 filter. An empty list matches nothing; an absent one does not constrain. No list
 * holds a value twice.
 */
export interface Filter {
  readonly ids?: readonly string[];
  readonly authors?: readonly string[];
  readonly kinds?: readonly number[];
  readonly since?: number;
  readonly until?: number;
  readonly limit?: number;
  /** Tag conditions by single-letter tag name (case-sensitive), without the `#`. */
  readonly tags: ReadonlyMap<string, readonly string[]>;
}

/** Most values in one list of a filter. */
export const MAX_FILTER_VALUES = 5_000;
/** Longest value of a tag condition, in UTF-16 units. */
const MAX_TAG_VALUE_LENGTH = 4_096;

/** Parses an untrusted filter; a text instead says what is wrong with it (ASCII, no echo of input). */
export function parseFilter(value: unknown): Filter | string {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return "filter is not an object";
  const source = value as Record<string, unknown>;
  const tags = new Map<string, readonly string[]>();
  for (const [key, values] of Object.entries(source)) {
    if (!/^#[a-zA-Z]$/.test(key)) continue;
    const problem = listProblem(
      values,
      (item) => typeof item === "string" && item.length <= MAX_TAG_VALUE_LENGTH,
    );
    if (problem) return `filter field ${key} ${problem}`;
    tags.set(key.slice(1), [...new Set(values as string[])]);
  }
  for (const key of ["ids", "authors"] as const) {
    const problem = source[key] === undefined ? undefined : listProblem(source[key], isHex64);
    if (problem) return `filter field ${key} ${problem}`;
  }
  const kindProblem = source.kinds === undefined
    ? undefined
    : listProblem(source.kinds, isNonNegativeInteger);
  if (kindProblem) return `filter field kinds ${kindProblem}`;
  for (const key of ["since", "until", "limit"] as const) {
    if (source[key] !== undefined && !isNonNegativeInteger(source[key])) {
      return `filter field ${key} is not a non-negative integer`;
    }
  }
  return {
    ...(source.ids !== undefined && { ids: [...new Set(source.ids as string[])] }),
    ...(source.authors !== undefined && { authors: [...new Set(source.authors as string[])] }),
    ...(source.kinds !== undefined && { kinds: [...new Set(source.kinds as number[])] }),
    ...(source.since !== undefined && { since: source.since as number }),
    ...(source.until !== undefined && { until: source.until as number }),
    ...(source.limit !== undefined && { limit: source.limit as number }),
    tags,
  };
}

function isNonNegativeInteger(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function listProblem(values: unknown, accepts: (item: unknown) => boolean): string | undefined {
  if (!Array.isArray(values)) return "is not a list";
  if (values.length > MAX_FILTER_VALUES) return `has more than ${MAX_FILTER_VALUES} values`;
  return values.every(accepts) ? undefined : "has a malformed value";
}

/** True when `event` matches every condition of `filter` (NIP-01; `limit` plays no part). */
export function matchesFilter(filter: Filter, event: NostrEvent): boolean {
  if (filter.ids && !filter.ids.includes(event.id)) return false;
  if (filter.authors && !filter.authors.includes(event.pubkey)) return false;
  if (filter.kinds && !filter.kinds.includes(event.kind)) return false;
  if (filter.since !== undefined && event.created_at < filter.since) return false;
  if (filter.until !== undefined && event.created_at > filter.until) return false;
  for (const [name, values] of filter.tags) {
    if (!event.tags.some((tag) => tag[0] === name && tag[1] !== undefined && values.includes(tag[1]))) {
      return false;
    }
  }
  return true;
}
