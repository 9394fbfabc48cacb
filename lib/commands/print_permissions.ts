import {
  type CommandOptions,
  type ConfigInput,
  type Examination,
  examineConfig,
  exitCodeOf,
  flagOf,
  formatProblems,
  isOptionName,
  optionRow,
} from "../config/mod.ts";
import { cLibraryPath } from "../world/mod.ts";
import { accessFlags, neededAccess } from "./access.ts";
import { loadNativeModule } from "./native_module.ts";
import { print, printError } from "./subcommand.ts";

/** `--print-permissions`; a configuration that is wrong is reported instead. Returns the exit code. */
export async function printPermissions(input: ConfigInput, given: CommandOptions): Promise<number> {
  const examination = await examineConfig(input);
  if (!examination.config) {
    printError(formatProblems(examination.problems));
    return exitCodeOf(examination.problems);
  }
  const { path } = await loadNativeModule();
  print(await permissionLines({ ...input, examination, given, nativeModule: path, mainPath: sourceMain() }));
  return 0;
}

/** Where the program starts when it runs from its source. */
function sourceMain(): string | undefined {
  const path = new URL("../../main.ts", import.meta.url).pathname;
  return Deno.build.standalone || !import.meta.url.endsWith(".ts") ? undefined : decodeURIComponent(path);
}

/** What {@link permissionLines} needs. */
export interface PermissionLinesInput extends Pick<ConfigInput, "cwd" | "env"> {
  readonly examination: Examination;
  /** What was given as flags: repeated in the printed lines. */
  readonly given: Pick<CommandOptions, "flags" | "envFile">;
  readonly nativeModule: string | undefined;
  /** Absolute path of `main.ts`; undefined in a packaged or compiled program. */
  readonly mainPath: string | undefined;
}

/**
 * Text of `--print-permissions`: the least permissions for the effective configuration, as command
 * lines of the three forms in which the program comes.
 */
export async function permissionLines(input: PermissionLinesInput): Promise<string> {
  const access = await neededAccess(input);
  const flags = accessFlags(access);
  const withoutFfi = flags.filter((flag) => !flag.startsWith("--allow-ffi"));
  const libraries =
    access.grants.find(({ name }) => name === "ffi")?.values?.filter((path) => path !== input.nativeModule) ??
      [];
  const own = ownArguments(input.given);
  const main = input.mainPath ?? "main.ts";
  const lock = main.replace(/main\.ts$/, "deno.lock");
  const run = ["deno", "run", "--no-prompt", "--cached-only", `--lock=${lock}`, "--frozen", ...flags, main];
  // A compiled program unpacks the module into a temporary directory whose name is not known before.
  const compile = ["deno", "task", "compile", ...withoutFfi, "--allow-ffi"];
  const cLibrary = await cLibraryPath();
  // The packaged file adds what it needs to read and load itself.
  const packaged = ["ngit-grasp", ...withoutFfi, ...libraries.map((path) => `--allow-ffi=${path}`)];
  const makesKey = access.grants.some(({ name, values }) => name === "write" && values?.includes(input.cwd));
  return [
    ...(makesKey
      ? ["# the key file is still to be made here; once it exists, less is needed: print this again"]
      : []),
    "# from the source:",
    shellLine([...run, "serve", ...own]),
    "# deno compile: fixed in the executable, which then takes no permission flags:",
    shellLine(compile),
    "# the packaged file:",
    shellLine([...packaged, "serve", ...own]),
    "# optional: setsid in --allow-run starts git faster under load; the C library in --allow-ffi answers small",
    `# requests at once and reports to systemd (Type=notify)${cLibrary === undefined ? "" : `: ${cLibrary}`}`,
    "",
  ].join("\n");
}

/** Options that were given as flags, without secrets. */
function ownArguments({ flags, envFile }: PermissionLinesInput["given"]): readonly string[] {
  const options = [...flags].flatMap(([name, text]) =>
    isOptionName(name) && optionRow(name).kind.isSecret ? [] : [`${flagOf(name)}=${text}`]
  );
  return envFile === undefined ? options : [`--env-file=${envFile}`, ...options];
}

function shellLine(words: readonly string[]): string {
  return words.map((word) => /^[\w/.,:=@%+[\]-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`)
    .join(" ");
}
