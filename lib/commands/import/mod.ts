/** `import`: events of another server, from a file or straight from its relay, while ours is stopped. */
import { resolve } from "node:path";
import { type Config, findRelayKey } from "../../config/mod.ts";
import { normaliseRelayUrl } from "../../outgoing/mod.ts";
import { syncSettings } from "../../sync/mod.ts";
import { systemClock, systemRandom } from "../../world/mod.ts";
import { commandLog } from "../command_log.ts";
import { foreignOwner } from "../foreign_owner.ts";
import { type Progress, showProgress } from "../progress.ts";
import { type CommandCall, configFor, print, printError } from "../subcommand.ts";
import { Bounds } from "./bounds.ts";
import { fileSource, type SourceTally, spoolLines } from "./file_source.ts";
import type { ImportEngine, OpenImport } from "./ports.ts";
import { spoolRelay } from "./relay_source.ts";
import { type ImportReport, reportOf, textOf } from "./report.ts";
import { importSpool } from "./run.ts";
import { Spool } from "./spool.ts";

/** In the relay data path while an import runs, and until one that was interrupted has been finished. */
const SPOOL = ".import-spool.db";
const MAX_WORKERS = 8;

/** More than any relay of repositories is known to hold. */
const MAX_EVENTS = 10_000_000;

/** Where events come from. */
type Source =
  | { readonly kind: "relay"; readonly url: string }
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "stdin" };

/** Runs `import --from FILE|URL|- [--max-events N] [--dry-run]`; exit code 1 when something may be missing. */
export async function importEvents(call: CommandCall, open: OpenImport): Promise<number> {
  const source = sourceOf(call);
  if (typeof source === "string") return fail(source, 2);
  const maxEvents = maxEventsOf(call, source);
  if (typeof maxEvents === "string") return fail(maxEvents, 2);
  const config = await configFor(call);
  if (typeof config === "number") return config;
  if (config.databaseBackend === "memory") {
    return fail("the memory backend would keep nothing of an import", 1);
  }
  const unreadable = source.kind === "file" ? await problemWith(source.path) : undefined;
  if (unreadable !== undefined) return fail(unreadable, 1);
  const dryRun = call.own.has("--dry-run");
  const foreign = dryRun ? undefined : await foreignOwner(resolve(call.input.cwd, config.gitDataPath));
  if (foreign !== undefined) return fail(foreign, 1);
  const workPath = await Deno.makeTempDir({ prefix: "ngit-grasp-import-" });
  let engine: ImportEngine | undefined;
  try {
    engine = await open({
      config,
      dryRun,
      workPath,
      workers: Math.min(MAX_WORKERS, navigator.hardwareConcurrency),
      clock: systemClock,
      random: systemRandom,
      log: commandLog("error"),
      ...(call.input.env["PATH"] && { searchPath: call.input.env["PATH"] }),
    });
    const progress = showProgress();
    const report = await importWith({ engine, call, config, source, progress, dryRun, workPath, maxEvents });
    print(call.own.get("--format") === "json" ? JSON.stringify(report) : textOf(report));
    const { source: { read, repeated, bad, incomplete }, resumedAfter, failed } = report;
    // A file of something else is no success.
    if (read + repeated + resumedAfter === 0 && bad > 0) {
      return fail("there is no event among what was read", 1);
    }
    return failed > 0 || incomplete !== undefined ? 1 : 0;
  } catch (error) {
    return fail(error instanceof Error ? error.message : String(error), 1);
  } finally {
    await engine?.close();
    await Deno.remove(workPath, { recursive: true });
  }
}

/** Everything one import works with. */
interface Run {
  readonly engine: ImportEngine;
  readonly call: CommandCall;
  readonly config: Config;
  readonly source: Source;
  readonly progress: Progress;
  readonly dryRun: boolean;
  readonly workPath: string;
  readonly maxEvents: number;
}

