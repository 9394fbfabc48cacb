import type { Report } from "./run.ts";

/** What one run of a batch came to, as it crosses from process to process. */
export interface Outcome {
  readonly seed: number;
  readonly machines: number;
  readonly problems: readonly string[];
  readonly convergedAfterMs: number | null;
  readonly events: number;
  readonly faults: number;
  readonly messages: number;
  readonly bytes: number;
  readonly traffic: Readonly<Record<string, { readonly messages: number; readonly bytes: number }>>;
  readonly fingerprint: string;
  /** Real time it took, in milliseconds. */
  readonly tookMs: number;
}

/** Which seeds to run, and how. */
export interface Batch {
  readonly seeds: readonly number[];
  /** Servers of each run; undefined leaves it to the seed. */
  readonly machines: number | undefined;
  /** Processes to spread the seeds over. */
  readonly jobs: number;
  /** Patience after the last action, in virtual hours. */
  readonly hours: string;
}

/** The plain part of a report. */
export function outcomeOf(report: Report, tookMs: number): Outcome {
  const { plan, problems, convergedAfterMs, events, faults, traffic, total, fingerprint } = report;
  return {
    seed: plan.seed,
    machines: plan.machines,
    problems,
    convergedAfterMs: convergedAfterMs ?? null,
    events,
    faults,
    messages: total.messages,
    bytes: total.bytes,
    traffic: Object.fromEntries(traffic),
    fingerprint,
    tookMs: Math.round(tookMs),
  };
}

/** Runs seeds in processes of their own, and hands over each outcome as it comes. */
export async function runBatch(
  { seeds, machines, jobs, hours }: Batch,
  heard: (outcome: Outcome) => void,
): Promise<void> {
  const shares = Array.from(
    { length: jobs },
    (_, job) => seeds.filter((_seed, index) => index % jobs === job),
  );
  await Promise.all(
    shares.filter((share) => share.length > 0).map(async (share) => {
      const child = new Deno.Command(Deno.execPath(), {
        args: [
          "run",
          "--no-check",
          "--quiet",
          "--lock=deno.lock",
          "--frozen",
          "-A",
          "tests/sim/main.ts",
          "--json",
          "--list",
          share.join(","),
          "--hours",
          hours,
          ...(machines === undefined ? [] : ["--relays", String(machines)]),
        ],
        cwd: new URL("../..", import.meta.url),
        stdout: "piped",
        stderr: "inherit",
      }).spawn();
      let rest = "";
      for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
        const lines = (rest + text).split("\n");
        rest = lines.pop()!;
        for (const line of lines) heard(JSON.parse(line) as Outcome);
      }
      const { code } = await child.status;
      if (code !== 0) throw new Error(`a simulation process ended with code ${code}`);
    }),
  );
}
