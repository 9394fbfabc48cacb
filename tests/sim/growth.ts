import { type Plan, type Report, run } from "./run.ts";

/** Sizes of the networks compared. */
export const GROWTH_SIZES = [4, 16, 64, 256];

/** A network whose users grow with it: every repository stays on two to four servers. */
export function growthPlan(machines: number): Plan {
  return {
    seed: 1,
    machines,
    projects: machines,
    actions: 8 * machines,
    faults: 0,
    loss: 0,
    deletions: false,
    activeMs: 900_000,
    moves: false,
    carefulUsers: true,
    patienceMs: 7_200_000,
    idleMs: 3_600_000,
  };
}

/** One row of the table in docs/sync-at-scale.md. */
export function growthRow(report: Report): string {
  const { plan, events, total, traffic, idleMessages, links, spreadMs, problems, convergedAfterMs } = report;
  const perEvent = (value: number) => (value / events).toFixed(1);
  const git = traffic.get("git fetch") ?? { messages: 0, bytes: 0 };
  const cells = [
    plan.machines,
    plan.projects,
    events,
    (links / plan.machines).toFixed(1),
    `${(share(spreadMs, 0.5) / 1000).toFixed(2)} s`,
    `${(share(spreadMs, 0.9) / 1000).toFixed(2)} s`,
    perEvent(total.messages - git.messages),
    perEvent(total.bytes - git.bytes),
    perEvent(git.messages),
    Math.round(idleMessages / plan.machines / (plan.idleMs / 3_600_000)),
    problems.length === 0 ? `${convergedAfterMs! / 1000} s` : "no",
  ];
  return `| ${cells.join(" | ")} |`;
}

/** Head of the table. */
export const GROWTH_HEAD = [
  "| Servers | Repositories | Events | Peers per server | Spread p50 | Spread p90 | Messages per event | Bytes per event " +
  "| Git fetches per event | Idle: messages per server and hour | Converged within |",
  "|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
].join("\n");

/** Runs the networks and prints a row after each. */
export async function printGrowth(sizes: readonly number[], print: (line: string) => void): Promise<void> {
  print(GROWTH_HEAD);
  for (const size of sizes) print(growthRow(await run(growthPlan(size))));
}

function share(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;
}
