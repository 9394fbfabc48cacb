import { isDeepStrictEqual } from "node:util";
import { resolve } from "node:path";
import type { Config } from "./config.ts";
import { type ConfigInput, examineConfig, judgeResolution } from "./load.ts";
import { OPTION_NAMES, optionKey, type OptionName, optionRow, type OptionValues } from "./options.ts";
import type { Problem } from "./problem.ts";
import { Secret, shown } from "./redact.ts";
import type { Origin, Resolution } from "./resolve.ts";

/** What a server runs with: its configuration, and how that came about. */
export interface RunningConfig {
  readonly config: Config;
  readonly resolution: Resolution;
}

/** An option whose value in the sources is another one than the server runs with. */
export interface ConfigChange {
  readonly name: OptionName;
  /** Both values as they may be shown, without secrets. */
  readonly from: string;
  readonly to: string;
  /** False when the option is read only at start: the server keeps its value. */
  readonly applied: boolean;
}

/** Result of {@link reloadConfig}. */
export type ReloadedConfig =
  | {
    readonly ok: true;
    readonly running: RunningConfig;
    readonly changes: readonly ConfigChange[];
    readonly warnings: readonly string[];
  }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/**
 * Reads the sources again and judges them as a start would. Options that cannot be reloaded keep the
 * value the server runs with, and that mixture has to be valid too: what only a restart can bring
 * about is refused, not half applied.
 */
export async function reloadConfig(running: RunningConfig, input: ConfigInput): Promise<ReloadedConfig> {
  const fresh = await examineConfig(input, running.config.lenientLists);
  const missing = missingEnvFile(running.resolution, fresh.resolution);
  if (missing) return { ok: false, problems: [missing] };
  if (!fresh.config) return { ok: false, problems: fresh.problems };
  const resolution = mixture(running.resolution, fresh.resolution);
  const { config, problems } = judgeResolution(resolution, input.cwd);
  if (!config) return { ok: false, problems: problems.map(afterRestart) };
  const changes = changesBetween(running.resolution.values, fresh.resolution.values);
  const warnings = fresh.notices.map((notice) => notice.message);
  return { ok: true, running: { config, resolution }, changes, warnings };
}

/** A file that has gone means a mistake (or an editor at work), not "all defaults". */
function missingEnvFile(running: Resolution, fresh: Resolution): Problem | undefined {
  if (running.envFile === undefined || fresh.envFile !== undefined || fresh.problems.length > 0) {
    return undefined;
  }
  const message = `${shown(resolve(running.envFile))} was read at start and is gone`;
  return { check: "options", message, exitCode: 1 };
}

function mixture(running: Resolution, fresh: Resolution): Resolution {
  const values = new Map<string, unknown>();
  const origins = new Map<OptionName, Origin>();
  for (const name of OPTION_NAMES) {
    const from = optionRow(name).reloadable ? fresh : running;
    values.set(optionKey(name), from.values[optionKey(name)]);
    origins.set(name, from.origins.get(name)!);
  }
  return { ...fresh, values: Object.fromEntries(values) as Partial<OptionValues>, origins };
}

function afterRestart(problem: Problem): Problem {
  return { ...problem, message: `${problem.message} (restart required: the rest of this change needs one)` };
}

function changesBetween(
  running: Partial<OptionValues>,
  fresh: Partial<OptionValues>,
): readonly ConfigChange[] {
  return OPTION_NAMES.flatMap((name): readonly ConfigChange[] => {
    const [old, young] = [running[optionKey(name)], fresh[optionKey(name)]];
    if (isSame(old, young)) return [];
    const [from, to] = [valueShown(name, old), valueShown(name, young)];
    // Lists show their first entries only, secrets next to nothing.
    const difference = from === to ? `${to} (changed)` : to;
    return [{ name, from, to: difference, applied: optionRow(name).reloadable === true }];
  });
}

function isSame(old: unknown, young: unknown): boolean {
  if (old instanceof Secret && young instanceof Secret) return old.reveal() === young.reveal();
  return isDeepStrictEqual(old, young);
}

function valueShown(name: OptionName, value: unknown): string {
  return value === undefined ? "-" : optionRow(name).kind.show(value!);
}
