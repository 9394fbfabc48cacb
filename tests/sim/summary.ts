import type { Outcome } from "./batch.ts";

/** What a batch came to, as a few lines of text. */
export function summary(outcomes: readonly Outcome[]): string {
  const failed = outcomes.filter(({ problems }) => problems.length > 0).map(({ seed }) => seed);
  const times = outcomes.flatMap(({ convergedAfterMs }) => convergedAfterMs ?? []).sort((a, b) => a - b);
  const sum = (value: (outcome: Outcome) => number) => outcomes.reduce((total, one) => total + value(one), 0);
  const events = sum((one) => one.events);
  const byType = new Map<string, { messages: number; bytes: number }>();
  for (const { traffic } of outcomes) {
    for (const [type, { messages, bytes }] of Object.entries(traffic)) {
      const amount = byType.get(type) ?? { messages: 0, bytes: 0 };
      byType.set(type, { messages: amount.messages + messages, bytes: amount.bytes + bytes });
    }
  }
  const rows = [...byType].sort((a, b) => b[1].bytes - a[1].bytes).map(([type, { messages, bytes }]) =>
    `  ${type.padEnd(10)} ${String(messages).padStart(9)} messages ${String(bytes).padStart(11)} bytes`
  );
  return [
    `${outcomes.length - failed.length} of ${outcomes.length} converged; failed seeds: ${
      failed.join(" ") || "none"
    }`,
    `${events} events, ${sum((one) => one.faults)} faults, ${
      (sum((one) => one.tookMs) / 1000).toFixed(1)
    } s of work`,
    `converged within ${seconds(times, 0.5)} (median), ${seconds(times, 0.99)} (99 of 100), ${
      seconds(times, 1)
    } (all)`,
    `${(sum((one) => one.messages) / Math.max(1, events)).toFixed(1)} messages and ` +
    `${(sum((one) => one.bytes) / Math.max(1, events)).toFixed(0)} bytes per event`,
    ...rows,
  ].join("\n");
}

function seconds(sorted: readonly number[], share: number): string {
  const value = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
  return value === undefined ? "never" : `${value / 1000} s`;
}
