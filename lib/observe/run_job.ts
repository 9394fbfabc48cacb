import type { Clock } from "../world/mod.ts";
import type { Job, JobGroup } from "./metrics_operation.ts";

/** Runs a regular job and counts how it ended; a failure goes on to the caller. */
export async function runJob<T>(
  jobs: JobGroup,
  clock: Clock,
  job: Job,
  work: () => Promise<T>,
): Promise<T> {
  const startedAt = clock.monotonic();
  let result: "success" | "failure" = "failure";
  try {
    const value = await work();
    result = "success";
    return value;
  } finally {
    jobs.ran(job, result, (clock.monotonic() - startedAt) / 1000, clock.now());
  }
}
