import { LEGACY_NAMES } from "./legacy.ts";
import { flagOf } from "./option.ts";
import { OPTION_NAMES, type OptionName, optionRow } from "./options.ts";
import type { Problem } from "./problem.ts";
import { shown } from "./redact.ts";
import { type SubcommandRow, SUBCOMMANDS, type SubcommandTable, wordBounds } from "./subcommands.ts";
import { closest } from "./suggest.ts";

/** What the command line asks for. */
export type Command =
  /** `of` names the sub-command whose help is meant. */
  | { readonly kind: "help"; readonly of: string | undefined }
  | { readonly kind: "version" }
  | ({ readonly kind: "serve" } & CommandOptions)
  | (
    & {
      readonly kind: "check-config";
      readonly strict: boolean;
      readonly allowRunning: boolean;
      readonly format: CheckFormat;
    }
    & CommandOptions
  )
  | { readonly kind: "print-default-env" }
  | ({ readonly kind: "print-permissions" } & CommandOptions)
  | ({ readonly kind: "subcommand" } & SubcommandCall & CommandOptions);

/** How `--check-config` reports: for people, or one JSON object. */
export type CheckFormat = "table" | "json";

/** A sub-command with its own arguments. */
export interface SubcommandCall {
  readonly name: string;
  /** What stands beside flags. */
  readonly words: readonly string[];
  /** Own flags that were given, with their values; "" for switches. */
  readonly own: ReadonlyMap<string, string>;
}

/** Options given as flags, and what is wrong with them. */
export interface CommandOptions {
  /** Texts by option or alias name, as given. */
  readonly flags: ReadonlyMap<string, string>;
  /** Value of `--env-file`. */
  readonly envFile: string | undefined;
  readonly problems: readonly Problem[];
}

/** Flags that belong to commands, not to the option table. */
export const COMMAND_FLAGS = [
  "--check-config",
  "--strict",
  "--allow-running",
  "--format",
  "--print-default-env",
  "--print-permissions",
  "--env-file",
  "--help",
  "--version",
] as const;

interface FlagRow {
  readonly name: string;
  readonly option: OptionName;
  readonly isBool: boolean;
  readonly isList: boolean;
}

/**
 * Reads the arguments after the program's name. Never fails: problems are part of the answer, so
 * that `--check-config` can report them with all others.
 */
export function parseCommandLine(
  args: readonly string[],
  subcommands: SubcommandTable = SUBCOMMANDS,
): Command {
  const reader = new ArgumentReader(args, subcommands);
  reader.readAll();
  const { flags, envFile, problems, subcommand } = reader;
  if (reader.seen.has("--help")) return { kind: "help", of: subcommand?.name };
  if (reader.seen.has("--version")) return { kind: "version" };
  if (reader.seen.has("--print-default-env")) return { kind: "print-default-env" };
  if (subcommand) {
    const { name, words, own } = subcommand;
    return { kind: "subcommand", name, words, own, flags, envFile, problems };
  }
  if (reader.seen.has("--check-config")) {
    const [strict, allowRunning] = [reader.seen.has("--strict"), reader.seen.has("--allow-running")];
    const format = reader.format === "json" ? "json" : "table";
    return { kind: "check-config", strict, allowRunning, format, flags, envFile, problems };
  }
  if (reader.format !== undefined) reader.seen.add("--format");
  for (const flag of ["--strict", "--allow-running", "--format"]) {
    if (reader.seen.has(flag)) problems.push(usage(`${flag} is only valid together with --check-config`));
  }
  if (reader.seen.has("--print-permissions")) return { kind: "print-permissions", flags, envFile, problems };
  return { kind: "serve", flags, envFile, problems };
}

/** Walks the arguments once and sorts them into flags, command flags and problems. */
class ArgumentReader {
  readonly flags = new Map<string, string>();
  readonly seen = new Set<string>();
  readonly problems: Problem[] = [];
  envFile: string | undefined;
  format: string | undefined;
  subcommand:
    | { readonly name: string; readonly row: SubcommandRow; words: string[]; own: Map<string, string> }
    | undefined;
  readonly #args: readonly string[];
  readonly #subcommands: SubcommandTable;
  readonly #rows = flagRows();
  #at = 0;

  constructor(args: readonly string[], subcommands: SubcommandTable) {
    this.#args = args;
    this.#subcommands = subcommands;
  }

  readAll(): void {
    this.#readCommandWord();
    let ended = false;
    for (; this.#at < this.#args.length; this.#at++) {
      const arg = this.#args[this.#at]!;
      if (!ended && arg === "--") ended = true;
      else if (!ended && arg.startsWith("-") && arg !== "-") this.#readFlag(arg);
      else this.#readWord(arg);
    }
    this.#checkWords();
  }

