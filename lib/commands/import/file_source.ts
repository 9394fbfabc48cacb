import type { Progress } from "../progress.ts";
import type { Bounds } from "./bounds.ts";
import { linesOf } from "./lines.ts";
import type { BadLine, Spool } from "./spool.ts";

/** Bad lines that are shown. */
const SHOWN = 20;

/** What was read from a source. */
export interface SourceTally {
  read: number;
  repeated: number;
  bad: number;
  /** The first bad ones. */
  readonly shown: BadLine[];
  /** Why the source ended before everything was read; undefined when it did not. */
  incomplete?: string;
}

/** Nothing read yet. */
export function emptyTally(): SourceTally {
  return { read: 0, repeated: 0, bad: 0, shown: [] };
}

/** Fills the spool from JSON lines. */
export async function spoolLines(
  stream: AsyncIterable<Uint8Array>,
  spool: Spool,
  progress: Progress,
  bounds: Bounds,
): Promise<SourceTally> {
  const tally = emptyTally();
  progress.stage("reading", 0);
  for await (const line of linesOf(stream)) {
    bounds.take("text" in line ? line.text.length : 0);
    const added = "problem" in line ? line : spool.add(line.text);
    if (added === "added") tally.read++;
    else if (added === "repeated") tally.repeated++;
    else {
      tally.bad++;
      if (tally.shown.length < SHOWN) tally.shown.push({ line: line.number, problem: added.problem });
    }
    progress.advance();
  }
  return tally;
}

/** What names a file and its content; another one is another source. */
export async function fileSource(path: string): Promise<string> {
  const { size, mtime, ino } = await Deno.stat(path);
  return `${path} ${size} ${mtime?.getTime() ?? 0} ${ino ?? 0}`;
}
