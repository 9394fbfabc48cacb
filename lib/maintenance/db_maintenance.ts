import type { MaintenanceParts } from "./ports.ts";

/** Name of the job in metrics, and of the weekly part of it. */
export const DB_MAINTENANCE = "db_maintenance";
const QUICK_CHECK = "db_quick_check";
/** A start of the job may come a little early: a week less half a day. */
const CHECK_EVERY_MS = 6.5 * 86_400_000;

/** What one run came to. */
export interface DbMaintenanceResult {
  /** False for a remote database: its server maintains it. */
  readonly applies: boolean;
  readonly checked: boolean;
}

/**
 * Empties the write-ahead log, refreshes what the planner goes by, and once a week (or when `check`)
 * reads all pages. Throws when these are damaged.
 */
export async function maintainDatabase(
  { store, clock }: MaintenanceParts,
  check = false,
): Promise<DbMaintenanceResult> {
  if (!await store.checkpoint()) return { applies: false, checked: false };
  const last = (await store.jobRuns()).find(({ job }) => job === QUICK_CHECK);
  if (!check && last && last.at > clock.now() - CHECK_EVERY_MS) return { applies: true, checked: false };
  const startedAt = clock.monotonic();
  const damage = await store.findDamage();
  await store.putJobRun({
    job: QUICK_CHECK,
    at: clock.now(),
    ok: damage === undefined,
    durationMs: clock.monotonic() - startedAt,
    text: damage ?? "sound",
  });
  if (damage !== undefined) throw new Error(`the database is damaged, restore a backup: ${damage}`);
  return { applies: true, checked: true };
}
