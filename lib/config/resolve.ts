import { type GivenText, type Layer, type LayerInput, readLayers, type ValueSource } from "./layers.ts";
import { LEGACY_NAMES } from "./legacy.ts";
import { bool } from "./kinds.ts";
import type { ParsedValue } from "./option.ts";
import { OPTION_NAMES, optionKey, type OptionName, optionRow, type OptionValues } from "./options.ts";
import type { Notice, OptionCheck, Problem } from "./problem.ts";

/** Where the value of one option came from. */
export interface Origin {
  readonly source: ValueSource;
  /** `cli`, `env`, file and line, or the same word as `source`. */
  readonly detail: string;
}

/** All options read one by one, before they are judged together. */
export interface Resolution {
  /** Values by configuration key; an option that is wrong has no entry. */
  readonly values: Partial<OptionValues>;
  readonly origins: ReadonlyMap<OptionName, Origin>;
  readonly problems: Problem[];
  readonly notices: Notice[];
  /** Path of the `.env` file that was read. */
  readonly envFile: string | undefined;
}

/** Reads every option from the highest layer that sets it; `lenientLists` stands in for the option that decides it. */
export async function resolveOptions(input: LayerInput, lenientLists?: boolean): Promise<Resolution> {
  const { layers, envFile, ...found } = await readLayers(input);
  const problems = [...found.problems];
  const notices = [...found.notices];
  const origins = new Map<OptionName, Origin>();
  const values = new Map<string, unknown>();
  const legacy = readLegacy(layers, notices);
  const lenient = lenientLists ?? isBool(textFor("NGIT_LENIENT_LISTS", layers)?.text ?? "", true);
  for (const name of OPTION_NAMES) {
    const row = optionRow(name);
    const given = textFor(name, layers) ?? legacy.get(name) ?? { text: row.default, ...DEFAULT };
    origins.set(name, { source: given.source, detail: given.detail });
    if (given.text === undefined) {
      values.set(optionKey(name), undefined);
      continue;
    }
    const strict = row.kind.parse(given.text, name);
    const parsed = lenient ? withoutBadEntries(strict) : strict;
    report(name, given, parsed, problems, notices);
    if (!parsed.ok) continue;
    values.set(optionKey(name), parsed.value);
  }
  return { values: Object.fromEntries(values) as Partial<OptionValues>, origins, problems, notices, envFile };
}

/** A list keeps its good entries, and what is wrong with the others becomes warnings. */
function withoutBadEntries<T>(parsed: ParsedValue<T>): ParsedValue<T> {
  if (parsed.ok || parsed.kept === undefined) return parsed;
  return { ok: true, value: parsed.kept, warnings: parsed.problems.map((problem) => `${problem} (skipped)`) };
}

const DEFAULT: Origin = { source: "default", detail: "default" };

/** The text of the highest layer that sets `name`; an empty text may mean "not set". */
function textFor(name: string, layers: readonly Layer[], option?: OptionName): GivenText | undefined {
  const emptyIsUnset = optionRow(option ?? name as OptionName).kind.empty === "unset";
  for (const layer of layers) {
    const given = layer.get(name);
    if (given && !(emptyIsUnset && given.text.trim() === "")) return given;
  }
  return undefined;
}

/** Values given under foreign names, with one notice per name; canonical names win over them. */
function readLegacy(layers: readonly Layer[], notices: Notice[]): ReadonlyMap<OptionName, GivenText> {
  const texts = new Map<OptionName, GivenText>();
  for (const [name, legacy] of Object.entries(LEGACY_NAMES)) {
    const given = layers.map((layer) => layer.get(name)).find((text) => text !== undefined);
    if (!given) continue;
    const warn = (message: string) => notices.push({ check: "unknown", message: `${name} ${message}` });
    const as = (text: GivenText): GivenText => ({ ...text, detail: `${text.detail}, as ${name}` });
    if (legacy.kind === "ignored") {
      if (!legacy.whenTrue || isBool(given.text, true)) warn(`is ignored: ${legacy.because}`);
    } else if (legacy.kind === "sync-off") {
      if (!isBool(given.text, false)) continue;
      warn("is an old name: it is read as NGIT_SYNC_ENABLE=false unless that is set");
      if (!texts.has("NGIT_SYNC_ENABLE")) texts.set("NGIT_SYNC_ENABLE", as({ ...given, text: "false" }));
    } else {
      const text = textFor(name, layers, legacy.of);
      const isSet = textFor(legacy.of, layers) !== undefined;
      warn(`is an old name of ${legacy.of}${isSet ? ", which is set too and wins" : ""}`);
      if (text && !texts.has(legacy.of)) texts.set(legacy.of, as(text));
    }
  }
  return texts;
}

function isBool(text: string, expected: boolean): boolean {
  const parsed = bool.parse(text, "");
  return parsed.ok && parsed.value === expected;
}

function report(
  name: OptionName,
  given: Origin,
  parsed: ParsedValue<unknown>,
  problems: Problem[],
  notices: Notice[],
): void {
  const check = checkOf(name);
  if (parsed.ok) {
    notices.push(...parsed.warnings.map((message): Notice => ({ check, message })));
    return;
  }
  const exitCode = optionRow(name).kind.exitCode ?? 2;
  for (const message of parsed.problems) {
    problems.push({ check, option: name, message, source: given.detail, exitCode });
  }
}

function checkOf(name: OptionName): OptionCheck {
  if (name === "NGIT_DOMAIN") return "domain";
  if (name.startsWith("NGIT_RELAY_OWNER_NSEC") || name === "NGIT_OWNER_NPUB") return "key";
  if (name === "NGIT_SYNC_BOOTSTRAP_RELAY_URL") return "sync-url";
  return optionRow(name).kind.isList ? "lists" : "options";
}
