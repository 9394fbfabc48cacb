import { resolve } from "node:path";
import { type Config, databasePath, remoteDatabaseUrl } from "./config/mod.ts";
import { instanceName, type StoreOptions } from "./store/mod.ts";
import { type Random, randomHex } from "./world/mod.ts";

/** Where the configured database is; on a server of its own, also who asks: the instance kept in `statePath`. */
export async function databasePlace(
  config: Config,
  statePath: string,
  random: Random,
): Promise<Pick<StoreOptions, "location" | "remote">> {
  const server = remoteDatabaseUrl(config);
  if (server === undefined) return { location: resolve(databasePath(config)) };
  const remote = {
    authToken: config.databaseAuthToken?.reveal(),
    instance: await instanceName(statePath, random),
    session: randomHex(random, 16),
    fetch,
  };
  return { location: server, remote };
}
