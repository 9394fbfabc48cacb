import { bytesByOwner, type RepositoryRef } from "../git/mod.ts";
import {
  type Announcement,
  encodeNpub,
  KIND,
  namesInClone,
  type NostrEvent,
  parseAnnouncement,
} from "../nostr/mod.ts";
import type { CurationRules } from "../policy/mod.ts";
import type { JobRun, RepositoryNote, WaitingAnnouncement } from "../store/mod.ts";
import { isHeldHere } from "./empty_scan.ts";
import { GIT_FSCK } from "./git_fsck.ts";
import { GIT_MAINTENANCE } from "./git_maintenance.ts";
import type { MaintenanceParts } from "./ports.ts";
import { contentOf, type RepositoryContent } from "./repository_content.ts";
import { keyOf } from "./walk.ts";

/** Where a report reads; the store of a server, or its database beside it. */
export interface ReportSource {
  eventsOfKinds(kinds: readonly number[]): AsyncIterable<NostrEvent>;
  waitingAnnouncements(): Promise<readonly WaitingAnnouncement[]>;
  repositoryNotes(job: string): Promise<readonly RepositoryNote[]>;
  jobRuns(): Promise<readonly JobRun[]>;
}

/** What is known of one repository. Times in milliseconds since the epoch. */
export interface ReportedRepository {
  readonly npub: string;
  readonly identifier: string;
  readonly bytes: number;
  /** `orphan`: nobody announced it; `contribution`: of a contributor, below `prs`. */
  readonly standing: "announced" | "waiting" | "orphan" | "contribution";
  readonly content: RepositoryContent;
  readonly maintainedAt?: number;
  readonly checkedAt?: number;
  /** What the last integrity check found; undefined when it found nothing. */
  readonly damage?: string;
  /** Other servers a damaged repository may be fetched from again. */
  readonly copies?: readonly string[];
}

/** The state of the disk. */
export interface DiskReport {
  readonly at: number;
  readonly bytes: number;
  readonly owners: readonly {
    readonly npub: string;
    readonly repositories: number;
    readonly bytes: number;
  }[];
  /** Largest first. */
  readonly repositories: readonly ReportedRepository[];
  /** Announced repositories that are not on the disk. */
  readonly missing: readonly { readonly npub: string; readonly identifier: string }[];
  readonly jobs: readonly JobRun[];
}

/**
 * Adds up what the repositories take and says how they are. Changes nothing. Rejects when `signal` aborts.
 */
export async function diskReport(
  parts: Pick<MaintenanceParts, "git" | "repositories" | "clock" | "signal">,
  source: ReportSource,
  rules: CurationRules,
): Promise<DiskReport> {
  const { repositories, clock, signal } = parts;
  const announced = await announcements(source);
  const waiting = new Set((await source.waitingAnnouncements()).map(keyOf));
  const maintained = await notesOf(source, GIT_MAINTENANCE);
  const checked = await notesOf(source, GIT_FSCK);
  const found: ReportedRepository[] = [];
  for (const repository of [...await repositories.list(), ...await repositories.contributions()]) {
    if (signal.aborted) throw new Error("stopped before the end");
    const key = keyOf(repository);
    const check = checked.get(key);
    const damage = check && !check.ok ? check.detail : undefined;
    found.push({
      npub: encodeNpub(repository.owner),
      identifier: repository.identifier,
      bytes: await repositories.bytes(repository),
      standing: standingOf(repository, announced.has(key), waiting.has(key)),
      content: (await contentOf(parts, repository)).content,
      ...(maintained.has(key) && { maintainedAt: maintained.get(key)!.at }),
      ...(check && { checkedAt: check.at }),
      ...(damage !== undefined && { damage, copies: copiesOf(announced.get(key), rules) }),
    });
    announced.delete(key);
  }
  found.sort((a, b) => b.bytes - a.bytes);
  return {
    at: clock.now(),
    bytes: found.reduce((sum, { bytes }) => sum + bytes, 0),
    owners: bytesByOwner(found.map(({ npub, bytes }) => ({ owner: npub, bytes })))
      .map(({ owner: npub, ...sums }) => ({ npub, ...sums })),
    repositories: found,
    missing: [...announced.values()].filter((announcement) => isHeldHere(announcement, rules))
      .map(({ owner, identifier }) => ({ npub: encodeNpub(owner), identifier })),
    jobs: await source.jobRuns(),
  };
}

/** Every served announcement, by repository. */
async function announcements(source: ReportSource): Promise<Map<string, Announcement>> {
  const found = new Map<string, Announcement>();
  for await (const event of source.eventsOfKinds([KIND.announcement])) {
    const parsed = parseAnnouncement(event);
    if (parsed.ok) found.set(keyOf(parsed.announcement), parsed.announcement);
  }
  return found;
}

/** Clone URLs on other servers. */
function copiesOf(announcement: Announcement | undefined, { domain }: CurationRules): readonly string[] {
  return (announcement?.cloneUrls ?? []).filter((url) => !namesInClone([url], domain));
}

async function notesOf(source: ReportSource, job: string): Promise<ReadonlyMap<string, RepositoryNote>> {
  return new Map((await source.repositoryNotes(job)).map((note) => [keyOf(note.repository), note]));
}

function standingOf(
  { space }: RepositoryRef,
  isAnnounced: boolean,
  waits: boolean,
): ReportedRepository["standing"] {
  if (space === "prs") return "contribution";
  return isAnnounced ? "announced" : waits ? "waiting" : "orphan";
}
