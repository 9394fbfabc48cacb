import type { Progress } from "../progress.ts";
import type { Bounds } from "./bounds.ts";
import type { ImportEngine } from "./ports.ts";
import { RANKS, type Spool, type SpooledEvent } from "./spool.ts";

/** Events judged together: enough to keep the signature workers busy. */
const TOGETHER = 256;
/** Looks at events that refer to what was not stored when they came. */
const MAX_LOOKS = 5;

/** What became of the events of one run. */
export interface Tally {
  /** Stored by this run, those that had waited included. */
  stored: number;
  /** Stored already, or older than what is stored. */
  skipped: number;
  /** By reason, as metrics label it. */
  readonly refused: Map<string, number>;
  /** Could not be stored through no fault of theirs. */
  failed: number;
}

/** Events that another look, or another run, may get in. */
interface Open {
  /** They refer to nothing stored. */
  orphans: number;
  failed: number;
}

/** Imports everything in the spool that is not settled, in its order. Rejects with one sentence when the disk is full. */
export async function importSpool(
  engine: ImportEngine,
  spool: Spool,
  progress: Progress,
  bounds: Pick<Bounds, "look">,
): Promise<Tally> {
  const tally: Tally = { stored: 0, skipped: 0, refused: new Map(), failed: 0 };
  const unwatch = engine.store.watch((_, verdicts) => {
    for (const verdict of verdicts) if (verdict === "stored") tally.stored++;
  });
  try {
    progress.stage("importing", spool.count);
    progress.advance(spool.settledCount);
    let open = await lookAtAll(engine, spool, tally, progress, bounds);
    // An event may be older than what it answers: orphans are judged again while that gets any of them in.
    for (
      let look = 1, before = Infinity;
      look < MAX_LOOKS && open.orphans > 0 && open.orphans < before;
      look++
    ) {
      before = open.orphans;
      progress.stage("looking again at events without repository", open.orphans + open.failed);
      open = await lookAtAll(engine, spool, tally, progress, bounds);
    }
    tally.failed = open.failed;
    if (open.orphans > 0) tally.refused.set("orphan", open.orphans);
    await engine.settled();
    return tally;
  } finally {
    unwatch();
  }
}

/** Judges what is not settled yet, and counts what still is not. */
async function lookAtAll(
  engine: ImportEngine,
  spool: Spool,
  tally: Tally,
  progress: Progress,
  bounds: Pick<Bounds, "look">,
): Promise<Open> {
  const open = { orphans: 0, failed: 0 };
  for (const rank of RANKS) {
    for (const batch of spool.open(rank, TOGETHER)) {
      await bounds.look();
      spool.settle(await admitAll(engine, batch, tally, open));
      progress.advance(batch.length);
    }
  }
  return open;
}

/** Returns the numbers of those that need no further look. */
async function admitAll(
  engine: ImportEngine,
  batch: readonly SpooledEvent[],
  tally: Tally,
  open: Open,
): Promise<number[]> {
  const settled: number[] = [];
  await Promise.all(batch.map(async ({ text, number }) => {
    const { result, reason } = await engine.admit(JSON.parse(text));
    if (reason === "orphan") open.orphans++;
    else if (result === "failed") open.failed++;
    else {
      settled.push(number);
      if (result === "duplicate") tally.skipped++;
      else if (result === "rejected" || result === "invalid") {
        const label = reason ?? "other";
        tally.refused.set(label, (tally.refused.get(label) ?? 0) + 1);
      }
    }
  }));
  return settled;
}
