import { isIPv4, isIPv6 } from "node:net";
import { encodeNpub, parsePubkey } from "../nostr/mod.ts";
import { type LogFilter, parseLogFilter } from "../observe/mod.ts";
import { parseDomain } from "./domain.ts";
import type { Kind, ParsedValue } from "./option.ts";
import { Secret, shortNpub, shown, withoutUserInfo } from "./redact.ts";
import { pubkeyOfSecret, readSecretKey } from "./secret_key.ts";

/** An address to listen on; `hostname` is an IP address without brackets. */
export interface BindAddress {
  readonly hostname: string;
  readonly port: number;
}

/** `invalid value '<v>' for <OPTION>: <expected>` as a failed parse. */
export function invalid<T>(text: string, option: string, expected: string): ParsedValue<T> {
  return { ok: false, problems: [`invalid value '${shown(text)}' for ${option}: ${expected}`] };
}

/** A successful parse. */
export function valid<T>(value: T, warnings: readonly string[] = []): ParsedValue<T> {
  return { ok: true, value, warnings };
}

const TRUE_WORDS = ["true", "1", "yes", "on"];
const FALSE_WORDS = ["false", "0", "no", "off"];

/** `true`/`false`, `1`/`0`, `yes`/`no`, `on`/`off` in any case. */
export const bool: Kind<boolean> = {
  valueName: "BOOL",
  form: "true or false",
  empty: "unset",
  isBool: true,
  parse: (text, option) => {
    const word = text.trim().toLowerCase();
    if (TRUE_WORDS.includes(word)) return valid(true);
    if (FALSE_WORDS.includes(word)) return valid(false);
    return invalid(text, option, "expected true or false");
  },
  show: String,
};

/** Largest integer a range may end with when the option itself has no upper bound. */
const NO_MAXIMUM = Number.MAX_SAFE_INTEGER;

/** Decimal digits with optional `_` separators, within a range. */
export function uint(minimum: number, maximum: number = NO_MAXIMUM): Kind<number> {
  const range = maximum === NO_MAXIMUM ? `integer, at least ${minimum}` : `integer ${minimum} to ${maximum}`;
  return {
    valueName: "N",
    form: range,
    empty: "unset",
    parse: (text, option) => {
      const word = text.trim();
      const value = /^\d+(_+\d+)*$/.test(word) ? Number(word.replaceAll("_", "")) : NaN;
      if (value >= minimum && value <= maximum) return valid(value);
      return invalid(text, option, `expected an integer between ${minimum} and ${maximum}`);
    },
    show: String,
  };
}

/** Free text without control characters other than tab; `check` may add warnings or refuse. */
export function text(
  options: { readonly maxLength?: number; readonly check?: (value: string) => readonly string[] } = {},
): Kind<string> {
  return {
    valueName: "TEXT",
    form: options.maxLength === undefined ? "text" : `text of at most ${options.maxLength} characters`,
    empty: "value",
    parse: (value, option) => {
      // deno-lint-ignore no-control-regex -- finding control characters is the purpose
      if (/[\x00-\x08\x0a-\x1f\x7f]/.test(value)) {
        return invalid(value, option, "the text contains a control character");
      }
      if (options.maxLength !== undefined && [...value].length > options.maxLength) {
        return invalid(value, option, `expected at most ${options.maxLength} characters`);
      }
      return valid(value, options.check?.(value));
    },
    show: shown,
  };
}

/** A path, relative to the working directory; `~` is an ordinary character. */
export const path: Kind<string> = {
  valueName: "PATH",
  form: "path",
  empty: "unset",
  parse: (value, option) =>
    value.includes("\0") ? invalid(value, option, "the text is not a valid path") : valid(value),
  show: shown,
};

/** An absolute path of a library, or `off`; empty is "wherever it usually is". */
export const library: Kind<string> = {
  valueName: "PATH",
  form: "absolute path, or off",
  empty: "value",
  parse: (value, option) => {
    const word = value.trim();
    if (word.toLowerCase() === "off") return valid("off");
    if (word === "" || (word.startsWith("/") && !word.includes("\0"))) return valid(word);
    return invalid(value, option, "expected an absolute path, or off");
  },
  show: shown,
};

/** `IPv4:PORT` or `[IPv6]:PORT`. */
export const bindAddress: Kind<BindAddress> = {
  valueName: "IP:PORT",
  form: "IPv4:PORT or [IPv6]:PORT",
  empty: "unset",
  parse: (value, option) => {
    const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(value.trim());
    const [, v6, v4, port] = match ?? [];
    const isAddress = v6 === undefined ? isIPv4(v4 ?? "") : isIPv6(v6) && !v6.includes("%");
    if (!isAddress || Number(port) > 65535) return invalid(value, option, "expected IP:PORT");
    return valid({ hostname: (v6 ?? v4)!, port: Number(port) });
  },
  show: formatAddress,
};

/** A listening address as text: IPv6 in brackets. */
export function formatAddress(address: BindAddress): string {
  return `${address.hostname.includes(":") ? `[${address.hostname}]` : address.hostname}:${address.port}`;
}

