import type { Config } from "../../config/mod.ts";
import { createGit, Repositories } from "../../git/mod.ts";
import { encodeNpub } from "../../nostr/mod.ts";
import { fsck, type MaintenanceParts } from "../../maintenance/mod.ts";
import { systemClock, systemRandom } from "../../world/mod.ts";
import { commandLog } from "../command_log.ts";
import { dataPaths } from "../data_paths.ts";
import { type CommandCall, print, printError } from "../subcommand.ts";

/** What reading needs while a server may be running: nothing is locked and nothing written. */
export type ReadingParts = Pick<MaintenanceParts, "git" | "repositories" | "clock" | "signal">;

/** Runs `work` with git and the repositories as they are, a server running or not. */
export async function withReading<T>(
  config: Config,
  { input }: CommandCall,
  signal: AbortSignal,
  work: (parts: ReadingParts) => Promise<T>,
): Promise<T> {
  const homePath = await Deno.makeTempDir({ prefix: "ngit-grasp-maintain-" });
  try {
    const git = await createGit({
      binary: config.gitBinary,
      homePath,
      clock: systemClock,
      limits: config,
      ...(input.env["PATH"] && { searchPath: input.env["PATH"] }),
    });
    const repositories = new Repositories({
      git,
      gitDataPath: dataPaths(config, input.cwd).git,
      random: systemRandom,
      clock: systemClock,
      log: commandLog(),
    });
    return await work({ git, repositories, clock: systemClock, signal });
  } finally {
    await Deno.remove(homePath, { recursive: true });
  }
}

/** Checks all repositories while the server runs. The result is printed and not recorded. */
export async function fsckBeside(
  config: Config,
  call: CommandCall,
  asJson: boolean,
  signal: AbortSignal,
): Promise<number> {
  return await withReading(config, call, signal, async (parts) => {
    const damaged: { npub: string; identifier: string; reason: string }[] = [];
    let checked = 0;
    let failed = 0;
    for (
      const repository of [...await parts.repositories.list(), ...await parts.repositories.contributions()]
    ) {
      if (signal.aborted) break;
      const { owner, identifier } = repository;
      const verdict = await fsck(parts, repository).catch((error: Error) => {
        failed++;
        printError(`${encodeNpub(owner)}/${identifier} could not be checked: ${error.message}`);
      });
      if (!verdict) continue;
      checked++;
      if (verdict.ok) continue;
      damaged.push({ npub: encodeNpub(owner), identifier, reason: verdict.reason });
    }
    const ok = damaged.length === 0 && failed === 0 && !signal.aborted;
    const text = `${checked} checked beside the running server, ${damaged.length} damaged, ` +
      `${failed} could not be checked`;
    if (signal.aborted) printError("stopped before the end");
    const lines = damaged.map(({ npub, identifier, reason }) => `  ${npub}/${identifier}: ${reason}`);
    print(
      asJson
        ? JSON.stringify({ job: "git_fsck", ok, text, damaged })
        : [`git_fsck: ${text}`, ...lines].join("\n"),
    );
    return ok ? 0 : 1;
  });
}
