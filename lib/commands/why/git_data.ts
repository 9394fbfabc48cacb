import type { RepositoryRef } from "../../git/mod.ts";
import { encodeNpub, isOid, quoted, type State } from "../../nostr/mod.ts";
import type { DataBeside } from "../beside.ts";
import type { Finding, Missing } from "./report.ts";

/** What a repository holds of the objects somebody declared. */
export interface HeldData {
  readonly finding: Finding;
  readonly missing: readonly Missing[];
}

/** `<npub>/<identifier>`, below `prs/` for a contributor's, fit for a terminal. */
export function nameOf({ space, owner, identifier }: RepositoryRef): string {
  return `${space === "prs" ? "prs/" : ""}${encodeNpub(owner)}/${quoted(identifier)}`;
}

/** The refs of a repository that exists, or the finding that git cannot list them. */
export async function refsOf(
  { repositories }: DataBeside,
  repository: RepositoryRef,
): Promise<
  { readonly ok: true; readonly refs: ReadonlyMap<string, string> } | {
    readonly ok: false;
    readonly finding: Finding;
  }
> {
  try {
    return { ok: true, refs: (await repositories.readRefs(repository)).refs };
  } catch {
    const text = `${nameOf(repository)} is damaged: git cannot list its refs`;
    return { ok: false, finding: { status: "no", topic: "git data", text } };
  }
}

/** Compares what a state declares with the repository of `owner`. */
export async function stateData(data: DataBeside, owner: string, state: State): Promise<HeldData> {
  return await heldBy(data, { owner, identifier: state.identifier }, state.refs);
}

/** Which of the objects `wanted` (by ref) one repository lacks. */
export async function heldBy(
  data: DataBeside,
  repository: RepositoryRef,
  wanted: ReadonlyMap<string, string>,
): Promise<HeldData> {
  const { repositories } = data;
  const name = nameOf(repository);
  const lack = (entries: Iterable<readonly [string, string]>): Missing[] =>
    Array.from(entries, ([ref, oid]) => ({ repository: name, ref, oid }));
  if (!await repositories.exists(repository)) {
    return {
      finding: { status: "no", topic: "git data", text: `${name} has no repository on disk` },
      missing: lack(wanted),
    };
  }
  const read = await refsOf(data, repository);
  if (!read.ok) return { finding: read.finding, missing: [] };
  const { refs } = read;
  const tips = new Set(refs.values());
  const unproven = [...new Set(wanted.values())].filter((oid) => !tips.has(oid) && isOid(oid));
  const complete = unproven.length === 0
    ? new Set<string>()
    : await repositories.complete(repository, unproven);
  const missing = lack([...wanted].filter(([, oid]) => !tips.has(oid) && !complete.has(oid)));
  const equal = [...wanted].filter(([ref, oid]) => refs.get(ref) === oid).length;
  const text = missing.length === 0
    ? `${name} holds everything that is declared (${equal} of ${wanted.size} refs stand there already)`
    : `${name} lacks the objects of ${missing.length} of ${wanted.size} refs`;
  return { finding: { status: missing.length === 0 ? "ok" : "no", topic: "git data", text }, missing };
}
