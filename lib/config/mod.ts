/** Configuration: the option table, its sources, what the options mean together, and the relay key. */
export { type AddressRange, inRanges, parseRange, prefixesOf } from "./address_ranges.ts";
export { isReadOnly } from "./combine.ts";
export { SYSTEM_VARIABLES } from "./legacy.ts";
export { type Command, type CommandOptions, parseCommandLine, type SubcommandCall } from "./command_line.ts";
export {
  allowsPrivateAddresses,
  type Config,
  databasePath,
  domainForPort,
  remoteDatabaseUrl,
  resolveLogFormat,
  withBoundPort,
} from "./config.ts";
export type { AuthorEntry, CurationEntry } from "./curation_entries.ts";
export { defaultEnvText } from "./default_env.ts";
export { MAX_DOTENV_BYTES } from "./dotenv.ts";
export { helpText } from "./help.ts";
export { type BindAddress, formatAddress } from "./kinds.ts";
export {
  type ConfigInput,
  type Examination,
  examineConfig,
  exitCodeOf,
  formatProblems,
  loadConfig,
  type LoadedConfig,
  READABLE_VARIABLES,
  type ResolvedOption,
  SECRET_VARIABLES,
} from "./load.ts";
export { LiveConfig } from "./live_config.ts";
export { flagOf, OPTION_GROUPS, type OptionGroup } from "./option.ts";
export { isOptionName, OPTION_NAMES, type OptionName, optionRow, type OptionValues } from "./options.ts";
export { formatProblem, type Notice, type OptionCheck, type Problem } from "./problem.ts";
export { PROGRAM_COMMIT, PROGRAM_NAME, PROGRAM_VERSION, RELEASED_AT, versionText } from "./program.ts";
export { type SubcommandName, SUBCOMMANDS } from "./subcommands.ts";
export { type ConfigChange, reloadConfig, type ReloadedConfig, type RunningConfig } from "./reload.ts";
export { Secret, shortNpub, shown } from "./redact.ts";
export {
  findRelayKey,
  type LoadedRelayKey,
  loadRelayKey,
  type RelayKey,
  type RelayKeyConfig,
} from "./relay_key.ts";
