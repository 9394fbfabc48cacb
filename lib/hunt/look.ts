import {
  type GitData,
  KEEP_REFS,
  parseContributionPath,
  parseGitPath,
  type RepositoryRef,
} from "../git/mod.ts";
import { ZERO_OID } from "../nostr/mod.ts";
import { type IdentifierView, viewOf } from "../policy/mod.ts";
import { type UnitUrls, urlsOf } from "./candidates.ts";
import type { HuntParts } from "./ports.ts";
import { type HuntUnit, huntUnits, wantedBy } from "./unit.ts";

/** What a unit lacks at this moment. */
export interface Look {
  readonly unit: HuntUnit;
  readonly urls: UnitUrls;
  /** Objects to find: declared, and not complete in the unit's repository. */
  readonly missing: ReadonlySet<string>;
}

type LookParts = Pick<HuntParts, "store" | "repositories" | "settings" | "clock">;

/**
 * Reads what waits in a unit and which of its objects are missing in its repository; undefined when
 * nothing waits or there is no repository to fetch into.
 */
export async function look(parts: LookParts, target: RepositoryRef): Promise<Look | undefined> {
  const view = await readView(parts, target.identifier);
  const unit = huntUnits(view).find(({ owner }) => owner === target.owner);
  if (!unit || !await parts.repositories.exists(target)) return undefined;
  const wanted = wantedBy(unit);
  const complete = await parts.repositories.complete(target, wanted);
  return {
    unit,
    urls: urlsOf(view, unit, parts.settings),
    missing: new Set([...wanted].filter((oid) => !complete.has(oid))),
  };
}

/** Everything known about one identifier. */
export async function readView(
  { store }: Pick<HuntParts, "store">,
  identifier: string,
): Promise<IdentifierView> {
  return viewOf(identifier, await store.readIdentifier(identifier));
}

/**
 * Copies missing objects from repositories on this server: of owners the unit's events belong to, and
 * those its clone URLs name. Returns how many were obtained.
 */
export async function copyFromHere(
  parts: LookParts,
  { unit, urls, missing }: Look,
  signal: AbortSignal,
): Promise<number> {
  const { repositories, store, clock } = parts;
  const target = { owner: unit.owner, identifier: unit.identifier };
  const open = new Set(missing);
  for (const source of sourcesHere(unit, urls.own, parts.settings.contributions ?? false)) {
    if (open.size === 0 || signal.aborted) break;
    if (!await repositories.exists(source)) continue;
    const done = repositories.use(source);
    try {
      const found = await repositories.complete(source, open);
      if (found.size === 0) continue;
      await store.commit({ putDirty: [{ ...target, since: clock.now() }] });
      if (!await repositories.copyObjects(source, target, found, signal)) continue;
      await keep(repositories, target, found);
      for (const oid of found) open.delete(oid);
    } finally {
      done();
    }
  }
  return missing.size - open.size;
}

function sourcesHere(
  unit: HuntUnit,
  own: readonly string[],
  contributions: boolean,
): RepositoryRef[] {
  const { owner, identifier, owners } = unit;
  const sources = new Map<string, RepositoryRef>();
  const add = (source: RepositoryRef) => {
    if (source.owner !== owner || source.identifier !== identifier) {
      sources.set(`${source.owner}:${source.identifier}`, source);
    }
  };
  for (const other of owners) add({ owner: other, identifier });
  for (const url of own) {
    const path = new URL(url).pathname;
    const parsed = parseContributionPath(path) ?? parseGitPath(path);
    if (!parsed.ok || parsed.subpath !== "") continue;
    // Below /prs/ only what the signer of a pull request offers there.
    const { ref } = parsed;
    const signs = unit.pullRequests.some(({ row }) => row.event.pubkey === ref.owner);
    if (ref.space !== "prs") add(ref);
    else if (contributions && signs) sources.set(`prs:${ref.owner}:${ref.identifier}`, ref);
  }
  return [...sources.values()];
}

/** Protects objects of `target` until nothing waits for them. */
export async function keep(
  repositories: Pick<GitData, "readRefs" | "changeRefs">,
  target: RepositoryRef,
  oids: Iterable<string>,
): Promise<void> {
  const { refs } = await repositories.readRefs(target);
  await repositories.changeRefs(
    target,
    [...oids].map((oid) => ({ ref: KEEP_REFS + oid, oldOid: ZERO_OID, newOid: oid }))
      .filter(({ ref }) => !refs.has(ref)),
  );
}
