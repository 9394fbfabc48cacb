import { isOid, isValidRefName, ZERO_OID } from "../nostr/mod.ts";
import { wantAgain } from "./cruft.ts";
import type { Git } from "./git.ts";
import { listRefs } from "./ref_listing.ts";

/** Everything a repository points at. */
export interface RepositoryRefs {
  /** Object id by full ref name. */
  readonly refs: ReadonlyMap<string, string>;
  /** Full name of the branch HEAD points to; empty when HEAD is detached or unreadable. */
  readonly head: string;
}

/** One change of a ref, guarded by its old value. {@link ZERO_OID} = the ref does not exist. */
export interface RefChange {
  readonly ref: string;
  readonly oldOid: string;
  readonly newOid: string;
}

const TIMEOUT_MS = 60_000;
/** Times a batch is taken up again behind a ref that git refuses. */
const MAX_RESTARTS = 64;

/** Thrown when git cannot answer about a repository that should be there. */
export class RepositoryError extends Error {
  override readonly name = "RepositoryError";
}

/** All refs and HEAD: from their files, or by one child. Throws {@link RepositoryError}. */
export async function readRefs(git: Git, path: string): Promise<RepositoryRefs> {
  const head = await readHead(path);
  // With a broken HEAD git refuses the repository.
  const listed = head.startsWith("refs/") ? await listRefs(path) : undefined;
  return { refs: listed ?? await askForRefs(git, path), head };
}

/** True when the name of a ref matches, even if it is no UTF-8: the runtime lists no such files. Throws {@link RepositoryError}. */
export async function holds(git: Git, path: string, name: RegExp): Promise<boolean> {
  return [...(await askForRefs(git, path)).keys()].some((ref) => name.test(ref));
}

async function askForRefs(git: Git, path: string): Promise<ReadonlyMap<string, string>> {
  const result = await git.run(
    [`--git-dir=${path}`, "for-each-ref", "--format=%(objectname) %(refname)"],
    { timeoutMs: TIMEOUT_MS },
  );
  if (result.code !== 0) throw new RepositoryError("the refs of a repository could not be listed");
  const refs = new Map<string, string>();
  for (const line of new TextDecoder().decode(result.stdout).split("\n")) {
    const [oid, name] = [line.slice(0, 40), line.slice(41)];
    if (isOid(oid) && name !== "") refs.set(name, oid);
  }
  return refs;
}

async function readHead(path: string): Promise<string> {
  const text = await Deno.readTextFile(`${path}/HEAD`).catch(() => "");
  return /^ref:\s*(\S+)/.exec(text)?.[1] ?? "";
}

/** Points HEAD at a branch. False when git refused. */
export async function writeHead(git: Git, path: string, branch: string): Promise<boolean> {
  if (!branch.startsWith("refs/heads/") || !isValidRefName(branch)) return false;
  const result = await git.run([`--git-dir=${path}`, "symbolic-ref", "HEAD", branch], {
    timeoutMs: TIMEOUT_MS,
  });
  return result.code === 0;
}

/**
 * Applies all changes in one transaction; when git refuses it, each on its own, so that one bad ref
 * does not block the others. Returns the refs that could not be changed.
 */
export async function changeRefs(git: Git, path: string, changes: readonly RefChange[]): Promise<string[]> {
  const wellFormed = changes.filter(isSafe);
  const failed = changes.filter((change) => !isSafe(change)).map(({ ref }) => ref);
  if (wellFormed.length === 0) return failed;
  await wantAgain(git, path, wellFormed.flatMap(({ oldOid, newOid }) => [oldOid, newOid]));
  const all = await updateRef(git, path, wellFormed.map(instruction).join(""));
  if (all.code === 0) return failed;
  return [...failed, ...await changeOneByOne(git, path, wellFormed)];
}

function isSafe({ ref, oldOid, newOid }: RefChange): boolean {
  const known = (oid: string) => oid === ZERO_OID || isOid(oid);
  return ref.startsWith("refs/") && isValidRefName(ref) && known(oldOid) && known(newOid);
}

function instruction({ ref, oldOid, newOid }: RefChange): string {
  if (newOid === ZERO_OID) return `option no-deref\0delete ${ref}\0${oldOid}\0`;
  return `option no-deref\0update ${ref}\0${newOid}\0${oldOid}\0`;
}

/** One transaction per ref in one process; git leaves at the first refusal, so it is started again behind it. */
async function changeOneByOne(git: Git, path: string, changes: readonly RefChange[]): Promise<string[]> {
  const failed: string[] = [];
  let next = 0;
  for (let round = 0; next < changes.length && round < MAX_RESTARTS; round++) {
    const input = changes.slice(next).map((change) => `start\0${instruction(change)}commit\0`).join("");
    const result = await updateRef(git, path, input);
    next += new TextDecoder().decode(result.stdout).match(/^commit: ok$/gm)?.length ?? 0;
    if (result.code === 0) break;
    const refused = changes[next++];
    if (refused) failed.push(refused.ref);
  }
  return [...failed, ...changes.slice(next).map(({ ref }) => ref)];
}

async function updateRef(git: Git, path: string, input: string) {
  return await git.run([`--git-dir=${path}`, "update-ref", "--stdin", "-z"], {
    input,
    timeoutMs: TIMEOUT_MS,
  });
}
