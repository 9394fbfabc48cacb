import { parseCommandLine } from "./command_line.ts";
import { isActive, judgeCombinations, resolveScheme } from "./combine.ts";
import type { Config } from "./config.ts";
import { isLoopbackHost } from "./domain.ts";
import type { ValueSource } from "./layers.ts";
import { formatAddress } from "./kinds.ts";
import { ENV_FILE_VARIABLE, LEGACY_NAMES, SYSTEM_VARIABLES } from "./legacy.ts";
import { flagOf, keyOf, type OptionGroup } from "./option.ts";
import { OPTION_NAMES, type OptionName, optionRow, type OptionValues } from "./options.ts";
import { formatProblem, type Notice, type Problem } from "./problem.ts";
import { type Resolution, resolveOptions } from "./resolve.ts";

/** Where configuration comes from. */
export interface ConfigInput {
  /** Arguments after the program's name. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Rejects with `Deno.errors.NotFound` when there is no such file. */
  readonly readTextFile: (path: string) => Promise<string>;
  /** Absolute path that relative paths start from. */
  readonly cwd: string;
}

/** One row of the table of effective values. */
export interface ResolvedOption {
  readonly name: OptionName;
  readonly flag: string;
  readonly group: OptionGroup;
  /** Without secrets; `-` when not set. */
  readonly value: string;
  readonly source: ValueSource;
  /** `cli`, `env`, file and line, `default` or `derived`. */
  readonly sourceDetail: string;
  /** False when another option switches its feature off. */
  readonly active: boolean;
  readonly reloadable: boolean;
  readonly hidden: boolean;
  /** True when `value` stands for a secret, or lost the user information of a URL. */
  readonly redacted: boolean;
}

/** Everything known about a configuration, right or wrong. */
export interface Examination {
  /** Present when there are no problems. */
  readonly config: Config | undefined;
  /** Values of the options that are right on their own. */
  readonly values: Partial<OptionValues>;
  readonly problems: readonly Problem[];
  readonly notices: readonly Notice[];
  readonly resolved: readonly ResolvedOption[];
  /** Path of the `.env` file that was read. */
  readonly envFile: string | undefined;
  /** How every option came to its value. */
  readonly resolution: Resolution;
}

/** Result of {@link loadConfig}. */
export type LoadedConfig =
  | {
    readonly ok: true;
    readonly config: Config;
    readonly warnings: readonly string[];
    readonly resolved: readonly ResolvedOption[];
    /** Path of the `.env` file that was read. */
    readonly envFile: string | undefined;
    /** How every option came to its value. */
    readonly resolution: Resolution;
  }
  | { readonly ok: false; readonly problems: readonly Problem[]; readonly exitCode: 1 | 2 };

/** Variables to remove from the process environment once they have been read. */
export const SECRET_VARIABLES: readonly OptionName[] = ["NGIT_RELAY_OWNER_NSEC", "NGIT_DATABASE_AUTH_TOKEN"];

/** Every variable that means something here. */
export const READABLE_VARIABLES: readonly string[] = [
  ...OPTION_NAMES,
  ...Object.keys(LEGACY_NAMES),
  ENV_FILE_VARIABLE,
  ...SYSTEM_VARIABLES,
];

/** Reads and judges the configuration; every problem is reported at once. */
export async function loadConfig(input: ConfigInput): Promise<LoadedConfig> {
  const { config, problems, notices, resolved, envFile, resolution } = await examineConfig(input);
  if (config) {
    return {
      ok: true,
      config,
      warnings: notices.map((notice) => notice.message),
      resolved,
      envFile,
      resolution,
    };
  }
  return { ok: false, problems, exitCode: exitCodeOf(problems) };
}

/** Exit code of a start that these problems prevent. */
export function exitCodeOf(problems: readonly Problem[]): 1 | 2 {
  return problems.some((problem) => problem.exitCode === 2) ? 2 : 1;
}

/** The lines to print on stderr for a configuration that cannot be used, one per problem. */
export function formatProblems(problems: readonly Problem[]): string {
  return problems.map((problem) => `error: ${formatProblem(problem)}`).join("\n");
}

/**
 * Reads the configuration as {@link loadConfig} does and tells everything found on the way. A server that
 * runs reads lists as strictly as it was started with: `lenientLists`.
 */
