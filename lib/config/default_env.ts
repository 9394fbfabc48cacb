import { publicOptions } from "./help.ts";
import { flagOf, OPTION_GROUPS } from "./option.ts";
import { type OptionName, optionRow } from "./options.ts";
import { PROGRAM_NAME } from "./program.ts";

const WIDTH = 100;

/**
 * Text of `--print-default-env`: a `.env` file with every public option commented out at its default.
 * Only the domain has to be filled in. Reads nothing.
 */
export function defaultEnvText(): string {
  const others = publicOptions().filter((name) => name !== "NGIT_DOMAIN");
  const groups = OPTION_GROUPS.map((group) => {
    const entries = others.filter((name) => optionRow(name).group === group).map(entryOf);
    return `## ${group}\n\n${entries.join("\n")}`;
  });
  return `# Configuration of ${PROGRAM_NAME}. Lines that begin with # have no effect: they show the defaults.
# The command line and the environment win over this file.

# REQUIRED. ${describe("NGIT_DOMAIN").join("\n# ")}
NGIT_DOMAIN=

${groups.join("\n")}`;
}

function entryOf(name: OptionName): string {
  const lines = describe(name).map((line) => `# ${line}\n`);
  return `${lines.join("")}#${name}=${optionRow(name).default ?? ""}\n`;
}

function describe(name: OptionName): readonly string[] {
  const { help, kind, default: byDefault, derivedDefault, excludes, reloadable } = optionRow(
    name,
  );
  const notes = [
    `${help}.`,
    `Type: ${kind.form}.`,
    `Default: ${
      derivedDefault ?? (byDefault === undefined ? "not set" : byDefault === "" ? "empty" : byDefault)
    }.`,
    `Flag: ${flagOf(name)}.`,
    excludes === undefined ? "" : `Not together with ${excludes}.`,
    reloadable ? "Reloadable." : "",
  ];
  return wrapped(notes.filter((note) => note !== "").join(" "));
}

function wrapped(text: string): readonly string[] {
  const lines = [""];
  for (const word of text.split(" ")) {
    const last = lines.length - 1;
    const longer = lines[last] === "" ? word : `${lines[last]} ${word}`;
    if (longer.length + 2 <= WIDTH) lines[last] = longer;
    else lines.push(word);
  }
  return lines;
}
