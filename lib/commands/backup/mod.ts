/** `backup`: a consistent copy of everything, while the server serves. */
import { resolve } from "node:path";
import { nsecEncode } from "nostr-tools/nip19";
import { findRelayKey } from "../../config/mod.ts";
import { systemClock } from "../../world/mod.ts";
import { commandLog } from "../command_log.ts";
import { dataPaths } from "../data_paths.ts";
import { showProgress } from "../progress.ts";
import { type CommandCall, configFor, print, printError } from "../subcommand.ts";
import type { Manifest } from "./manifest.ts";
import { runBackup } from "./run.ts";

export { findGitTree } from "./git_tree.ts";
export { DATABASE_FILE, GIT_FOLDER, type Manifest, readManifest } from "./manifest.ts";

/** Runs `backup --to DIR|FILE.tar|FILE.tar.gz`; exit code 1 unless everything could be read. */
export async function backup(call: CommandCall): Promise<number> {
  const config = await configFor(call);
  if (typeof config === "number") return config;
  const to = call.own.get("--to");
  if (to === undefined || to === "") return fail("backup needs --to DIR, or --to FILE.tar or FILE.tar.gz", 2);
  const gitOnly = call.own.has("--git-only");
  const paths = dataPaths(config, call.input.cwd);
  if (config.databaseBackend === "memory") {
    return fail("with the memory backend there is nothing to back up", 1);
  }
  if (paths.database.isRemote && !gitOnly) {
    return fail(
      "the remote database is not included in a backup: use the backup of its server, and --git-only here",
      1,
    );
  }
  const key = await keyText(call, config);
  if (typeof key === "object") return fail(key.problem, 1);
  const result = await runBackup({
    to: resolve(call.input.cwd, to),
    gitPath: paths.git,
    databasePath: gitOnly ? undefined : paths.database.location,
    key,
    mayLink: !call.own.has("--copy"),
    clock: systemClock,
    log: commandLog(),
    progress: showProgress(),
  });
  if (!result.ok) return fail(result.reason, 1);
  print(call.own.get("--format") === "json" ? JSON.stringify(result.manifest) : summary(to, result.manifest));
  return result.manifest.git.unreadable.length > 0 ? 1 : 0;
}

/** Content of the key file, undefined when it is not wanted. */
async function keyText(
  { own, input }: CommandCall,
  config: Parameters<typeof findRelayKey>[0],
): Promise<string | undefined | { readonly problem: string }> {
  if (!own.has("--include-key")) return undefined;
  const found = await findRelayKey(config, input.cwd);
  if (!found.ok) return { problem: found.problem };
  if (found.key === undefined) {
    return { problem: "there is no key to include: the server has not made one yet" };
  }
  return `${nsecEncode(found.key.secretKey)}\n`;
}

function summary(to: string, { database, git, keyIncluded }: Manifest): string {
  const mebibytes = (bytes: number) => `${(bytes / (1 << 20)).toFixed(1)} MiB`;
  const waiting = database &&
    database.waiting.active + database.waiting.soft + database.waiting.states +
      database.waiting.pullRequests + database.waiting.placeholders;
  return [
    `backup written to ${to}`,
    database
      ? `database: ${database.events} events, ${waiting} in purgatory, ${mebibytes(database.bytes)}`
      : "database: not included",
    `repositories: ${git.repositories}, ${mebibytes(git.bytes)}, of which ${
      mebibytes(git.linkedBytes)
    } shared by hard links`,
    keyIncluded ? "secret key: included; keep this backup as safe as the key" : "secret key: not included",
    ...git.unreadable.map(({ path, reason }) => `UNREADABLE ${path}: ${reason}`),
  ].join("\n");
}

function fail(sentence: string, exitCode: number): number {
  printError(`error: ${sentence}`);
  return exitCode;
}
