import { resolve } from "node:path";
import type { Config } from "../config/mod.ts";
import { type Random, randomHex } from "../world/mod.ts";
import { lockDataDirectory } from "./instance_lock.ts";

/** Holds the name under which this server has a remote database. */
const INSTANCE_FILE = "database-instance";

/** What has to be undone when the server stops, in reverse order. */
export type CleanUp = (() => Promise<unknown> | void)[];

/** The directories a server owns; absolute paths. */
export interface DataDirectories {
  readonly gitDataPath: string;
  /** Undefined with the memory backend. */
  readonly relayDataPath: string | undefined;
  /** Where small files about the running process lie. */
  readonly statePath: string;
}

/**
 * Creates the data directories and takes possession of them for the life of the process. The memory
 * backend has no relay data path, so that several such servers can share a working directory; what
 * others keep there (`statePath`) lies with its repositories then. Rejects with one sentence when a
 * directory cannot be created or another process has it.
 */
export async function claimDirectories(
  config: Pick<Config, "usesTemporaryGitData" | "gitDataPath" | "relayDataPath" | "databaseBackend">,
  cleanUp: CleanUp,
): Promise<DataDirectories> {
  const gitDataPath = config.usesTemporaryGitData
    ? await Deno.makeTempDir({ prefix: "ngit-grasp-git-" })
    : resolve(config.gitDataPath);
  if (config.usesTemporaryGitData) cleanUp.push(() => Deno.remove(gitDataPath, { recursive: true }));
  const relayDataPath = config.databaseBackend === "memory" ? undefined : resolve(config.relayDataPath);
  await claim("NGIT_GIT_DATA_PATH", gitDataPath, cleanUp);
  if (relayDataPath !== undefined) await claim("NGIT_RELAY_DATA_PATH", relayDataPath, cleanUp);
  return { gitDataPath, relayDataPath, statePath: relayDataPath ?? gitDataPath };
}

/** Name of this server among those that might use a remote database; kept in a claimed directory. */
export async function instanceName(statePath: string, random: Random): Promise<string> {
  const known = await knownInstanceName(statePath);
  if (known !== undefined) return known;
  const name = randomHex(random, 16);
  await Deno.writeTextFile(`${statePath}/${INSTANCE_FILE}`, `${name}\n`, { mode: 0o640 });
  return name;
}

/** What {@link instanceName} gave earlier; undefined before. */
export async function knownInstanceName(statePath: string): Promise<string | undefined> {
  try {
    const text = await Deno.readTextFile(`${statePath}/${INSTANCE_FILE}`);
    return /^[0-9a-f]{32}\n$/.test(text) ? text.trim() : undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

async function claim(option: string, path: string, cleanUp: CleanUp): Promise<void> {
  try {
    await Deno.mkdir(path, { recursive: true, mode: 0o750 });
  } catch (error) {
    throw new Error(`${option} ${path} cannot be created: ${error instanceof Error ? error.message : error}`);
  }
  const lock = await lockDataDirectory(path, Deno.pid).catch((error: Error) => {
    if (error.message.startsWith("data directory ")) throw error;
    throw new Error(`${option} ${path} is not writable by uid ${ownUid()}: ${error.message}`);
  });
  cleanUp.push(() => lock.release());
}

function ownUid(): string {
  try {
    return String(Deno.uid() ?? "unknown");
  } catch {
    return "unknown"; // not permitted to know
  }
}
