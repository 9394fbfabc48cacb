import { asciiLine } from "../../nostr/mod.ts";

/** One fact a judgement rests on. */
export interface Finding {
  /** `no` speaks against the event, `ok` for it, `note` for neither. */
  readonly status: "ok" | "no" | "note";
  readonly topic: string;
  /** One sentence without full stop. */
  readonly text: string;
}

/** A declared object that a repository lacks. */
export interface Missing {
  /** `<npub>/<identifier>`. */
  readonly repository: string;
  readonly ref: string;
  readonly oid: string;
}

/** What is known about one event. */
export interface Facts {
  readonly findings: readonly Finding[];
  readonly missing: readonly Missing[];
}

/** The answer of `why`. Times in milliseconds. */
export interface WhyReport {
  /** One line that says what was asked about. */
  readonly subject: string;
  readonly id?: string;
  readonly kind?: number;
  /** Accepted, held, served, or a push is possible: exit code 0. */
  readonly ok: boolean;
  /** One sentence. */
  readonly verdict: string;
  /** The text of the server's `OK`, or of its answer to a push. */
  readonly message?: string;
  readonly findings: readonly Finding[];
  readonly missing: readonly Missing[];
  readonly waits?: { readonly since?: number; readonly until: number };
}

/** Most missing objects listed on a terminal; JSON has all. */
const MAX_LISTED = 20;

/** The report for a terminal. */
export function renderReport(report: WhyReport, now: number): string {
  const { findings, missing, waits } = report;
  const width = Math.max(0, ...findings.map(({ topic }) => topic.length));
  const lines = [
    report.subject,
    `${report.ok ? "yes" : "no"}: ${report.verdict}`,
    ...(report.message ? [`the server says: ${report.message}`] : []),
    "",
    ...findings.map(({ status, topic, text }) => `  ${status.padEnd(4)}  ${topic.padEnd(width)}  ${text}`),
    ...(waits
      ? [
        "",
        `waits ${waits.since === undefined ? "" : `since ${time(waits.since)}, `}until ${
          time(waits.until)
        } (${span(waits.until - now)})`,
      ]
      : []),
    ...(missing.length > 0 ? ["", "git data that is not here:"] : []),
    ...missing.slice(0, MAX_LISTED).map(({ repository, ref, oid }) => `  ${repository}  ${ref}  ${oid}`),
    ...(missing.length > MAX_LISTED ? [`  and ${missing.length - MAX_LISTED} more (--format json)`] : []),
  ];
  return lines.map(asciiLine).join("\n") + "\n";
}

/** The report as one JSON object; times as RFC 3339. */
export function reportJson({ waits, ...report }: WhyReport): string {
  const times = waits && {
    ...(waits.since !== undefined && { since: time(waits.since) }),
    until: time(waits.until),
  };
  return JSON.stringify({ ...report, ...(times && { waits: times }) }, undefined, 2) + "\n";
}

/** A time (ms) as people and programs read it. */
export function time(ms: number): string {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? `${ms} ms` : date.toISOString().replace(/\.\d+Z$/, "Z");
}

/** A length of time (ms) from the present: `in 12 min`, `3 h ago`. */
export function span(ms: number): string {
  const minutes = Math.round(Math.abs(ms) / 60_000);
  const text = minutes < 120
    ? `${minutes} min`
    : minutes < 2_880
    ? `${Math.round(minutes / 60)} h`
    : `${Math.round(minutes / 1_440)} days`;
  return ms < 0 ? `${text} ago` : `in ${text}`;
}
