import { flagOf, OPTION_GROUPS } from "./option.ts";
import { OPTION_NAMES, type OptionName, optionRow } from "./options.ts";
import { PROGRAM_NAME } from "./program.ts";

/** Widest line of the help text. */
const WIDTH = 100;
const INDENT = "          ";

const HEAD = `${PROGRAM_NAME} - Nostr relay and git server (GRASP)

Usage: ${PROGRAM_NAME} [serve] [OPTIONS]
       ${PROGRAM_NAME} --check-config [--strict] [--allow-running] [OPTIONS]

Commands:
  serve                    start the server (default)
  help                     show this text

Options:
  --check-config           check configuration and machine, start nothing, change nothing
      --strict             treat warnings as failures
      --allow-running      do not fail because the server is running
  --env-file <PATH>        read this file instead of ./.env [env: NGIT_ENV_FILE]
  -h, --help               show this text
  -V, --version            show versions

A value is taken from the command line, else from the environment, else from the .env file, else
the default. Switches accept --x, --x=true, --x=false and --no-x; lists are comma-separated.
`;

/** Text of `--help`: every public option, grouped, at most 100 columns. Reads nothing. */
export function helpText(): string {
  const groups = OPTION_GROUPS.map((group) => {
    const names = publicOptions().filter((name) => optionRow(name).group === group);
    return `\n${group}:\n${names.map(optionHelp).join("\n")}\n`;
  });
  return HEAD + groups.join("");
}

/** Options shown to everybody, in table order. */
export function publicOptions(): readonly OptionName[] {
  return OPTION_NAMES.filter((name) => !optionRow(name).hidden);
}

function optionHelp(name: OptionName): string {
  const row = optionRow(name);
  const value = row.kind.isBool ? "" : ` <${row.kind.valueName}>`;
  const byDefault = row.derivedDefault ?? row.default;
  const notes = [
    row.help + ".",
    row.kind.form.includes(" ") ? `(${row.kind.form})` : "",
    row.unsupported && !row.unsupported.when ? "(not supported by this version)" : "",
    `[env: ${name}]`,
    byDefault === undefined || byDefault === "" ? "" : `[default: ${byDefault}]`,
  ];
  return `  ${flagOf(name)}${value}\n${wrap(notes.filter((note) => note !== "").join(" "))}`;
}

/** Breaks at blanks, but never between a bracket or parenthesis and the end of its short note. */
function wrap(text: string): string {
  const lines = [""];
  for (const word of text.match(/\[[^\]]*\](?=\s|$)|\S+/g) ?? []) {
    const last = lines.length - 1;
    const longer = lines[last] === "" ? INDENT + word : `${lines[last]} ${word}`;
    if (longer.length <= WIDTH) lines[last] = longer;
    else lines.push(INDENT + word);
  }
  return lines.join("\n");
}
