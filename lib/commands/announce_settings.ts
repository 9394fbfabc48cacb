import { OPTION_GROUPS, type OptionName, type ResolvedOption, shown } from "../config/mod.ts";
import type { Logger } from "../observe/mod.ts";

/** Told at every start, whether somebody set them or not: what an admin compares first. */
const ALWAYS: readonly OptionName[] = [
  "NGIT_DOMAIN",
  "NGIT_RELAY_NAME",
  "NGIT_BIND_ADDRESS",
  "NGIT_GIT_DATA_PATH",
  "NGIT_RELAY_DATA_PATH",
  "NGIT_DATABASE_BACKEND",
  "NGIT_METRICS_ENABLED",
  "NGIT_SYNC_ENABLE",
  "NGIT_REPOSITORY_WHITELIST",
  "NGIT_ARCHIVE_ALL",
  "NGIT_ARCHIVE_WHITELIST",
  "NGIT_ARCHIVE_GRASP_SERVICES",
];

/** One line about the file that was read, and one per group with what was set; without secrets. */
export function announceSettings(
  log: Logger,
  { envFile, resolved }: {
    readonly envFile: string | undefined;
    readonly resolved: readonly ResolvedOption[];
  },
): void {
  log.info(envFile === undefined ? "no .env file was read" : `settings read from ${shown(envFile)}`);
  for (const group of OPTION_GROUPS) {
    const told = resolved.filter((option) =>
      option.group === group && (option.source !== "default" || ALWAYS.includes(option.name))
    );
    if (told.length === 0) continue;
    log.info(`settings: ${group}`, Object.fromEntries(told.map(({ name, value }) => [name, value])));
  }
}
