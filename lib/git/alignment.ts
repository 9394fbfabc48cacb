import { ZERO_OID } from "../nostr/mod.ts";
import type { Git } from "./git.ts";
import { type ObjectType, presentObjects } from "./objects.ts";
import { changeRefs, readRefs, type RefChange, type RepositoryRefs, writeHead } from "./refs.ts";

/** What a repository shall look like: the part of a state event that alignment needs. */
export interface AlignmentTarget {
  /** Object id by full name under `refs/heads/` or `refs/tags/`. */
  readonly refs: ReadonlyMap<string, string>;
  /** Names listed as symbolic: neither written nor deleted. */
  readonly symbolic: ReadonlySet<string>;
  /** Branch HEAD should point to, if the state names one. */
  readonly head: string | undefined;
}

/** What alignment did. */
export interface AlignmentResult {
  /** True when a ref or HEAD was written. */
  readonly changed: boolean;
  /** Refs (or `HEAD`) that are not as the target wants them: object missing, no commit, or refused by git. */
  readonly failed: readonly string[];
}

/**
 * Makes branches, tags and HEAD equal to `target` (git-http 2.12). The caller holds the repository's
 * lock and has made sure that the target is the governing state. Throws RepositoryError.
 */
export async function alignRepository(
  git: Git,
  path: string,
  target: AlignmentTarget,
): Promise<AlignmentResult> {
  const before = await readRefs(git, path);
  const wanted = changesTo(before, target);
  const types = await presentObjects(git, path, wanted.updates.map(({ newOid }) => newOid));
  const [possible, impossible] = partition(
    wanted.updates,
    (change) => canPoint(change.ref, types.get(change.newOid)),
  );
  // Deletions first: git cannot delete `a` and create `a/b` in one transaction.
  const notDeleted = await changeRefs(git, path, wanted.deletions);
  const notUpdated = await changeRefs(git, path, possible);
  const failed = [...impossible.map(({ ref }) => ref), ...notDeleted, ...notUpdated];
  const refused = new Set([...notDeleted, ...notUpdated]);
  const applied = [...wanted.deletions, ...possible].filter(({ ref }) => !refused.has(ref));
  const head = headFor(before, applied, target);
  const moved = head !== undefined && head !== before.head ? await writeHead(git, path, head) : undefined;
  if (moved === false) failed.push("HEAD");
  return { changed: applied.length > 0 || moved === true, failed };
}

function changesTo(before: RepositoryRefs, target: AlignmentTarget) {
  const deletions: RefChange[] = [];
  const updates: RefChange[] = [];
  for (const [ref, oldOid] of before.refs) {
    if (isGoverned(ref) && !target.refs.has(ref) && !target.symbolic.has(ref)) {
      deletions.push({ ref, oldOid, newOid: ZERO_OID });
    }
  }
  for (const [ref, newOid] of target.refs) {
    const oldOid = before.refs.get(ref) ?? ZERO_OID;
    if (isGoverned(ref) && oldOid !== newOid) updates.push({ ref, oldOid, newOid });
  }
  return { deletions, updates };
}

function isGoverned(ref: string): boolean {
  return ref.startsWith("refs/heads/") || ref.startsWith("refs/tags/");
}

function canPoint(ref: string, type: ObjectType | undefined): boolean {
  return type !== undefined && (type === "commit" || !ref.startsWith("refs/heads/"));
}

/** Where HEAD belongs after `applied`; undefined = leave it alone. */
function headFor(
  before: RepositoryRefs,
  applied: readonly RefChange[],
  target: AlignmentTarget,
): string | undefined {
  const branches = new Map([...before.refs].filter(([ref]) => ref.startsWith("refs/heads/")));
  for (const { ref, newOid } of applied) {
    if (newOid === ZERO_OID) branches.delete(ref);
    else if (ref.startsWith("refs/heads/")) branches.set(ref, newOid);
  }
  const { head } = target;
  if (head !== undefined && target.refs.has(head) && branches.get(head) === target.refs.get(head)) {
    return head;
  }
  if (branches.has(before.head) || branches.size === 0) return undefined;
  const listed = [...target.refs.keys()].filter((ref) => branches.has(ref));
  return ["refs/heads/main", "refs/heads/master", ...listed, ...branches.keys()].find((ref) =>
    branches.has(ref)
  );
}

function partition<T>(items: readonly T[], test: (item: T) => boolean): [T[], T[]] {
  return [items.filter(test), items.filter((item) => !test(item))];
}