  #readWord(word: string): void {
    const { subcommand } = this;
    if (subcommand && subcommand.words.length < wordBounds(subcommand.row).max) subcommand.words.push(word);
    else {
      const commands = this.#at === 0 ? Object.keys(this.#subcommands) : [];
      this.problems.push(unexpected(word.replace(/^[0-9a-fA-F]{64}$/, "***"), commands));
    }
  }

  #checkWords(): void {
    if (!this.subcommand || this.seen.has("--help")) return;
    const { name, row, words } = this.subcommand;
    if (words.length >= wordBounds(row).min) return;
    this.problems.push(usage(`'${name}' needs ${row.words?.join(" ")}`));
  }

  #readCommandWord(): void {
    const word = this.#args[0];
    if (word === "serve") this.#at = 1;
    else if (word === "help") {
      const of = this.#args[1] ?? "help";
      const isKnown = this.#startSubcommand(of) || of === "serve" || of === "help" || of.startsWith("-");
      if (isKnown) this.seen.add("--help");
      else this.problems.push(unexpected(of, Object.keys(this.#subcommands)));
      this.#at = this.#args.length;
    } else if (this.#startSubcommand(word)) this.#at = 1;
  }

  #startSubcommand(name: string | undefined): boolean {
    if (name === undefined || !Object.hasOwn(this.#subcommands, name)) return false;
    this.subcommand = { name, row: this.#subcommands[name]!, words: [], own: new Map() };
    return true;
  }

  #readFlag(arg: string): void {
    const equals = arg.indexOf("=");
    const flag = equals < 0 ? arg : arg.slice(0, equals);
    const value = equals < 0 ? undefined : arg.slice(equals + 1);
    const commandFlag = { "-h": "--help", "-V": "--version" }[flag] ?? flag;
    if (this.#readOwnFlag(flag, value)) return;
    if (commandFlag === "--env-file") {
      this.envFile = this.#valueOf(flag, "PATH", value) ?? this.envFile;
    } else if (commandFlag === "--format") {
      this.format = this.#valueOf(flag, "FORMAT", value) ?? "";
      if (!["table", "json"].includes(this.format)) {
        this.problems.push(
          usage(`invalid value '${shown(this.format)}' for --format: expected one of: table, json`),
        );
      }
    } else if ((COMMAND_FLAGS as readonly string[]).includes(commandFlag)) {
      if (value === undefined) this.seen.add(commandFlag);
      else this.problems.push(usage(`${flag} takes no value`));
    } else this.#readOption(flag, value);
  }

  /** A flag of the sub-command; false when it has none of this name. */
  #readOwnFlag(flag: string, value: string | undefined): boolean {
    const { row, own } = this.subcommand ?? {};
    const known = row?.flags[flag as `--${string}`];
    if (!known || !own) return false;
    if (own.has(flag)) this.problems.push(usage(`the argument '${flag}' cannot be used more than once`));
    if (known.value === undefined) {
      if (value !== undefined) this.problems.push(usage(`${flag} takes no value`));
      own.set(flag, "");
    } else {
      const text = this.#valueOf(flag, known.value, value);
      if (text !== undefined) own.set(flag, text);
      const choices = known.value.split("|");
      if (text !== undefined && choices.length > 1 && !choices.includes(text)) {
        this.problems.push(usage(`invalid value '${shown(text)}' for '${flag} <${known.value}>'`));
      }
    }
    return true;
  }

  #readOption(flag: string, value: string | undefined): void {
    const row = this.#rows.get(flag);
    const negated = row ? undefined : this.#rows.get(flag.replace(/^--no-/, "--"));
    if (row?.isBool) this.#set(row, flag, value ?? this.#boolWord() ?? "true");
    else if (row) {
      const text = this.#valueOf(flag, optionRow(row.option).kind.valueName, value);
      if (text !== undefined) this.#set(row, flag, text);
    } else if (negated?.isBool && value === undefined) this.#set(negated, flag, "false");
    else {
      const ownFlags = Object.keys(this.subcommand?.row.flags ?? {});
      this.problems.push(unexpected(flag, [...ownFlags, ...this.#rows.keys(), ...COMMAND_FLAGS]));
    }
  }

  /** The next word, when it is literally `true` or `false`. */
  #boolWord(): string | undefined {
    const next = this.#args[this.#at + 1];
    if (next !== "true" && next !== "false") return undefined;
    this.#at++;
    return next;
  }

  #valueOf(flag: string, valueName: string, value: string | undefined): string | undefined {
    if (value !== undefined) return value;
    const next = this.#args[this.#at + 1];
    if (next === undefined || next.startsWith("--")) {
      this.problems.push(usage(`a value is required for '${flag} <${valueName}>' but none was supplied`));
      return undefined;
    }
    this.#at++;
    return next;
  }

  #set(row: FlagRow, flag: string, value: string): void {
    const earlier = this.flags.get(row.name);
    if (earlier !== undefined && !row.isList) {
      this.problems.push(usage(`the argument '${flag}' cannot be used more than once`));
    }
    this.flags.set(row.name, earlier !== undefined && row.isList ? `${earlier},${value}` : value);
  }
}

function flagRows(): ReadonlyMap<string, FlagRow> {
  const rows = new Map<string, FlagRow>();
  const add = (name: string, option: OptionName) => {
    const kind = optionRow(option).kind;
    rows.set(flagOf(name), { name, option, isBool: kind.isBool === true, isList: kind.isList === true });
  };
  for (const name of OPTION_NAMES) add(name, name);
  for (const [name, legacy] of Object.entries(LEGACY_NAMES)) {
    if (legacy.kind === "alias" && legacy.flag) add(name, legacy.of);
  }
  return rows;
}

function usage(message: string): Problem {
  return { check: "options", message, source: "cli", exitCode: 2 };
}

function unexpected(arg: string, candidates: readonly string[] = []): Problem {
  const suggestion = closest(arg, candidates);
  const tip = suggestion === undefined ? "" : `; a similar one exists: '${suggestion}'`;
  return usage(`unexpected argument '${shown(arg)}' found${tip}`);
}
