import { type BindAddress, formatAddress, RELEASED_AT } from "../config/mod.ts";
import { inspectGit, isAtLeast } from "../git/mod.ts";
import type { Clock } from "../world/mod.ts";
import { causeOf, type CheckResult, resultsOf } from "./check_result.ts";

/** Oldest git that is recommended. */
const RECOMMENDED_GIT = [2, 41] as const;
const YEAR_MS = 365.25 * 86_400_000;
/** A clock may be this far behind the newest data. */
const CLOCK_TOLERANCE_MS = 900_000;

/** The git program exists, runs and is recent enough. */
export async function checkGit(
  input: { readonly binary: string; readonly searchPath: string; readonly clock: Clock },
): Promise<CheckResult> {
  const { ok, fail } = resultsOf("git");
  try {
    const { path, version } = await inspectGit(input);
    const advice = isAtLeast(version, ...RECOMMENDED_GIT) ? "" : " (2.41 or newer is recommended)";
    return ok(`git version ${version.text} at ${path}${advice}`);
  } catch (error) {
    return fail(causeOf(error));
  }
}

/** The listening address is free. `runningPid` is the process that already serves our data. */
export function checkPort(
  address: BindAddress,
  runningPid: string | undefined,
  allowRunning: boolean,
): CheckResult {
  const { ok, warn, fail } = resultsOf("port");
  const text = formatAddress(address);
  try {
    Deno.listen({ hostname: address.hostname, port: address.port }).close();
    return ok(`${text} is free`);
  } catch (error) {
    if (!(error instanceof Deno.errors.AddrInUse)) return fail(`cannot listen on ${text}: ${causeOf(error)}`);
    const isOurs = runningPid !== undefined && allowRunning;
    return isOurs
      ? warn(`${text} is in use by this server (pid ${runningPid})`)
      : fail(`cannot listen on ${text}: address in use`);
  }
}

/** The machine's time is plausible: not before the program existed, nor before the data was written. */
export function checkClock(
  input: {
    readonly clock: Clock;
    /** Newest `created_at`, in seconds. */
    readonly newestEvent: number | undefined;
    /** When our newest file was written, in milliseconds. */
    readonly newestFile: number | undefined;
    readonly maxFutureSecs: number;
  },
): CheckResult {
  const { ok, warn, fail } = resultsOf("clock");
  const now = input.clock.now();
  const text = new Date(now).toISOString();
  if (now < RELEASED_AT) return fail(`${text} is before this program was made`);
  if (now > RELEASED_AT + 10 * YEAR_MS) {
    return warn(`${text} is more than ten years after this program was made`);
  }
  // Accepted events may be dated ahead, by as much as the option allows.
  const tolerance = Math.max(CLOCK_TOLERANCE_MS, input.maxFutureSecs * 1000);
  if (input.newestEvent !== undefined && now < input.newestEvent * 1000 - tolerance) {
    return warn(`${text} is before the newest stored event`);
  }
  if (input.newestFile !== undefined && now < input.newestFile - CLOCK_TOLERANCE_MS) {
    return warn(`${text} is before the database was last written`);
  }
  return ok(text);
}

/** The soft limit of open files allows for the configured connections. */
export async function checkLimits(maxConnections: number | undefined): Promise<CheckResult> {
  const { ok, warn, skip } = resultsOf("limits");
  const needed = Math.max(1024, 2 * (maxConnections ?? 0));
  try {
    const limits = await Deno.readTextFile("/proc/self/limits");
    const soft = /^Max open files\s+(\d+|unlimited)/m.exec(limits)?.[1];
    if (soft === undefined) return skip("the limit of open files is not readable");
    const text = `${soft} open files allowed, ${needed} needed`;
    return soft !== "unlimited" && Number(soft) < needed ? warn(text) : ok(text);
  } catch {
    return skip("the limit of open files is not readable"); // another system, or not permitted
  }
}

/** The process id of a server that holds the lock of one of the directories. */
export async function runningServer(directories: readonly string[]): Promise<string | undefined> {
  for (const directory of directories) {
    try {
      using file = await Deno.open(`${directory}/.ngit-grasp.lock`, { read: true });
      if (await file.tryLock(true)) await file.unlock();
      else return (await Deno.readTextFile(`${directory}/.ngit-grasp.lock`)).trim().slice(0, 20) || "unknown";
    } catch {
      // No lock file, or not readable: then no server of this user runs there.
    }
  }
  return undefined;
}
