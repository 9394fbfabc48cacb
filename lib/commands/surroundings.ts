import { type ConfigInput, MAX_DOTENV_BYTES, READABLE_VARIABLES } from "../config/mod.ts";
import { readSmallFile } from "../world/mod.ts";

/** Where this process gets its configuration from. */
export function surroundings(args: readonly string[]): ConfigInput {
  const readTextFile = (path: string) => readSmallFile(path, MAX_DOTENV_BYTES);
  return { args, env: environment(), readTextFile, cwd: Deno.cwd() };
}

/** The whole environment; without permission to list it, the variables that mean something here. */
function environment(): Record<string, string> {
  try {
    return Deno.env.toObject();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotCapable)) throw error;
    return Object.fromEntries(READABLE_VARIABLES.flatMap((name) => {
      const value = variable(name);
      return value === undefined ? [] : [[name, value]];
    }));
  }
}

function variable(name: string): string | undefined {
  try {
    return Deno.env.get(name);
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) return undefined;
    throw error;
  }
}
