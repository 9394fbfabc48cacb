import { resolve } from "node:path";
import { type Config, databasePath, remoteDatabaseUrl } from "../config/mod.ts";

/** Where a configuration keeps its data; paths are absolute. */
export interface DataPaths {
  readonly git: string;
  readonly database: {
    /** A path, or the URL of a remote database. */
    readonly location: string;
    readonly isRemote: boolean;
    readonly authToken?: string;
  };
}

/** The data paths of a server started with this configuration in `cwd`. */
export function dataPaths(config: Config, cwd: string): DataPaths {
  const server = remoteDatabaseUrl(config);
  const isRemote = server !== undefined;
  return {
    git: resolve(cwd, config.gitDataPath),
    database: {
      location: server ?? resolve(cwd, databasePath(config)),
      isRemote,
      ...(isRemote && config.databaseAuthToken && { authToken: config.databaseAuthToken.reveal() }),
    },
  };
}
