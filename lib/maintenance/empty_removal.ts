import { KIND } from "../nostr/mod.ts";
import type { EmptyEntry } from "./empty_plan.ts";
import { noteInManifest, throwAway } from "./dated_trash.ts";
import { examine } from "./empty_scan.ts";
import type { MaintenanceParts } from "./ports.ts";

/** What a clean-up did. */
export interface EmptyRemoval {
  readonly repositoriesDeleted: number;
  readonly orphansDeleted: number;
  readonly announcementsRemoved: number;
  readonly statesRemoved: number;
  /** One sentence per failure. */
  readonly failures: readonly string[];
}

/**
 * Removes what a scan decided to remove, each looked at once more: the directory goes to the dated trash
 * with a manifest, then the events, whose ids are kept from coming back by sync for `rememberMs`.
 */
export async function removeEmpty(
  parts: MaintenanceParts,
  entries: readonly EmptyEntry[],
  options: { readonly purgeOrphans: boolean; readonly rememberMs: number },
): Promise<EmptyRemoval> {
  const done = { repositoriesDeleted: 0, orphansDeleted: 0, announcementsRemoved: 0, statesRemoved: 0 };
  const failures: string[] = [];
  for (const { scan, repository, decision } of entries) {
    if (decision !== "remove" || parts.signal.aborted) continue;
    const entry = await examine(parts, scan, repository, options.purgeOrphans);
    if (entry?.decision !== "remove") continue;
    try {
      const wasThere = await removeOne(parts, entry, options.rememberMs);
      if (wasThere) done[scan === "directory" ? "orphansDeleted" : "repositoriesDeleted"]++;
      for (const { kind } of entry.events) {
        done[kind === KIND.announcement ? "announcementsRemoved" : "statesRemoved"]++;
      }
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      failures.push(`${relativePath(parts, entry)} could not be removed: ${text}`);
    }
  }
  return { ...done, failures };
}

async function removeOne(
  { store, repositories, clock }: MaintenanceParts,
  entry: EmptyEntry,
  rememberMs: number,
): Promise<boolean> {
  const { events, reason, content } = entry;
  const from = relativePath({ repositories }, entry);
  const at = clock.now();
  const to = content === "missing" ? undefined : await throwAway(repositories.root, from, at);
  await noteInManifest(repositories.root, { from, to, at, reason, events });
  const ids = events.map(({ id }) => id);
  if (ids.length > 0) {
    await store.commit({
      removeEvents: ids,
      putGone: ids.map((id) => ({ id, until: at + rememberMs })),
    });
  }
  return to !== undefined;
}

/** The repository's directory below the git data path. */
export function relativePath(
  { repositories }: Pick<MaintenanceParts, "repositories">,
  { repository }: Pick<EmptyEntry, "repository">,
): string {
  return repositories.path(repository).slice(repositories.root.length + 1);
}
