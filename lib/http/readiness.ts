import type { Clock } from "../world/mod.ts";

/** How long an answer is reused: probes may come in crowds. */
const REUSE_MS = 5_000;
/** A check that takes longer has failed. */
const CHECK_TIMEOUT_MS = 1_000;

/** Names the checks that fail; rejects never. */
export type Readiness = () => Promise<readonly string[]>;

/**
 * Runs named checks side by side, each at most a second, and reuses the answer for five. A check
 * fails when it rejects, resolves to false or is late.
 */
export function createReadiness(
  checks: Readonly<Record<string, () => Promise<unknown>>>,
  clock: Clock,
): Readiness {
  let latest: { readonly at: number; readonly answer: Promise<readonly string[]> } | undefined;
  return () => {
    const now = clock.now();
    // A clock that was set back must not freeze the answer.
    const isFresh = latest !== undefined && now >= latest.at && now - latest.at < REUSE_MS;
    if (!isFresh) latest = { at: now, answer: runAll(checks, clock) };
    return latest!.answer;
  };
}

async function runAll(
  checks: Readonly<Record<string, () => Promise<unknown>>>,
  clock: Clock,
): Promise<readonly string[]> {
  const results = await Promise.all(
    Object.entries(checks).map(async ([name, check]) => await passes(check, clock) ? [] : [name]),
  );
  return results.flat();
}

async function passes(check: () => Promise<unknown>, clock: Clock): Promise<boolean> {
  const timer = new AbortController();
  const late = clock.sleep(CHECK_TIMEOUT_MS, timer.signal).then(() => false);
  try {
    return await Promise.race([check().then((answer) => answer !== false), late]);
  } catch {
    return false; // why is the log's business, not the prober's
  } finally {
    timer.abort();
  }
}
