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

/** Compares what a state declares with the repository of `owner`. */
export async function stateData(data: DataBeside, owner: string, state: State): Promise<HeldData> {
  return await heldBy(data, { owner, identifier: state.identifier }, state.refs);
}

/** Which of the objects `wanted` (by ref) one repository lacks. */
export async function heldBy(
  { repositories }: DataBeside,
  repository: RepositoryRef,
  wanted: ReadonlyMap<string, string>,
): Promise<HeldData> {
  const name = nameOf(repository);
  const lack = (entries: Iterable<readonly [string, string]>): Missing[] =>
    Array.from(entries, ([ref, oid]) => ({ repository: name, ref, oid }));
  if (!await repositories.exists(repository)) {
    return {
      finding: { status: "no", topic: "git data", text: `${name} has no repository on disk` },
      missing: lack(wanted),
    };
  }
  const refs = await repositories.readRefs(repository).then((read) => read.refs, () => undefined);
  if (!refs) {
    const text = `${name} is damaged: git cannot list its refs`;
    return { finding: { status: "no", topic: "git data", text }, missing: [] };
  }
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
