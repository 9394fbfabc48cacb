import assert from "node:assert/strict";
import {
  type Config,
  formatProblems,
  loadConfig,
  type LoadedConfig,
  type Problem,
} from "../../lib/config/mod.ts";

/** Where test settings come from; files by absolute path, the `.env` of `/work/dir` under `dotenv`. */
export interface Given {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly dotenv?: string;
  readonly files?: Readonly<Record<string, string>>;
}

/** Loads a configuration from texts, as if started in `/srv/grasp`. */
export function load(given: Given): Promise<LoadedConfig> {
  const files: Record<string, string> = { ...given.files };
  if (given.dotenv !== undefined) files["/srv/grasp/.env"] = given.dotenv;
  return loadConfig({
    args: given.args ?? [],
    env: given.env ?? {},
    cwd: "/srv/grasp",
    readTextFile: (path) => {
      const text = files[path];
      return text === undefined ? Promise.reject(new Deno.errors.NotFound(path)) : Promise.resolve(text);
    },
  });
}

/** The configuration, which must be valid. */
export async function loadValid(given: Given): Promise<Config & { readonly warnings: readonly string[] }> {
  const loaded = await load(given);
  if (!loaded.ok) assert.fail(formatProblems(loaded.problems));
  return { ...loaded.config, warnings: loaded.warnings };
}

/** What stderr would show for a configuration, which must be wrong. */
export async function loadInvalid(
  given: Given,
): Promise<{ readonly stderr: string; readonly exitCode: number; readonly problems: readonly Problem[] }> {
  const loaded = await load(given);
  if (loaded.ok) assert.fail("the configuration was accepted");
  return { stderr: formatProblems(loaded.problems), exitCode: loaded.exitCode, problems: loaded.problems };
}

/** A valid npub, and its key as hex. */
export const NPUB = "npub15qydau2hjma6ngxkl2cyar74wzyjshvl65za5k5rl69264ar2exs5cyejr";
export const NPUB_HEX = "a008def15796fba9a0d6fab04e8fd57089285d9fd505da5a83fe8aad57a3564d";
