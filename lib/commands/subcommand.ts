import {
  type Config,
  type ConfigInput,
  formatProblems,
  loadConfig,
  type Problem,
  type SubcommandCall,
} from "../config/mod.ts";

/** One call of a sub-command: its own arguments, and where the server's options come from. */
export interface CommandCall extends SubcommandCall {
  readonly input: ConfigInput;
}

/**
 * The server's configuration for a sub-command. What is wrong with it, or with the command line, goes to
 * stderr, and the exit code comes back instead.
 */
export async function configFor(call: CommandCall): Promise<Config | number> {
  const loaded = await loadConfig(call.input);
  if (loaded.ok) return loaded.config;
  printError(formatProblems(loaded.problems));
  return loaded.exitCode;
}

/** Reports what is wrong with the command line; undefined when nothing is. */
export function refuseUsage(problems: readonly Problem[]): number | undefined {
  if (problems.length === 0) return undefined;
  printError(formatProblems(problems));
  return 2;
}

/** One text to stdout, ended by a line end. */
export function print(text: string): void {
  writeAll(Deno.stdout, text);
}

/** One text to stderr, ended by a line end. */
export function printError(text: string): void {
  writeAll(Deno.stderr, text);
}

function writeAll(to: typeof Deno.stdout, text: string): void {
  const bytes = new TextEncoder().encode(text.endsWith("\n") ? text : text + "\n");
  for (let rest = bytes; rest.length > 0;) rest = rest.subarray(to.writeSync(rest));
}
