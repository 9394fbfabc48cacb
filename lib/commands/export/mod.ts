/** `export`: all served events as JSON lines, while the server serves. */
import { resolve } from "node:path";
import { decodeNpub, type Filter, parseFilter } from "../../nostr/mod.ts";
import { StoredData } from "../../store/mod.ts";
import { systemClock } from "../../world/mod.ts";
import { commandLog } from "../command_log.ts";
import { dataPaths } from "../data_paths.ts";
import { noProgress, showProgress } from "../progress.ts";
import { type CommandCall, configFor, printError } from "../subcommand.ts";
import { type ExportOptions, exportTo } from "./run.ts";
import { openTarget } from "./target.ts";

/** Runs `export [--to FILE] [--filter JSON] [--retired NPUB[/IDENTIFIER]] [--since TIME] [--resume]`. */
export async function exportEvents(call: CommandCall): Promise<number> {
  const { own, input } = call;
  const filters = filtersOf(own.get("--filter"));
  if (typeof filters === "string") return fail(filters, 2);
  const since = sinceOf(own.get("--since"));
  if (typeof since === "string") return fail(since, 2);
  const to = own.get("--to");
  if (to === undefined && own.has("--resume")) return fail("--resume needs --to FILE", 2);
  const retired = retiredOf(own.get("--retired"));
  if (typeof retired === "string") return fail(retired, 2);
  if (retired && (own.has("--resume") || since !== undefined)) {
    return fail("--retired goes with neither --resume nor --since", 2);
  }
  const config = await configFor(call);
  if (typeof config === "number") return config;
  const progress = to === undefined ? noProgress : showProgress();
  try {
    const data = await StoredData.open({
      ...dataPaths(config, input.cwd).database,
      clock: systemClock,
      log: commandLog(),
    });
    try {
      const target = await openTarget(
        to === undefined ? undefined : resolve(input.cwd, to),
        own.has("--resume"),
      );
      if (!target.ok) return fail(target.reason, 1);
      const written = await exportTo(target.target, {
        data,
        filters,
        since,
        progress,
        ...(retired && { retired }),
      });
      progress.done();
      if (to !== undefined) printError(`${written} events written to ${to}`);
    } finally {
      data.close();
    }
    return 0;
  } catch (error) {
    progress.done();
    // The reader of stdout (head, grep -q) has seen enough.
    if (to === undefined && error instanceof Deno.errors.BrokenPipe) return 0;
    return fail(error instanceof Error ? error.message : String(error), 1);
  }
}

/** The filters of `--filter`; a text says what is wrong with them. */
function filtersOf(text: string | undefined): readonly Filter[] | string | undefined {
  if (text === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return "--filter is not JSON";
  }
  const filters: Filter[] = [];
  for (const each of Array.isArray(value) ? value : [value]) {
    const filter = parseFilter(each);
    if (typeof filter === "string") return `--filter: ${filter}`;
    if (filter.limit !== undefined) return "--filter: an export has no limit";
    filters.push(filter);
  }
  return filters.length > 0 ? filters : "--filter names no filter";
}

/** Seconds since the epoch; a text says what is wrong. */
function sinceOf(text: string | undefined): number | string | undefined {
  if (text === undefined) return undefined;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  const time = /^\d{4}-\d{2}-\d{2}/.test(text) ? Date.parse(text) : NaN;
  if (!(time >= 0)) {
    return "--since is neither Unix seconds nor a date such as 2026-01-31 or 2026-01-31T12:00:00Z";
  }
  return Math.floor(time / 1000);
}

/** Whose held events `--retired` names; a text says what is wrong. */
function retiredOf(text: string | undefined): ExportOptions["retired"] | string {
  if (text === undefined) return undefined;
  const at = text.indexOf("/");
  const owner = decodeNpub(at < 0 ? text : text.slice(0, at));
  if (owner === undefined) return "--retired is no npub, and no npub/identifier";
  return { owner, identifier: at < 0 ? undefined : text.slice(at + 1) };
}

function fail(sentence: string, exitCode: number): number {
  printError(`error: ${sentence}`);
  return exitCode;
}
