import { KIND } from "../../nostr/mod.ts";
import {
  type EmptyEntry,
  type EmptyRemoval,
  type EmptyReport,
  type MaintenanceParts,
  relativePath,
} from "../../maintenance/mod.ts";

/** What there is to print: the scan, and with `executed` what was done about it. */
export interface CleanupResult {
  readonly report: EmptyReport;
  readonly parts: Pick<MaintenanceParts, "repositories">;
  readonly executed: EmptyRemoval | undefined;
  /** The scan is shown before something is done about it. */
  readonly willExecute: boolean;
}

/** For people: what would be done, or what was done. */
export function cleanupText({ report: { entries }, parts, executed, willExecute }: CleanupResult): string {
  if (executed) {
    const { repositoriesDeleted, orphansDeleted, announcementsRemoved, statesRemoved, failures } = executed;
    return [
      ...failures.map((text) => `failed: ${text}`),
      `${repositoriesDeleted} repositories deleted, ${orphansDeleted} orphans deleted, ${
        skipped(entries)
      } skipped, ${failures.length + failed(entries)} failures, ` +
      `${announcementsRemoved} announcements (30617) and ${statesRemoved} states (30618) removed`,
      ...(repositoriesDeleted + orphansDeleted > 0
        ? ["Deleted directories stay below .trash for 7 days, with a manifest."]
        : []),
    ].join("\n");
  }
  if (entries.length === 0) return "Nothing to do.";
  const remove = entries.filter(({ decision }) => decision === "remove");
  return [
    ...entries.map((entry) => lineOf(entry, parts)),
    "",
    `${remove.length} to remove, ${skipped(entries)} to keep, ${failed(entries)} could not be looked at.`,
    ...(remove.length > 0 && !willExecute
      ? ["Nothing has been changed; --execute removes what is listed as `remove`."]
      : []),
  ].join("\n");
}

/** The same for programs: every decision. */
export function cleanupJson({ report, parts, executed }: CleanupResult): string {
  return JSON.stringify({
    executed: executed !== undefined,
    decisions: report.entries.map((entry) => {
      const { scan, content, decision, reason, events, repository } = entry;
      return {
        scan,
        path: relativePath(parts, entry),
        owner: repository.owner,
        identifier: repository.identifier,
        content,
        decision,
        reason,
        announcements: idsOf(events, KIND.announcement),
        states: idsOf(events, KIND.state),
      };
    }),
    ...(executed && { result: executed }),
  });
}

function lineOf(entry: EmptyEntry, parts: CleanupResult["parts"]): string {
  const events = entry.decision === "remove" ? entry.events.map(({ kind, id }) => `${kind}:${id}`) : [];
  const word = entry.decision.padEnd(6);
  return [
    `${word}  ${relativePath(parts, entry)}: ${entry.reason}`,
    ...events.map((text) => `          ${text}`),
  ]
    .join("\n");
}

function idsOf(events: EmptyEntry["events"], kind: number): string[] {
  return events.filter((event) => event.kind === kind).map(({ id }) => id);
}

function skipped(entries: readonly EmptyEntry[]): number {
  return entries.filter(({ decision }) => decision === "keep").length;
}

function failed(entries: readonly EmptyEntry[]): number {
  return entries.filter(({ decision }) => decision === "failed").length;
}
