import { flagOf, OPTION_GROUPS } from "./option.ts";
import { OPTION_NAMES, type OptionName, optionRow } from "./options.ts";
import { PROGRAM_NAME } from "./program.ts";
import { type SubcommandRow, SUBCOMMANDS, type SubcommandTable } from "./subcommands.ts";

/** Widest line of the help text. */
const WIDTH = 100;
const INDENT = "          ";
const COMMAND_WIDTH = 25;

const USAGE = `${PROGRAM_NAME} - Nostr relay and git server (GRASP)

Usage: ${PROGRAM_NAME} [serve] [OPTIONS]
       ${PROGRAM_NAME} --check-config [--format <table|json>] [--strict] [--allow-running] [OPTIONS]
       ${PROGRAM_NAME} <COMMAND> [OPTIONS]

Commands:
`;

const HEAD = `
Options:
  --check-config           check configuration and machine, start nothing, change nothing
      --strict             treat warnings as failures
      --allow-running      do not fail because the server is running
      --format <FORMAT>    table, or json: one object on stdout [default: table]
  --print-default-env      print a .env file with every option, commented out
  --print-permissions      print the least permissions the effective configuration needs
  --env-file <PATH>        read this file instead of ./.env [env: NGIT_ENV_FILE]
  -h, --help               show this text
  -V, --version            show versions

A value is taken from the command line, else from the environment, else from the .env file, else
the default. Switches accept --x, --x=true, --x=false and --no-x; lists are comma-separated.
`;

/**
 * Text of `--help`: every public option, grouped, at most 100 columns; with `of`, only what belongs to
 * that sub-command. Reads nothing.
 */
export function helpText(of?: string, subcommands: SubcommandTable = SUBCOMMANDS): string {
  const row = of === undefined ? undefined : subcommands[of];
  if (of !== undefined && row) return subcommandHelp(of, row);
  const commands = [
    ["serve", "start the server (default)"] as const,
    ...Object.entries(subcommands).map(([name, { summary }]) => [name, summary] as const),
    ["help [COMMAND]", "show this text, or that of one command"] as const,
  ].map(([name, summary]) => `  ${name.padEnd(COMMAND_WIDTH)}${summary}\n`).join("");
  const groups = OPTION_GROUPS.map((group) => {
    const names = publicOptions().filter((name) => optionRow(name).group === group);
    return `\n${group}:\n${names.map(optionHelp).join("\n")}\n`;
  });
  return USAGE + commands + HEAD + groups.join("");
}

function subcommandHelp(name: string, { summary, words = [], flags }: SubcommandRow): string {
  const usage = ["Usage:", PROGRAM_NAME, name, ...words, "[OPTIONS]"].join(" ");
  const own = Object.entries(flags).map(([flag, { value, help }]) =>
    `  ${flag}${value === undefined ? "" : ` <${value}>`}\n${wrap(`${help}.`)}\n`
  );
  const rest = `  Options of the server are accepted too; see ${PROGRAM_NAME} --help\n`;
  return `${PROGRAM_NAME} ${name} - ${summary}\n\n${usage}\n\nOptions:\n${own.join("")}${rest}`;
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
