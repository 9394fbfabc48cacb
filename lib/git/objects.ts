import { isOid } from "../nostr/mod.ts";
import type { Git, GitResult } from "./git.ts";

/** Kinds of git objects. */
export type ObjectType = "commit" | "tree" | "blob" | "tag";

const LIST_TIMEOUT_MS = 60_000;
/** Walking the history of a large repository, or copying it. */
const WALK_TIMEOUT_MS = 600_000;
/** Connectivity walks spent on finding the incomplete ones of a set. */
const MAX_WALKS = 512;
/** Runs in a shell as it is; git appends the quoted path. The other end must not refuse a foreign owner either. */
const LOCAL_UPLOAD_PACK =
  "git -c safe.directory=* -c uploadpack.allowAnySHA1InWant=true -c core.hooksPath=/dev/null upload-pack";

/** Types of those `oids` that exist in the repository (existence only: see {@link completeObjects}). */
export async function presentObjects(
  git: Git,
  path: string,
  oids: Iterable<string>,
): Promise<Map<string, ObjectType>> {
  const asked = [...new Set(oids)].filter(isOid);
  const present = new Map<string, ObjectType>();
  if (asked.length === 0) return present;
  const result = await git.run([
    `--git-dir=${path}`,
    "cat-file",
    "--batch-check=%(objectname) %(objecttype)",
    "--buffer",
  ], { input: asked.join("\n") + "\n", timeoutMs: LIST_TIMEOUT_MS });
  for (const line of new TextDecoder().decode(result.stdout).split("\n")) {
    const [oid, type] = line.split(" ");
    if (oid !== undefined && isObjectType(type)) present.set(oid, type);
  }
  return present;
}

function isObjectType(value: string | undefined): value is ObjectType {
  return value === "commit" || value === "tree" || value === "blob" || value === "tag";
}

/**
 * Those `oids` that exist together with everything they reach (purgatory 4.4). What existing refs
 * reach counts as complete. When more than a few hundred walks would be needed to tell the good from
 * the bad, the rest counts as incomplete.
 */
export async function completeObjects(
  git: Git,
  path: string,
  oids: Iterable<string>,
): Promise<ReadonlySet<string>> {
  const present = [...(await presentObjects(git, path, oids)).keys()];
  const complete = new Set<string>();
  const open = present.length > 0 ? [present] : [];
  for (let walks = 0; open.length > 0 && walks < MAX_WALKS; walks++) {
    const group = open.shift()!;
    if (await isConnected(git, path, group)) group.forEach((oid) => complete.add(oid));
    else if (group.length > 1) {
      const middle = group.length >> 1;
      open.push(group.slice(0, middle), group.slice(middle));
    }
  }
  return complete;
}

async function isConnected(git: Git, path: string, oids: readonly string[]): Promise<boolean> {
  const result = await git.run(
    [
      `--git-dir=${path}`,
      "-c",
      "core.commitGraph=false", // the graph may know commits whose objects are gone
      "rev-list",
      "--objects",
      "--quiet",
      "--stdin",
      "--not",
      "--all",
    ],
    { input: oids.join("\n") + "\n", timeoutMs: WALK_TIMEOUT_MS },
  );
  return result.code === 0;
}

/**
 * Copies objects with their history from one repository to another in one local fetch; `oids` must
 * be present in the source, or git gives up as a whole. No ref, tag or FETCH_HEAD is written: the
 * copied objects are unreachable until the target is aligned. That is safe because no git child runs
 * garbage collection by itself and maintenance keeps unreachable objects for 14 days.
 */
export async function copyObjects(
  git: Git,
  from: string,
  to: string,
  oids: Iterable<string>,
  signal?: AbortSignal,
): Promise<GitResult> {
  return await git.run(
    [
      `--git-dir=${to}`,
      "-c",
      "protocol.version=2",
      "fetch",
      "--quiet",
      "--no-write-fetch-head",
      "--no-tags",
      "--no-auto-maintenance",
      "--no-recurse-submodules",
      `--upload-pack=${LOCAL_UPLOAD_PACK}`,
      "--stdin",
      "--end-of-options",
      from,
    ],
    {
      input: [...new Set(oids)].filter(isOid).join("\n") + "\n",
      timeoutMs: WALK_TIMEOUT_MS,
      allowProtocol: "file",
      ...(signal && { signal }),
    },
  );
}
