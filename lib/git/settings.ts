/** Version of the git binary as far as our settings depend on it. */
export interface GitVersion {
  readonly major: number;
  readonly minor: number;
  /** As git prints it, e.g. `2.39.5`. */
  readonly text: string;
}

/** Reads the output of `git version`; undefined when it is something else. */
export function parseGitVersion(output: string): GitVersion | undefined {
  const match = /^git version ((\d+)\.(\d+)\S*)/.exec(output);
  return match ? { major: Number(match[2]), minor: Number(match[3]), text: match[1]! } : undefined;
}

/** True when `version` is at least `major.minor`. */
export function isAtLeast(version: GitVersion, major: number, minor: number): boolean {
  return version.major > major || (version.major === major && version.minor >= minor);
}

/**
 * The command-scope configuration of every git child. Nothing depends on per-repository or host
 * configuration: data directories may come from other servers, with hooks and settings of theirs.
 */
export function gitSettings(version: GitVersion, maxPushBytes: number): [key: string, value: string][] {
  return [
    ["safe.directory", "*"],
    ["core.hooksPath", "/dev/null"],
    ["uploadpack.allowTipSHA1InWant", "true"],
    ["uploadpack.allowReachableSHA1InWant", "true"],
    ["uploadpack.allowAnySHA1InWant", "true"],
    ["uploadpack.allowFilter", "true"],
    ["receive.denyDeleteCurrent", "ignore"],
    ["receive.denyNonFastForwards", "false"],
    ["receive.denyDeletes", "false"],
    ["receive.autogc", "false"],
    ["gc.auto", "0"],
    ["maintenance.auto", "false"],
    ["receive.maxInputSize", String(maxPushBytes)],
    ["receive.keepAlive", "5"],
    ["receive.advertisePushOptions", "true"],
    ["receive.shallowUpdate", "false"],
    // Small pushes stay packs: loose objects make every later clone pay.
    ["receive.unpackLimit", "1"],
    ["fetch.unpackLimit", "1"],
    ["transfer.fsckObjects", "false"],
    // Looking at what a push brings, git has the repository for an alternate, whose refs it knows as its own.
    ["core.alternateRefsCommand", "true"],
    ["core.logAllRefUpdates", "false"],
    ...durability(version),
    ["transfer.hideRefs", "refs/purgatory/"],
    ["pack.threads", "2"],
    ["pack.windowMemory", "64m"],
  ];
}

function durability(version: GitVersion): [string, string][] {
  return isAtLeast(version, 2, 36)
    ? [["core.fsync", "committed,reference"], ["core.fsyncMethod", "batch"]]
    : [["core.fsyncObjectFiles", "true"]];
}

/** For children that talk to strangers: endless answers and the counts in pack headers otherwise take all memory. */
const LARGEST_ALLOCATION = "1g";

/** The whole environment of a git child; nothing is inherited. */
export function gitEnvironment(options: {
  readonly searchPath: string;
  readonly homePath: string;
  readonly settings: readonly (readonly [string, string])[];
  readonly allowProtocol?: string | undefined;
  readonly protocol?: string | undefined;
}): Record<string, string> {
  const environment: Record<string, string> = {
    PATH: options.searchPath,
    HOME: options.homePath,
    LC_ALL: "C",
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_TERMINAL_PROMPT: "0",
    GIT_ASKPASS: "false",
    GIT_ALLOW_PROTOCOL: options.allowProtocol ?? "none",
    GIT_CONFIG_COUNT: String(options.settings.length),
  };
  if (options.allowProtocol === "http:https") environment.GIT_ALLOC_LIMIT = LARGEST_ALLOCATION;
  options.settings.forEach(([key, value], index) => {
    environment[`GIT_CONFIG_KEY_${index}`] = key;
    environment[`GIT_CONFIG_VALUE_${index}`] = value;
  });
  if (options.protocol !== undefined) environment.GIT_PROTOCOL = options.protocol;
  return environment;
}
