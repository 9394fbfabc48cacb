import { type Config, LiveConfig } from "../config/mod.ts";
import { createGit, Repositories } from "../git/mod.ts";
import { type MaintenanceParts, roomOf } from "../maintenance/mod.ts";
import { noMetrics } from "../observe/mod.ts";
import { curationRules } from "../policy/mod.ts";
import { contributionRules, Pins } from "../purgatory/mod.ts";
import { claimDirectories, type CleanUp, instanceName, openStore } from "../store/mod.ts";
import { KeyedLock, randomHex, systemClock, systemRandom } from "../world/mod.ts";
import { commandLog } from "./command_log.ts";
import { dataPaths } from "./data_paths.ts";
import { foreignOwner } from "./foreign_owner.ts";
import type { CommandCall } from "./subcommand.ts";

/** The data is in use: `message` names the directory and the pid. */
export class DataInUse extends Error {}

/**
 * Runs `work` on the data of a server that does not run, and keeps one from starting meanwhile. Rejects
 * with one sentence: {@link DataInUse} when a server runs, else what is missing or cannot be opened.
 */
export async function withOfflineData<T>(
  config: Config,
  { input }: CommandCall,
  signal: AbortSignal,
  work: (parts: MaintenanceParts) => Promise<T>,
): Promise<T> {
  const cleanUp: CleanUp = [];
  try {
    return await work(await open(config, input, signal, cleanUp));
  } finally {
    for (const undo of cleanUp.reverse()) await undo();
  }
}

async function open(
  config: Config,
  input: CommandCall["input"],
  signal: AbortSignal,
  cleanUp: CleanUp,
): Promise<MaintenanceParts> {
  const paths = dataPaths(config, input.cwd);
  if (config.databaseBackend === "memory") throw new Error("the memory backend keeps nothing to work on");
  // A wrong path must not become a new, empty server.
  if (!await isDirectory(paths.git)) throw new Error(`there are no repositories at ${paths.git}`);
  if (!paths.database.isRemote && !await isFile(paths.database.location)) {
    throw new Error(`there is no database at ${paths.database.location}`);
  }
  const foreign = await foreignOwner(paths.git);
  if (foreign !== undefined) throw new Error(foreign);
  const { statePath } = await claimDirectories(config, cleanUp).catch((error: Error) => {
    throw error.message.includes(" is in use by pid ") ? new DataInUse(error.message) : error;
  });
  const log = commandLog();
  const git = await createGit({
    binary: config.gitBinary,
    homePath: `${statePath}/.git-home`,
    clock: systemClock,
    limits: config,
    ...(input.env["PATH"] && { searchPath: input.env["PATH"] }),
  });
  const store = await openStore({
    backend: "libsql",
    location: paths.database.location,
    ...(paths.database.isRemote && {
      remote: {
        authToken: paths.database.authToken,
        instance: await instanceName(statePath, systemRandom),
        session: randomHex(systemRandom, 16),
        fetch,
      },
    }),
    clock: systemClock,
    limits: config,
    log,
  });
  cleanUp.push(() => store.close());
  const repositories = new Repositories({
    git,
    gitDataPath: paths.git,
    random: systemRandom,
    clock: systemClock,
    log,
  });
  cleanUp.push(() => repositories.settled());
  const rules = curationRules(config);
  const contributions = contributionRules(
    new LiveConfig(config),
    rules.domain,
    (repository) => repositories.bytes(repository),
  );
  return {
    store,
    repositories,
    git,
    rules,
    pins: new Pins(),
    locks: new KeyedLock(),
    clock: systemClock,
    notify: () => {},
    counters: noMetrics().purgatory,
    ...(contributions && { contributions }),
    log,
    pace: "brisk",
    room: () => roomOf(paths.git, config.minFreeDiskMb),
    signal,
  };
}

/** Aborts at SIGINT and SIGTERM, so that work ends in order; `ignore` takes the handlers away. */
export function stopSignal(): { readonly signal: AbortSignal; ignore(): void } {
  const stop = new AbortController();
  const signals: Deno.Signal[] = ["SIGINT", "SIGTERM"];
  const onSignal = () => stop.abort();
  for (const name of signals) Deno.addSignalListener(name, onSignal);
  return {
    signal: stop.signal,
    ignore: () => signals.forEach((name) => Deno.removeSignalListener(name, onSignal)),
  };
}

async function isDirectory(path: string): Promise<boolean> {
  return await Deno.stat(path).then((entry) => entry.isDirectory, () => false);
}

async function isFile(path: string): Promise<boolean> {
  return await Deno.stat(path).then((entry) => entry.isFile, () => false);
}
