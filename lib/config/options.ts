import { keyOf, type Option } from "./option.ts";
import { CURATION_OPTIONS } from "./options_curation.ts";
import { LIFECYCLE_OPTIONS, LIMIT_OPTIONS } from "./options_limits.ts";
import { IDENTITY_OPTIONS, METRICS_OPTIONS, NETWORK_OPTIONS } from "./options_server.ts";
import { SYNC_OPTIONS } from "./options_sync.ts";

/**
 * Every option of the server, one row each. Flags, variables, help, reference page, validation and
 * the type of the configuration are derived from this table.
 */
export const OPTIONS = {
  ...IDENTITY_OPTIONS,
  ...NETWORK_OPTIONS,
  ...METRICS_OPTIONS,
  ...LIMIT_OPTIONS,
  ...SYNC_OPTIONS,
  ...CURATION_OPTIONS,
  ...LIFECYCLE_OPTIONS,
};

/** Name of an option: its environment variable. */
export type OptionName = keyof typeof OPTIONS;

/** `MAX_PUSH_BYTES` as a type becomes `maxPushBytes`. */
type CamelCase<S extends string> = S extends `${infer Head}_${infer Tail}`
  ? `${Lowercase<Head>}${Capitalize<CamelCase<Tail>>}`
  : Lowercase<S>;

/** Key of an option in the configuration. */
export type OptionKey<N extends OptionName> = N extends `NGIT_${infer Rest}` ? CamelCase<Rest> : never;

/** Type of an option's value. */
type ValueOf<O> = O extends Option<infer T> ? T : never;

/** The value of every option under its configuration key. */
export type OptionValues = {
  readonly [N in OptionName as OptionKey<N>]: ValueOf<(typeof OPTIONS)[N]>;
};

/** All names, in table order. */
export const OPTION_NAMES = Object.keys(OPTIONS) as readonly OptionName[];

/** True when `name` is an option of the table. */
export function isOptionName(name: string): name is OptionName {
  return Object.hasOwn(OPTIONS, name);
}

/** The row of an option, with the type of its value forgotten. */
export function optionRow(name: OptionName): Option<unknown> {
  return OPTIONS[name] as Option<unknown>;
}

/** The key of an option, as {@link OptionKey} computes it for the compiler. */
export function optionKey(name: OptionName): keyof OptionValues {
  return keyOf(name) as keyof OptionValues;
}
