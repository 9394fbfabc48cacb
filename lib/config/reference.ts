import { publicOptions } from "./help.ts";
import { flagOf, OPTION_GROUPS } from "./option.ts";
import { type OptionName, optionRow } from "./options.ts";

/** Lines between which the configuration page holds the generated tables. */
export const REFERENCE_START = "<!-- options: generated from the option table, do not edit -->";
/** End of the generated part. */
export const REFERENCE_END = "<!-- options: end -->";

/** The page with its generated part made from the option table; undefined without both marks. */
export function updateReference(page: string): string | undefined {
  const [start, end] = [page.indexOf(REFERENCE_START), page.indexOf(REFERENCE_END)];
  if (start < 0 || end < start) return undefined;
  return `${page.slice(0, start)}${REFERENCE_START}\n\n${optionsMarkdown()}\n${page.slice(end)}`;
}

/** Tables of all public options in Markdown, one per group. */
export function optionsMarkdown(): string {
  return OPTION_GROUPS.map((group) => {
    const rows = publicOptions().filter((name) => optionRow(name).group === group).map(tableRow);
    return `### ${group}\n\n| Variable and flag | Values | Default | Meaning |\n|---|---|---|---|\n${
      rows.join("\n")
    }\n`;
  }).join("\n");
}

function tableRow(name: OptionName): string {
  const row = optionRow(name);
  const byDefault = row.derivedDefault ?? (row.default ? `\`${row.default}\`` : "");
  const excludes = row.excludes === undefined ? "" : ` Not together with ${row.excludes}.`;
  const reload = row.reloadable ? " *Reloadable.*" : "";
  const cells = [
    `\`${name}\`<br>\`${flagOf(name)}\``,
    row.kind.form,
    byDefault,
    `${row.help}.${excludes}${reload}`,
  ];
  return `| ${cells.map((cell) => cell.replaceAll("|", "\\|").replace(/<(?!br>)/g, "&lt;")).join(" | ")} |`;
}
