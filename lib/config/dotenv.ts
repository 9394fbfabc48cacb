/** One setting of a `.env` file; `line` counts from 1. */
export interface DotenvEntry {
  readonly key: string;
  readonly value: string;
  readonly line: number;
}

/** A line that cannot be read; it counts from 1. */
export interface DotenvFault {
  readonly line: number;
  readonly problem: string;
}

/**
 * Result of {@link parseDotenv}: what could be read, and every line that could not. Texts never
 * contain file content, which may be secret.
 */
export interface ParsedDotenv {
  readonly entries: readonly DotenvEntry[];
  readonly warnings: readonly string[];
  /** At most 20. */
  readonly faults: readonly DotenvFault[];
}

/** More faults than this are not a typing error but another kind of file. */
const MAX_FAULTS = 20;

/** Longest accepted file, in characters. */
export const MAX_DOTENV_LENGTH = 1024 * 1024;
/** The same in bytes, for whoever reads the file. */
export const MAX_DOTENV_BYTES = 4 * MAX_DOTENV_LENGTH;
/** Bound of all values together after expansion, in characters: references can double a value per line. */
const MAX_EXPANDED = 2 * MAX_DOTENV_LENGTH;

const ESCAPES: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", "\\": "\\", '"': '"', $: "$" };

/** A syntax error of one line, as a value. */
type Value = { readonly ok: true; readonly value: string } | { readonly ok: false; readonly problem: string };

/**
 * Reads a `.env` file. Pure; never throws. `$NAME` and `${NAME}` in unquoted and double-quoted
 * values are replaced from `env`, then from earlier lines, else by nothing. The last duplicate wins.
 */
export function parseDotenv(text: string, env: Readonly<Record<string, string | undefined>>): ParsedDotenv {
  if (text.length > MAX_DOTENV_LENGTH) {
    return { entries: [], warnings: [], faults: [{ line: 1, problem: "file is larger than 1 MiB" }] };
  }
  const faults: DotenvFault[] = [];
  const entries = new Map<string, DotenvEntry>();
  const warnings: string[] = [];
  let expanded = 0;
  const lookUp = (name: string) =>
    (Object.hasOwn(env, name) ? env[name] : undefined) ?? entries.get(name)?.value ?? "";
  for (const [index, line] of text.replace(/^\ufeff/, "").split(/\r?\n/).entries()) {
    if (/^[ \t]*(#|$)/.test(line)) continue;
    const match = /^[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*(.*)$/s.exec(line);
    const [, key = "", raw = ""] = match ?? [];
    const parsed: Value = match
      ? parseValue(raw, lookUp, MAX_EXPANDED - expanded)
      : { ok: false, problem: "expected KEY=VALUE" };
    if (!parsed.ok) {
      if (faults.push({ line: index + 1, problem: parsed.problem }) >= MAX_FAULTS) break;
      continue;
    }
    expanded += parsed.value.length;
    const earlier = entries.get(key);
    if (earlier) {
      warnings.push(
        `${key} is set on line ${earlier.line} and again on line ${index + 1}; the last one is used`,
      );
    }
    entries.set(key, { key, value: parsed.value, line: index + 1 });
  }
  return { entries: [...entries.values()], warnings, faults };
}

function parseValue(raw: string, lookUp: (name: string) => string, limit: number): Value {
  if (raw.startsWith("'")) return parseSingleQuoted(raw, limit);
  if (raw.startsWith('"')) return parseDoubleQuoted(raw, lookUp, limit);
  const comment = raw.startsWith("#") ? 0 : raw.search(/[ \t]#/);
  const plain = (comment < 0 ? raw : raw.slice(0, comment)).replace(/[ \t]+$/, "");
  return expand(plain, lookUp, limit);
}

function parseSingleQuoted(raw: string, limit: number): Value {
  const end = raw.indexOf("'", 1);
  if (end < 0) return { ok: false, problem: "a quoted value is not closed" };
  if (!isTrailer(raw.slice(end + 1))) return { ok: false, problem: "unexpected text after a quoted value" };
  return end - 1 > limit ? tooLong() : { ok: true, value: raw.slice(1, end) };
}

function parseDoubleQuoted(raw: string, lookUp: (name: string) => string, limit: number): Value {
  let value = "";
  let plain = "";
  for (let at = 1; at < raw.length; at++) {
    const char = raw[at]!;
    if (char !== "\\" && char !== '"') {
      plain += char;
      continue;
    }
    const part = expand(plain, lookUp, limit - value.length);
    if (!part.ok) return part;
    value += part.value;
    plain = "";
    if (char === '"') {
      if (!isTrailer(raw.slice(at + 1))) {
        return { ok: false, problem: "unexpected text after a quoted value" };
      }
      return { ok: true, value };
    }
    const escaped = ESCAPES[raw[++at] ?? ""];
    if (escaped === undefined) return { ok: false, problem: "unknown escape in a quoted value" };
    value += escaped;
  }
  return { ok: false, problem: "a quoted value is not closed" };
}

function expand(text: string, lookUp: (name: string) => string, limit: number): Value {
  let value = "";
  let rest = 0;
  for (const match of text.matchAll(/\$(?:\{([^}]*)\}|([A-Za-z_][A-Za-z0-9_]*)|(\{))/g)) {
    const name = match[1] ?? match[2] ?? "";
    if (match[3] !== undefined || !/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
      return { ok: false, problem: "malformed ${NAME} reference" };
    }
    value += text.slice(rest, match.index) + lookUp(name);
    rest = match.index + match[0].length;
    if (value.length > limit) return tooLong();
  }
  value += text.slice(rest);
  return value.length > limit ? tooLong() : { ok: true, value };
}

/** Blanks, or a comment that a blank separates from the value. */
function isTrailer(text: string): boolean {
  return /^[ \t]*$|^[ \t]+#/.test(text);
}

function tooLong(): Value {
  return { ok: false, problem: "values are too long after expansion" };
}
