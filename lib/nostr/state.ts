import type { NostrEvent } from "./event.ts";
import { isOid, isValidRefName } from "./ref_name.ts";
import { firstTagValue } from "./tags.ts";
import { type Refusal, refuse } from "./refusal.ts";

/** Most refs one state may declare; a state beyond it is unsatisfiable. */
export const MAX_STATE_REFS = 10_000;

/** A repository state (NIP-34 kind 30618), reduced to what git has to look like. */
export interface State {
  readonly event: NostrEvent;
  readonly author: string;
  readonly identifier: string;
  /** Declared branches and tags with their object ids (40 lower-case hex). */
  readonly refs: ReadonlyMap<string, string>;
  /** Declared names with a symbolic value: need no object, are neither created nor deleted. */
  readonly symbolic: ReadonlySet<string>;
  /** Full name of the branch HEAD should point to, when the state lists that branch. */
  readonly head: string | undefined;
  /** Set when some value cannot be a ref of ours: the state may wait and expire, never reach git. */
  readonly unsatisfiable: string | undefined;
}

/** Reads a state, or says why it is refused. Malformed refs do not refuse, they make it unsatisfiable. */
export function parseState(event: NostrEvent): { ok: true; state: State } | Refusal {
  const dTag = event.tags.find((tag) => tag[0] === "d");
  if (!dTag) return refuse("invalid", "invalid", "Missing required 'd' tag (identifier)");
  const identifier = dTag[1];
  if (identifier === undefined) {
    return refuse("invalid", "invalid", "Repository state missing 'd' tag (identifier)");
  }
  const refs = new Map<string, string>();
  const symbolic = new Set<string>();
  let unsatisfiable: string | undefined;
  for (const [name, value] of event.tags) {
    if (name === undefined || value === undefined || !/^refs\/(heads|tags)\//.test(name)) continue;
    if (name.endsWith("^{}") || refs.has(name) || symbolic.has(name)) continue;
    if (value.startsWith("ref: ")) {
      symbolic.add(name);
      continue;
    }
    const oid = value.toLowerCase();
    if (!isValidRefName(name)) unsatisfiable ??= "a ref name git does not accept";
    else if (!isOid(oid)) unsatisfiable ??= "a value that is not an object id";
    else refs.set(name, oid);
  }
  if (refs.size + symbolic.size > MAX_STATE_REFS) unsatisfiable ??= `more than ${MAX_STATE_REFS} refs`;
  else if (hasDirectoryConflict(refs)) unsatisfiable ??= "a ref that is also a directory of another ref";
  return {
    ok: true,
    state: {
      event,
      author: event.pubkey,
      identifier,
      refs,
      symbolic,
      head: headOf(event, refs),
      unsatisfiable,
    },
  };
}

/** A state that can ever govern a repository: satisfiable and declaring at least one object. */
export function declaresObjects(state: State): boolean {
  return state.unsatisfiable === undefined && state.refs.size > 0;
}

function headOf(event: NostrEvent, refs: ReadonlyMap<string, string>): string | undefined {
  const branch = firstTagValue(event, "HEAD")?.replace(/^ref: /, "");
  return branch?.startsWith("refs/heads/") && refs.has(branch) ? branch : undefined;
}

/** Sorted with a slash behind each, a name is followed at once by what lies below it, if anything does. */
function hasDirectoryConflict(refs: ReadonlyMap<string, string>): boolean {
  const sorted = Array.from(refs.keys(), (name) => `${name}/`).sort();
  return sorted.some((name, index) => index > 0 && name.startsWith(sorted[index - 1]!));
}
