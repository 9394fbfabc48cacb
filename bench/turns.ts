import {
  type ServerOptions,
  type ServerProcess,
  workingCopyCommand,
} from "../tests/support/server_process.ts";

const WATCH = new URL("./turn_watch.ts", import.meta.url).pathname;

/** The longest turns of an event loop in a span of time, in milliseconds; 0 when none was worth telling. */
export interface LongestTurns {
  /** As timers and clients felt it. */
  readonly feltMs: number;
  /** Without the time in which other processes had the core. */
  readonly ownMs: number;
  /** What of that was computing. */
  readonly busyMs: number;
}

/** Command line of this source tree whose event loop is watched; {@link longestTurns} reads what it writes. */
export function watchedProgram(): NonNullable<ServerOptions["program"]> {
  const { command, args } = workingCopyCommand();
  const [run, ...rest] = args.map((arg) => arg === "-P=serve" ? "-A" : arg);
  return { command, args: [run!, `--preload=${WATCH}`, ...rest] };
}

/** The longest turns of a {@link watchedProgram} between two times of the wall clock. */
export function longestTurns({ log }: ServerProcess, from: number, to: number): LongestTurns {
  let [feltMs, ownMs, busyMs] = [0, 0, 0];
  for (const [, at, felt, own, busy] of log.matchAll(/^turn (\d+) ([\d.]+) ([\d.]+) ([\d.]+)$/gm)) {
    if (Number(at) < from || Number(at) > to) continue;
    feltMs = Math.max(feltMs, Number(felt));
    ownMs = Math.max(ownMs, Number(own));
    busyMs = Math.max(busyMs, Number(busy));
  }
  return { feltMs, ownMs, busyMs };
}
