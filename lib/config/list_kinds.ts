import { type AddressRange, isRangeWord, parseRange, type RangeWord } from "./address_ranges.ts";
import {
  type AuthorEntry,
  type CurationEntry,
  parseAuthorEntry,
  type ParsedEntry,
  parseRepositoryEntry,
} from "./curation_entries.ts";
import { parseDomain } from "./domain.ts";
import type { Kind } from "./option.ts";
import { shown, withoutUserInfo } from "./redact.ts";

/** Most items of one list; a longer one belongs in another tool than an environment variable. */
const MAX_ITEMS = 100_000;

/** Stands for a list none of whose entries is valid: a domain nobody can have. */
const NO_DOMAIN = "no-valid-entry.invalid";
/** The same for repositories: an identifier nobody can have. */
const NO_REPOSITORY: CurationEntry = { kind: "identifier", identifier: "", text: "(no valid entry)" };

/**
 * Comma-separated items, each read by `parse`; every bad item is reported. `nothing` is what a list
 * keeps without a valid entry, where an empty list would not mean "matches nothing".
 */
function list<T>(
  valueName: string,
  form: string,
  parse: (item: string) => ParsedEntry<readonly T[]> & { readonly warning?: string },
  text: (value: T) => string,
  nothing: readonly T[] = [],
): Kind<readonly T[]> {
  return {
    valueName,
    form,
    empty: "value",
    isList: true,
    parse: (value, option) => {
      const items = value.split(",").map((item) => item.trim()).filter((item) => item !== "");
      if (items.length > MAX_ITEMS) {
        return { ok: false, problems: [`${option} has more than ${MAX_ITEMS} entries`] };
      }
      const values: T[] = [];
      const problems: string[] = [];
      const warnings: string[] = [];
      for (const item of items) {
        const parsed = parse(item);
        if (parsed.ok) values.push(...parsed.value);
        else problems.push(`${option}: ${shown(parsed.problem)}`);
        if (parsed.warning !== undefined) warnings.push(`${option}: ${shown(parsed.warning)}`);
      }
      if (problems.length === 0) return { ok: true, value: values, warnings };
      return { ok: false, problems, kept: values.length > 0 ? values : nothing };
    },
    show: (values) => showList([...new Set(values.map(text))]),
  };
}

/** Count and the first three entries. */
function showList(texts: readonly string[]): string {
  if (texts.length === 0) return "0";
  return shown(`${texts.length}: ${texts.slice(0, 3).join(", ")}${texts.length > 3 ? ", ..." : ""}`);
}

/** Owners, repositories or identifiers. */
export function repositoryEntries(listWord: "whitelist" | "blacklist"): Kind<readonly CurationEntry[]> {
  return list(
    "ENTRIES",
    "list of npub, npub/identifier or identifier",
    (item) => {
      const parsed = parseRepositoryEntry(item, listWord);
      return parsed.ok ? { ok: true, value: [parsed.value] } : parsed;
    },
    (entry) => entry.text,
    [NO_REPOSITORY],
  );
}

/** Authors, as npub or hex. */
export const authorEntries: Kind<readonly AuthorEntry[]> = list(
  "NPUBS",
  "list of npub or 64 hex digits",
  (item) => {
    const parsed = parseAuthorEntry(item);
    return parsed.ok ? { ok: true, value: [parsed.value] } : parsed;
  },
  (entry) => entry.text,
);

/** Domains `host[:port]`. */
export const domains: Kind<readonly string[]> = list(
  "DOMAINS",
  "list of host[:port]",
  (item) => {
    const parsed = parseDomain(item);
    return parsed.ok
      ? { ok: true, value: [parsed.domain] }
      : { ok: false, problem: `invalid entry '${item}': ${parsed.problem}` };
  },
  String,
  [NO_DOMAIN],
);

/** Address ranges: prefixes and the given words; `any` and `none` must stand alone. */
export function ranges(words: readonly RangeWord[]): Kind<readonly AddressRange[]> {
  const expected = `expected an address, a prefix or one of: ${words.join(", ")}`;
  const kind = list<AddressRange>("RANGES", `list of addresses, prefixes, ${words.join(", ")}`, (item) => {
    const word = item.toLowerCase();
    const value = isRangeWord(word) && !words.includes(word) ? undefined : parseRange(item);
    return value ? { ok: true, value } : { ok: false, problem: `invalid entry '${item}': ${expected}` };
  }, (range) => range.text);
  return {
    ...kind,
    parse: (text, option) => {
      const items = text.split(",").map((item) => item.trim().toLowerCase()).filter((item) => item !== "");
      const alone = items.find((item) => item === "any" || item === "none");
      if (alone !== undefined && items.length > 1) {
        return { ok: false, problems: [`${option}: '${alone}' must be the only entry`] };
      }
      return kind.parse(text, option);
    },
  };
}

/** WebSocket URLs of relays; without a scheme `wss://` is assumed, `http(s)` becomes `ws(s)`. */
export const relayUrls: Kind<readonly string[]> = list("URLS", "list of ws or wss URLs", (item) => {
  const full = item.includes("://") ? item : `wss://${item}`;
  const problem = (text: string) => ({
    ok: false as const,
    problem: `invalid entry '${withoutUserInfo(item)}': ${text}`,
  });
  if (!URL.canParse(full)) return problem("expected a ws or wss URL");
  const url = new URL(full.replace(/^http(s?):\/\//i, "ws$1://"));
  if (url.protocol !== "ws:" && url.protocol !== "wss:") return problem("expected a ws or wss URL");
  if (url.username !== "" || url.password !== "") return problem("user information is not allowed");
  return { ok: true, value: [url.href] };
}, String);
