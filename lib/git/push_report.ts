import { CONTRIBUTION_PREFIX } from "../policy/mod.ts";
import { encodePkt, flushPkt, joinBytes } from "./pkt_line.ts";
import type { RefCommand } from "./push_commands.ts";
import type { RepositoryRef } from "./repository_ref.ts";
import { BAND, bandLimit, encodeBand, wantsSideBand } from "./side_band.ts";

/** Prefix of every reason that is ours (git-http 2.9). */
export const REFUSAL_PREFIX = "authorisation failed: ";
/** Reason of a ref that is fine itself. */
const OTHER_REF_REFUSED = "refused because another ref in this push was refused";

/** How every reason of ours begins for pushes to this repository. */
export function refusalPrefix({ space }: RepositoryRef): string {
  return space === "prs" ? CONTRIBUTION_PREFIX : REFUSAL_PREFIX;
}
/** Longest reason in UTF-8 bytes; clients show it in one line. */
const MAX_REASON_BYTES = 250;

/** A refusal to be shown by a git client. */
export interface PushRefusal {
  readonly commands: readonly RefCommand[];
  readonly capabilities: ReadonlySet<string>;
  readonly text: string;
  readonly reasons: ReadonlyMap<string, string>;
  /** How reasons of ours begin: {@link refusalPrefix}; that of hosted repositories when not given. */
  readonly prefix?: string;
}

/** True when the client can show a reason per ref. */
export function wantsReport(capabilities: ReadonlySet<string>): boolean {
  return capabilities.has("report-status") || capabilities.has("report-status-v2");
}

/** `reason` as one line without control characters, cut to 250 bytes of UTF-8. */
export function reasonLine(reason: string): string {
  // deno-lint-ignore no-control-regex -- these are what a report line must not contain
  const line = reason.toWellFormed().replace(/[\x00-\x1f\x7f-\x9f\u2028\u2029]+/g, " ").trim();
  const encoder = new TextEncoder();
  if (encoder.encode(line).length <= MAX_REASON_BYTES) return line;
  let cut = "";
  let size = 0;
  for (const char of line) {
    size += encoder.encode(char).length;
    if (size > MAX_REASON_BYTES) break;
    cut += char;
  }
  return cut;
}

/** The body that refuses a whole push, in the form this client can show (git-http 2.9). */
export function refusalBody(refusal: PushRefusal): Uint8Array {
  const { capabilities, commands, reasons } = refusal;
  const text = reasonLine(refusal.text);
  const banded = wantsSideBand(capabilities);
  if (!wantsReport(capabilities) || commands.length === 0) {
    return banded
      ? joinBytes([band(BAND.error, `${text}\n`, capabilities), flushPkt()])
      : encodePkt(`ERR ${text}\n`);
  }
  const fallback = reasons.size > 0 ? (refusal.prefix ?? REFUSAL_PREFIX) + OTHER_REF_REFUSED : text;
  const report = reportLines(
    commands.map(({ ref }) => `ng ${ref} ${reasonLine(reasons.get(ref) ?? fallback)}\n`),
  );
  if (!banded) return report;
  return joinBytes([band(BAND.progress, `grasp: ${text}\n`, capabilities), wrapReport(report, capabilities)]);
}

/** The inner report: `unpack ok`, the given `ok`/`ng` lines, flush. */
export function reportLines(lines: readonly string[]): Uint8Array {
  return joinBytes([encodePkt("unpack ok\n"), ...lines.map((line) => encodePkt(line)), flushPkt()]);
}

/** A report as the client asked for it: inside band 1 with an outer flush, or plain. */
export function wrapReport(report: Uint8Array, capabilities: ReadonlySet<string>): Uint8Array {
  if (!wantsSideBand(capabilities)) return report;
  return joinBytes([encodeBand(BAND.data, report, bandLimit(capabilities)), flushPkt()]);
}

/** The body of a push in which every command already had its effect; empty when no report was asked for. */
export function successBody(commands: readonly RefCommand[], capabilities: ReadonlySet<string>): Uint8Array {
  const report = wantsReport(capabilities)
    ? reportLines(commands.map(({ ref }) => `ok ${ref}\n`))
    : new Uint8Array();
  return wrapReport(report, capabilities);
}

/**
 * Adds `ok` lines to a report git printed, before its flush. Anything that does not end like a
 * report is returned as it is.
 */
export function addToReport(report: Uint8Array, commands: readonly RefCommand[]): Uint8Array {
  const flush = flushPkt();
  const end = report.length - flush.length;
  if (commands.length === 0 || end < 0 || !flush.every((byte, index) => report[end + index] === byte)) {
    return report;
  }
  return joinBytes([report.subarray(0, end), ...commands.map(({ ref }) => encodePkt(`ok ${ref}\n`)), flush]);
}

function band(number: number, text: string, capabilities: ReadonlySet<string>): Uint8Array {
  return encodeBand(number, new TextEncoder().encode(text), bandLimit(capabilities));
}
