import type { Config, ConfigInput } from "../config/mod.ts";
import { createGit, type Git, Repositories } from "../git/mod.ts";
import { type CurationRules, curationRules } from "../policy/mod.ts";
import { type Store, StoredData } from "../store/mod.ts";
import { type Clock, systemClock, systemRandom } from "../world/mod.ts";
import { commandLog } from "./command_log.ts";
import { dataPaths } from "./data_paths.ts";

/** The data of a server, running or not, as far as it can be read without changing it. */
export interface DataBeside {
  readonly config: Config;
  readonly rules: CurationRules;
  /** Refuses to write. */
  readonly store: Store;
  readonly git: Git;
  /** Its methods that write are not to be called. */
  readonly repositories: Repositories;
  readonly clock: Clock;
  close(): Promise<void>;
}

/**
 * Opens the configured data through connections of their own, without the instance lock. Rejects with one
 * sentence when there is nothing that can be read.
 */
export async function openBeside(
  config: Config,
  { cwd, env }: Pick<ConfigInput, "cwd" | "env">,
  clock: Clock = systemClock,
): Promise<DataBeside> {
  if (config.databaseBackend === "memory") {
    throw new Error(
      "NGIT_DATABASE_BACKEND is memory: the events are in the server's process and cannot be read here",
    );
  }
  const { git: gitDataPath, database } = dataPaths(config, cwd);
  const store = (await StoredData.open({ ...database, clock, log: commandLog("error") })).store(config);
  const homePath = await Deno.makeTempDir({ prefix: "ngit-grasp-home-" });
  const close = async () => {
    await store.close();
    await Deno.remove(homePath, { recursive: true });
  };
  try {
    const searchPath = env["PATH"];
    const git = await createGit({
      binary: config.gitBinary,
      homePath,
      clock,
      limits: config,
      ...(searchPath && { searchPath }),
    });
    const repositories = new Repositories({
      git,
      gitDataPath,
      random: systemRandom,
      clock,
      log: commandLog("error"),
    });
    return { config, rules: curationRules(config), store, git, repositories, clock, close };
  } catch (error) {
    await close();
    throw error;
  }
}
