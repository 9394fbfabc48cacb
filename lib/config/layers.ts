import { resolve } from "node:path";
import { UnsuitableFile } from "../world/mod.ts";
import { parseDotenv } from "./dotenv.ts";
import { ENV_FILE_VARIABLE, LEGACY_NAMES, legacyName } from "./legacy.ts";
import { isOptionName, OPTION_NAMES } from "./options.ts";
import type { Notice, Problem } from "./problem.ts";
import { shown } from "./redact.ts";
import { closest } from "./suggest.ts";

/** Where a value came from, most important first; `derived` follows from other options. */
export type ValueSource = "cli" | "env" | "dotenv" | "default" | "derived";

/** The text somebody gave for an option. */
export interface GivenText {
  readonly text: string;
  readonly source: ValueSource;
  /** `cli`, `env`, or file and line. */
  readonly detail: string;
}

/** One layer of settings: lookup by option or legacy name. */
export interface Layer {
  get(name: string): GivenText | undefined;
  /** Names set in this layer. */
  readonly names: readonly string[];
}

/** What {@link readLayers} needs of the world. */
export interface LayerInput {
  readonly flags: ReadonlyMap<string, string>;
  readonly envFile: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly readTextFile: (path: string) => Promise<string>;
  readonly cwd: string;
}

/** The three layers above the defaults, most important first. */
export interface Layers {
  readonly layers: readonly Layer[];
  readonly problems: readonly Problem[];
  readonly notices: readonly Notice[];
  /** Path of the `.env` file that was read. */
  readonly envFile: string | undefined;
}

/** Reads flags, environment and `.env` file, and reports names that mean nothing here. */
export async function readLayers(input: LayerInput): Promise<Layers> {
  const problems: Problem[] = [];
  const notices: Notice[] = [];
  const file = await readEnvFile(input, problems, notices);
  const layers = [
    layerOf([...input.flags].map(([name, text]) => [name, { text, source: "cli", detail: "cli" }])),
    layerOf(
      Object.entries(input.env).flatMap(([name, text]) =>
        text === undefined ? [] : [[name, { text, source: "env", detail: "env" }]]
      ),
    ),
    layerOf(file.entries),
  ];
  const names = new Set(layers.flatMap((layer) => layer.names));
  for (const name of names) if (isUnknown(name)) notices.push(unknownVariable(name));
  return { layers, problems, notices, envFile: file.path };
}

type Entries = readonly (readonly [string, GivenText])[];

function layerOf(entries: Entries): Layer {
  const texts = new Map(entries);
  return { get: (name) => texts.get(name), names: [...texts.keys()] };
}

async function readEnvFile(
  input: LayerInput,
  problems: Problem[],
  notices: Notice[],
): Promise<{ readonly path: string | undefined; readonly entries: Entries }> {
  const named = input.envFile || input.env[ENV_FILE_VARIABLE] || undefined;
  const name = named ?? ".env";
  const path = resolve(input.cwd, name);
  const fail = (message: string) => {
    problems.push({ check: "options", message, exitCode: 1 });
    return { path: undefined, entries: [] };
  };
  let text: string;
  try {
    text = await input.readTextFile(path);
  } catch (error) {
    // Only the default file may be absent: a named one was meant to be read.
    if (error instanceof Deno.errors.NotFound && named === undefined) return { path: undefined, entries: [] };
    const unsuitable = error instanceof UnsuitableFile ? error.message : undefined;
    const cause = unsuitable ?? (error instanceof Error ? error.name : "unknown error");
    return fail(`cannot read ${shown(path)}: ${cause}`);
  }
  const parsed = parseDotenv(text, input.env);
  for (const { line, problem } of parsed.faults) fail(`${shown(name)}:${line}: ${problem}`);
  notices.push(
    ...parsed.warnings.map((warning): Notice => ({
      check: "options",
      message: `${shown(name)}: ${warning}`,
    })),
  );
  const entries = parsed.entries.map(({ key, value, line }) =>
    [key, { text: value, source: "dotenv", detail: `${shown(name)}:${line}` }] as const
  );
  return { path, entries };
}

function isUnknown(name: string): boolean {
  return name.startsWith("NGIT_") && name !== ENV_FILE_VARIABLE && !isOptionName(name) && !legacyName(name);
}

function unknownVariable(name: string): Notice {
  const suggestion = closest(name, [...OPTION_NAMES, ...Object.keys(LEGACY_NAMES)]);
  const tip = suggestion === undefined ? "" : `; did you mean ${suggestion}?`;
  return { check: "unknown", message: `unknown variable ${shown(name)} is ignored${tip}` };
}