/** One of some words, in any case; an alias is replaced with a warning. */
export function oneOf<const W extends string>(
  words: readonly W[],
  aliases: Readonly<Record<string, { readonly word: W; readonly warning: string }>> = {},
): Kind<W> {
  return {
    valueName: "WORD",
    form: words.join(", "),
    empty: "unset",
    parse: (value, option) => {
      const word = value.trim().toLowerCase();
      const found = words.find((candidate) => candidate.toLowerCase() === word);
      if (found !== undefined) return valid(found);
      const alias = Object.hasOwn(aliases, word) ? aliases[word] : undefined;
      if (alias) return valid(alias.word, [`${option}: ${alias.warning}`]);
      return invalid(value, option, `expected one of: ${words.join(", ")}`);
    },
    show: String,
  };
}

/** The public `host[:port]`. Empty is refused: a deployment that lost its domain must not get another one. */
export const domain: Kind<string> = {
  valueName: "DOMAIN",
  form: "host[:port]",
  empty: "value",
  parse: (value, option) => {
    const parsed = parseDomain(value);
    if (!parsed.ok) return invalid(value, option, parsed.problem);
    return valid(parsed.domain, parsed.warnings.map((warning) => `${option}: ${warning}`));
  },
  show: String,
};

/** A URL of one of the schemes (without colon), kept as written. */
export function url(schemes: readonly string[]): Kind<string> {
  return {
    valueName: "URL",
    form: `${schemes.join(", ")} URL`,
    empty: "unset",
    parse: (value, option) => {
      const word = value.trim();
      const scheme = URL.canParse(word) ? new URL(word).protocol.slice(0, -1) : "";
      // "https:host" parses as well, but nobody means it.
      const isUrl = schemes.includes(scheme) && (scheme === "file" || word.includes("://"));
      if (isUrl) return valid(word);
      return invalid(withoutUserInfo(word), option, `expected a URL with scheme ${schemes.join(", ")}`);
    },
    show: shown,
  };
}

const DATABASE_URL = url(["file", "libsql", "http", "https"]);

/** A file, or a server without anything secret in its URL. What is refused is not repeated: it may be a secret. */
export const databaseUrl: Kind<string> = {
  ...DATABASE_URL,
  parse: (value, option) => {
    const parsed = DATABASE_URL.parse(value, option);
    if (!parsed.ok) {
      const expected = DATABASE_URL.form.replace(/ URL$/, "");
      return { ok: false, problems: [`invalid value for ${option}: expected a URL with scheme ${expected}`] };
    }
    if (parsed.value.startsWith("file:")) return parsed;
    const { username, password, search, hash } = new URL(parsed.value);
    if (username + password + search + hash === "") return parsed;
    const problem = `invalid value for ${option}: a server's URL has no user, query or fragment here; ` +
      "its token belongs into NGIT_DATABASE_AUTH_TOKEN";
    return { ok: false, problems: [problem] };
  },
};

/** A public key as npub or hex; the value is hex. */
export const pubkey: Kind<string> = {
  valueName: "NPUB",
  form: "npub or 64 hex digits",
  empty: "unset",
  parse: (value, option) => {
    const key = parsePubkey(value.trim());
    return key === undefined ? invalid(value, option, "expected an npub or 64 hex digits") : valid(key);
  },
  show: encodeNpub,
};

/** The relay's secret key as nsec or hex. */
export const secretKey: Kind<Secret> = {
  valueName: "NSEC",
  form: "nsec or 64 hex digits",
  empty: "unset",
  isSecret: true,
  exitCode: 1,
  parse: (value) =>
    readSecretKey(value) === undefined
      ? { ok: false, problems: ["Invalid relay_owner_nsec format"] }
      : valid(new Secret(value.trim())),
  show: (secret) => {
    const key = readSecretKey(secret.reveal());
    return key === undefined ? "set" : `set (${shortNpub(encodeNpub(pubkeyOfSecret(key)))})`;
  },
};

/** A secret for an HTTP header: libraries quote a value that does not fit into one in their errors. */
export const secretText: Kind<Secret> = {
  valueName: "TOKEN",
  form: "secret text",
  empty: "unset",
  isSecret: true,
  parse: (value, option) => {
    const word = value.trim();
    if (/^[\x21-\x7e]+$/.test(word)) return valid(new Secret(word));
    return { ok: false, problems: [`invalid value for ${option}: expected ASCII characters without blanks`] };
  },
  show: () => "set",
};

/** A level or `target=level` directives. */
export const logFilter: Kind<LogFilter> = {
  valueName: "FILTER",
  form: "level, or target=level,...",
  empty: "unset",
  parse: (value, option) => {
    const parsed = parseLogFilter(value);
    if (!parsed.ok) return invalid(value, option, parsed.problem);
    return valid(parsed.filter, parsed.warnings.map((warning) => `${option}: ${warning}`));
  },
  show: (filter) =>
    [filter.fallback, ...[...filter.targets].map(([name, level]) => `${name}=${level}`)].join(","),
};
