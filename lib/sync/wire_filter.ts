import type { Filter } from "../nostr/mod.ts";

/** A filter as JSON text (NIP-01), its fields in one fixed order: equal filters give equal texts. */
export function filterText(filter: Filter): string {
  const { ids, authors, kinds, since, until, limit, tags } = filter;
  const conditions = [...tags].map(([name, values]) => [`#${name}`, values] as const);
  return JSON.stringify({ ids, authors, kinds, ...Object.fromEntries(conditions), since, until, limit });
}

/** A filter for ids alone. */
export function idsFilter(ids: readonly string[]): Filter {
  return { ids, tags: new Map() };
}

/**
 * Splits a filter so that the text of each part has at most `maxLength` UTF-16 units, by halving its
 * longest list; what cannot be split further is returned as it is.
 */
export function splitToFit(filter: Filter, maxLength: number): readonly Filter[] {
  if (filterText(filter).length <= maxLength) return [filter];
  const halves = halveLongestList(filter);
  return halves ? halves.flatMap((half) => splitToFit(half, maxLength)) : [filter];
}

function halveLongestList(filter: Filter): readonly Filter[] | undefined {
  const lists: { readonly size: number; with(values: readonly string[]): Filter; all: readonly string[] }[] =
    [];
  const { ids, authors, tags } = filter;
  if (ids) lists.push({ size: ids.length, all: ids, with: (values) => ({ ...filter, ids: values }) });
  if (authors) {
    lists.push({ size: authors.length, all: authors, with: (values) => ({ ...filter, authors: values }) });
  }
  for (const [name, all] of tags) {
    lists.push({
      size: all.length,
      all,
      with: (values) => ({ ...filter, tags: new Map([...tags, [name, values]]) }),
    });
  }
  const longest = lists.sort((a, b) => b.size - a.size)[0];
  if (!longest || longest.size < 2) return undefined;
  const middle = Math.ceil(longest.size / 2);
  return [longest.with(longest.all.slice(0, middle)), longest.with(longest.all.slice(middle))];
}

/** Nothing of interest here is older: 2020-01-01, in seconds. */
const EARLIEST = 1_577_836_800;

/** Halves the time range of a filter; undefined when it is a single second. `now` in seconds. */
export function halveTimeRange(filter: Filter, now: number): readonly [Filter, Filter] | undefined {
  const upper = filter.until ?? Math.max(now, (filter.since ?? 0) + 1);
  const lower = filter.since ?? Math.min(EARLIEST, Math.floor(upper / 2));
  const middle = Math.floor((lower + upper) / 2);
  if (middle >= upper) return undefined;
  return [{ ...filter, until: middle }, { ...filter, since: middle + 1 }];
}
