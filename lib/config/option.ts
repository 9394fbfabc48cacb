/** Result of reading one value; problems and warnings are whole sentences. */
export type ParsedValue<T> =
  | { readonly ok: true; readonly value: T; readonly warnings: readonly string[] }
  | {
    readonly ok: false;
    readonly problems: readonly string[];
    /** A list without its bad entries, for `NGIT_LENIENT_LISTS`. */
    readonly kept?: T;
  };

/** How the values of an option are written, read and shown. */
export interface Kind<T> {
  /** Placeholder in help and reference, e.g. `PORT`. */
  readonly valueName: string;
  /** Accepted form in words, e.g. `integer 1 to 10000`. */
  readonly form: string;
  /** What an empty text means: the value "empty", or "not set in this layer". */
  readonly empty: "value" | "unset";
  /** Flags may be given without a value, as `--no-x`, and with `true` or `false` as the next word. */
  readonly isBool?: true;
  /** Repeated flags are concatenated. */
  readonly isList?: true;
  /** Never shown. */
  readonly isSecret?: true;
  /** Exit code when the value is wrong; 2 unless given. */
  readonly exitCode?: 1;
  /** Reads a text; `option` is the name used in messages. */
  parse(text: string, option: string): ParsedValue<T>;
  /** The value as `--check-config` shows it, without secrets. */
  show(value: T): string;
}

/** Groups of options, in the order of help and reference. */
export const OPTION_GROUPS = [
  "Identity and description",
  "Network and storage",
  "Metrics and logging",
  "Limits",
  "Proactive sync (GRASP-02)",
  "Curation, archive, contributor PRs, moderation",
  "Lifecycle and maintenance",
] as const;

/** One of {@link OPTION_GROUPS}. */
export type OptionGroup = (typeof OPTION_GROUPS)[number];

/** The columns of one option beside its kind. */
export interface OptionRow {
  readonly help: string;
  /** Default, in the form an operator would write it. */
  readonly default?: string;
  /** Shown instead of a default that is derived from other options. */
  readonly derivedDefault?: string;
  /** Left out of `--help` and the reference. */
  readonly hidden?: true;
  /** Options it cannot be combined with, as the end of a sentence. */
  readonly excludes?: string;
  /** May change while the server runs. */
  readonly reloadable?: true;
}

/** One option of the table; `T` is the type of its value in the configuration. */
export interface Option<T> extends OptionRow {
  readonly kind: Kind<NonNullable<T>>;
  readonly group: OptionGroup;
}

/** Builders of rows of one group. */
export interface GroupRows {
  /** An option that always has a value. */
  withDefault<T>(kind: Kind<T>, row: OptionRow & { readonly default: string }): Option<T>;
  /** An option whose value is undefined when nobody sets it. */
  optional<T>(kind: Kind<T>, row: OptionRow): Option<T | undefined>;
}

/** Builders of the rows of `group`. */
export function rowsOf(group: OptionGroup): GroupRows {
  return {
    withDefault: <T>(kind: Kind<T>, row: OptionRow & { readonly default: string }) =>
      ({ ...row, kind, group }) as Option<T>,
    optional: <T>(kind: Kind<T>, row: OptionRow) => ({ ...row, kind, group }) as Option<T | undefined>,
  };
}

/** Flag of an option: `NGIT_MAX_PUSH_BYTES` is `--max-push-bytes`. */
export function flagOf(name: string): string {
  return "--" + name.replace(/^NGIT_/, "").toLowerCase().replaceAll("_", "-");
}

/** Key of an option in the configuration: `NGIT_MAX_PUSH_BYTES` is `maxPushBytes`. */
export function keyOf(name: string): string {
  return name.replace(/^NGIT_/, "").toLowerCase().replace(
    /_([a-z0-9])/g,
    (_, char: string) => char.toUpperCase(),
  );
}