async function importWith(run: Run): Promise<ImportReport> {
  const { engine, call, config, source, progress, dryRun, workPath, maxEvents } = run;
  const folder = dryRun ? workPath : resolve(call.input.cwd, config.relayDataPath);
  const path = `${folder}/${SPOOL}`;
  const bounds = new Bounds({ folder, minFreeMb: config.minFreeDiskMb, maxEvents });
  await bounds.look();
  const spool = new Spool(path);
  let finished = false;
  try {
    const { tally, resumedAfter } = await fill(spool, run, bounds);
    const imported = await importSpool(engine, spool, progress, bounds);
    finished = imported.failed === 0;
    progress.done();
    return await reportOf(engine, { dryRun, source: tally, resumedAfter }, imported);
  } finally {
    progress.done();
    spool.close();
    // The import of a file that was cut off goes on from it.
    if (finished || source.kind !== "file") await removeSpool(path);
  }
}

async function removeSpool(path: string): Promise<void> {
  for (const suffix of ["", "-wal", "-shm"]) await Deno.remove(path + suffix).catch(() => {});
}

/** Reads the source, unless the spool holds all of it from a run that was interrupted. */
async function fill(
  spool: Spool,
  run: Run,
  bounds: Bounds,
): Promise<{ readonly tally: SourceTally; readonly resumedAfter: number }> {
  const { source } = run;
  const name = source.kind === "file" ? await fileSource(source.path) : undefined;
  if (name !== undefined && spool.source === name) {
    const tally = { read: spool.count, repeated: 0, bad: 0, shown: [] };
    return { tally, resumedAfter: spool.settledCount };
  }
  spool.clear();
  const tally = await read(spool, run, bounds);
  spool.filled(name ?? "");
  return { tally, resumedAfter: 0 };
}

async function read(
  spool: Spool,
  { engine, call, config, source, progress }: Run,
  bounds: Bounds,
): Promise<SourceTally> {
  switch (source.kind) {
    case "stdin":
      return await spoolLines(Deno.stdin.readable, spool, progress, bounds);
    case "file": {
      const file = await Deno.open(source.path);
      return await spoolLines(file.readable, spool, progress, bounds);
    }
    case "relay": {
      const key = await findRelayKey(config, call.input.cwd);
      return await spoolRelay(
        {
          url: source.url,
          settings: syncSettings(config),
          secretKey: key.ok && key.key ? key.key.secretKey : systemRandom.bytes(32),
          store: engine.store,
          clock: systemClock,
          random: systemRandom,
          log: commandLog("error"),
        },
        spool,
        progress,
        bounds,
      );
    }
  }
}

function sourceOf({ own, input }: CommandCall): Source | string {
  const from = own.get("--from");
  if (from === undefined || from === "") return "import needs --from FILE, --from ws(s)://RELAY or --from -";
  if (from === "-") return { kind: "stdin" };
  if (!/^[a-z]+:\/\//i.test(from)) return { kind: "file", path: resolve(input.cwd, from) };
  const url = /^wss?:/i.test(from) ? normaliseRelayUrl(from) : undefined;
  return url === undefined ? `--from ${from} is no ws:// or wss:// URL` : { kind: "relay", url };
}

/** Files and pipes are the operator's own: only the disk bounds them, unless told otherwise. A text says what is wrong. */
function maxEventsOf({ own }: CommandCall, source: Source): number | string {
  const given = own.get("--max-events");
  if (given === undefined) return source.kind === "relay" ? MAX_EVENTS : Infinity;
  return /^[1-9][0-9]{0,14}$/.test(given) ? Number(given) : "--max-events is no number of events";
}

/** Looked at first: a wrong name must not begin a new database. */
async function problemWith(path: string): Promise<string | undefined> {
  try {
    const { isDirectory, isFile } = await Deno.stat(path);
    if (isDirectory) return `${path} is a directory`;
    if (isFile) (await Deno.open(path)).close(); // a pipe can be opened only once
    return undefined;
  } catch (error) {
    return `${path} cannot be read: ${error instanceof Error ? error.message : error}`;
  }
}

function fail(sentence: string, exitCode: number): number {
  printError(`error: ${sentence}`);
  return exitCode;
}
