import { encodeNpub, type NostrEvent } from "../../nostr/mod.ts";
import type { SourceTally } from "./file_source.ts";
import type { ImportEngine } from "./ports.ts";
import type { Tally } from "./run.ts";

/** Names shown of one sort. */
const SHOWN = 20;

/** What an import led to. */
export interface ImportReport {
  readonly dryRun: boolean;
  readonly source: SourceTally;
  /** Events that an interrupted run had imported before. */
  readonly resumedAfter: number;
  readonly stored: number;
  readonly skipped: number;
  readonly refused: Readonly<Record<string, number>>;
  readonly failed: number;
  /** In purgatory at the end. */
  readonly purgatory: {
    readonly announcements: number;
    readonly states: number;
    readonly pullRequests: number;
  };
  /** `<npub>/<identifier>`. */
  readonly repositoriesWithoutAnnouncement: readonly string[];
  readonly announcementsWithoutRepository: readonly string[];
}

/** Puts the numbers together and compares announcements with what is on disk. */
export async function reportOf(
  engine: ImportEngine,
  facts: { readonly dryRun: boolean; readonly source: SourceTally; readonly resumedAfter: number },
  { stored, skipped, refused, failed }: Tally,
): Promise<ImportReport> {
  const { active, states, pullRequests } = await engine.store.waitingCounts();
  const announced = await announcements(engine);
  const onDisk = (await engine.repositories.list()).map(nameOf);
  return {
    ...facts,
    stored,
    skipped,
    refused: Object.fromEntries([...refused].sort()),
    failed,
    purgatory: { announcements: active, states, pullRequests },
    repositoriesWithoutAnnouncement: onDisk.filter((name) => !announced.has(name)).sort(),
    announcementsWithoutRepository: [...announced].filter(([, hasData]) => !hasData).map(([name]) => name)
      .sort(),
  };
}

/** Hosted announcements, waiting ones included, and whether their repository has any ref. */
async function announcements({ store, repositories }: ImportEngine): Promise<ReadonlyMap<string, boolean>> {
  const identifiers = new Set<string>();
  for await (const event of store.eventsOfKinds([30617])) identifiers.add(identifierOf(event));
  for (const { identifier } of await store.waitingAnnouncements()) identifiers.add(identifier);
  const found = new Map<string, boolean>();
  for (const identifier of identifiers) {
    const rows = await store.readIdentifier(identifier);
    const owners = [
      ...rows.announcements.filter(({ hosted }) => hosted).map(({ event }) => event.pubkey),
      ...rows.waitingAnnouncements.map(({ owner }) => owner),
    ];
    for (const owner of owners) {
      const repository = { owner, identifier };
      const hasRefs = await repositories.exists(repository) &&
        (await repositories.readRefs(repository).catch(() => undefined))?.refs.size !== 0;
      found.set(nameOf(repository), hasRefs);
    }
  }
  return found;
}

/** The report for people. */
export function textOf(report: ImportReport): string {
  const { source, purgatory, resumedAfter } = report;
  const refused = Object.entries(report.refused);
  return [
    ...report.dryRun ? ["dry run: nothing was changed"] : [],
    `read       ${source.read} events, ${source.repeated} repeated, ${source.bad} bad`,
    ...source.shown.map(({ line, problem }) => `  line ${line}: ${problem}`),
    ...resumedAfter > 0 ? [`resumed    after ${resumedAfter} events of an interrupted import`] : [],
    `stored     ${report.stored}`,
    `skipped    ${report.skipped} (stored already, or older than what is stored)`,
    `purgatory  ${purgatory.announcements} announcements, ${purgatory.states} states, ` +
    `${purgatory.pullRequests} pull requests wait for git data`,
    `refused    ${refused.reduce((sum, [, count]) => sum + count, 0)}`,
    ...refused.map(([reason, count]) => `  ${reason}: ${count}`),
    ...report.failed > 0 ? [`failed     ${report.failed} could not be stored; run the import again`] : [],
    ...list("repositories without announcement", report.repositoriesWithoutAnnouncement),
    ...list("announcements without git data", report.announcementsWithoutRepository),
    ...source.incomplete === undefined ? [] : [`INCOMPLETE ${source.incomplete}; run the import again`],
  ].join("\n");
}

function list(title: string, names: readonly string[]): string[] {
  if (names.length === 0) return [];
  const more = names.length - SHOWN;
  return [
    `${title}: ${names.length}`,
    ...names.slice(0, SHOWN).map((name) => `  ${name}`),
    ...more > 0 ? [`  and ${more} more (--format json lists all)`] : [],
  ];
}

function identifierOf({ tags }: NostrEvent): string {
  return tags.find(([name]) => name === "d")?.[1] ?? "";
}

function nameOf({ owner, identifier }: { readonly owner: string; readonly identifier: string }): string {
  return `${encodeNpub(owner)}/${identifier}`;
}
