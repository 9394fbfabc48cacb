import type { Progress } from "../progress.ts";
import type { ImportEngine } from "./ports.ts";
import { RANKS, type Spool, type SpooledEvent } from "./spool.ts";

/** Events judged together: enough to keep the signature workers busy. */
const TOGETHER = 256;
/** Looks at events that refer to what was not stored when they came. */
const MAX_LOOKS = 5;
/** Orphans remembered for another look; what is beyond counts as refused. */
const MAX_ORPHANS = 500_000;

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

/** Imports everything in the spool, in its order. */
export async function importSpool(engine: ImportEngine, spool: Spool, progress: Progress): Promise<Tally> {
  const tally: Tally = { stored: 0, skipped: 0, refused: new Map(), failed: 0 };
  const unwatch = engine.store.watch((_, verdicts) => {
    for (const verdict of verdicts) if (verdict === "stored") tally.stored++;
  });
  try {
    progress.stage("importing", spool.count);
    progress.advance(spool.doneCount);
    const orphans: number[] = [];
    for (const rank of RANKS) {
      for (let batch = spool.next(rank, TOGETHER); batch.length > 0; batch = spool.next(rank, TOGETHER)) {
        await admitAll(engine, batch, tally, orphans);
        spool.done(batch.at(-1)!);
        progress.advance(batch.length);
      }
    }
    await lookAgain(engine, spool, tally, orphans, progress);
    await engine.settled();
    return tally;
  } finally {
    unwatch();
  }
}

async function admitAll(
  engine: ImportEngine,
  batch: readonly Pick<SpooledEvent, "text" | "number">[],
  tally: Tally,
  orphans: number[],
): Promise<void> {
  await Promise.all(batch.map(async ({ text, number }) => {
    const { result, reason } = await engine.admit(JSON.parse(text));
    if (reason === "orphan" && orphans.length < MAX_ORPHANS) orphans.push(number);
    else if (result === "duplicate") tally.skipped++;
    else if (result === "failed") tally.failed++;
    else if (result === "rejected" || result === "invalid") {
      const label = reason ?? "other";
      tally.refused.set(label, (tally.refused.get(label) ?? 0) + 1);
    }
  }));
}

/** An event may be older than what it answers: orphans are judged again while that gets any of them in. */
async function lookAgain(
  engine: ImportEngine,
  spool: Spool,
  tally: Tally,
  first: readonly number[],
  progress: Progress,
): Promise<void> {
  let orphans = first;
  for (let look = 1; look < MAX_LOOKS && orphans.length > 0; look++) {
    progress.stage("looking again at events without repository", orphans.length);
    const still: number[] = [];
    for (let at = 0; at < orphans.length; at += TOGETHER) {
      const numbers = orphans.slice(at, at + TOGETHER);
      await admitAll(engine, numbers.map((number) => ({ number, text: spool.text(number) })), tally, still);
      progress.advance(numbers.length);
    }
    const gotNoneIn = still.length === orphans.length;
    orphans = still;
    if (gotNoneIn) break;
  }
  if (orphans.length > 0) tally.refused.set("orphan", (tally.refused.get("orphan") ?? 0) + orphans.length);
}