export async function examineConfig(input: ConfigInput, lenientLists?: boolean): Promise<Examination> {
  const command = parseCommandLine(input.args);
  const hasFlags = "flags" in command;
  const resolution = await resolveOptions({
    flags: hasFlags ? command.flags : new Map(),
    envFile: hasFlags ? command.envFile : undefined,
    env: input.env,
    readTextFile: input.readTextFile,
    cwd: input.cwd,
  }, lenientLists);
  const judged = judgeResolution(resolution, input.cwd, hasFlags ? command.problems : []);
  return {
    ...judged,
    values: resolution.values,
    notices: [...resolution.notices, ...judged.notices],
    resolved: resolvedOptions(resolution, judged.config, judged.domain),
    envFile: resolution.envFile,
    resolution,
  };
}

/** What the options mean together; `given` are problems that were found before. */
export function judgeResolution(
  resolution: Resolution,
  cwd: string,
  given: readonly Problem[] = [],
): Pick<Examination, "config" | "problems" | "notices"> & { readonly domain: string | undefined } {
  const problems = [...given, ...resolution.problems];
  const domain = deriveDomain(resolution);
  if (domain.problem) problems.push(domain.problem);
  const combined = judgeCombinations(resolution, cwd);
  problems.push(...combined.problems);
  const config = problems.length === 0 && domain.text !== undefined
    ? assemble(resolution.values as OptionValues, resolution, domain.text)
    : undefined;
  return { config, problems, notices: combined.notices, domain: domain.text };
}

/** The domain; derived from the bind address when nobody set it and only this machine can connect. */
function deriveDomain(
  { values, problems }: Resolution,
): { readonly text?: string; readonly problem?: Problem } {
  if (values.domain !== undefined) return { text: values.domain };
  if (values.bindAddress === undefined || problems.some((problem) => problem.option === "NGIT_DOMAIN")) {
    return {};
  }
  if (isLoopbackHost(values.bindAddress.hostname)) return { text: `localhost:${values.bindAddress.port}` };
  const message = "the following required arguments were not provided: --domain <DOMAIN> (or NGIT_DOMAIN): " +
    `it is needed because NGIT_BIND_ADDRESS ${formatAddress(values.bindAddress)} is not a loopback address`;
  return { problem: { check: "domain", option: "NGIT_DOMAIN", message, exitCode: 2 } };
}

function assemble(values: OptionValues, { origins }: Resolution, domain: string): Config {
  const publicScheme = resolveScheme(values.publicScheme, domain);
  const isDefault = (name: OptionName) => origins.get(name)?.source === "default";
  return {
    ...values,
    domain,
    publicScheme,
    relayName: values.relayName ?? `${domain} grasp relay`,
    relayIconUrl: values.relayIconUrl ?? `${publicScheme}://${domain}/icon.png`,
    defaultFilterLimit: Math.min(values.defaultFilterLimit, values.maxFilterLimit),
    domainIsDerived: values.domain === undefined,
    relayNameIsDerived: values.relayName === undefined,
    relayIconIsDerived: values.relayIconUrl === undefined,
    keyFileIsExplicit: !isDefault("NGIT_RELAY_OWNER_NSEC_FILE"),
    usesTemporaryGitData: values.databaseBackend === "memory" && isDefault("NGIT_GIT_DATA_PATH"),
  };
}

function resolvedOptions(
  { values, origins }: Resolution,
  config: Config | undefined,
  domain: string | undefined,
): readonly ResolvedOption[] {
  const derived: Readonly<Record<string, string | undefined>> = {
    NGIT_DOMAIN: domain,
    NGIT_RELAY_NAME: config?.relayName,
    NGIT_RELAY_ICON_URL: config?.relayIconUrl,
  };
  const known: Readonly<Record<string, unknown>> = values;
  return OPTION_NAMES.map((name) => {
    const row = optionRow(name);
    const origin = origins.get(name) ?? { source: "default" as const, detail: "default" };
    const value = known[keyOf(name)];
    const isWrong = !(keyOf(name) in known);
    const substitute = value === undefined && !isWrong ? derived[name] : undefined;
    const isDerived = substitute !== undefined;
    return {
      name,
      flag: flagOf(name),
      group: row.group,
      value: isWrong ? "invalid" : isDerived ? substitute : value === undefined ? "-" : row.kind.show(value!),
      source: isDerived ? "derived" : origin.source,
      sourceDetail: isDerived ? "derived" : origin.detail,
      active: isActive(name, values),
      reloadable: row.reloadable === true,
      hidden: row.hidden === true,
      redacted: value !== undefined &&
        (row.kind.isSecret === true || /\/\/\*\*\*@/.test(row.kind.show(value!))),
    };
  });
}
