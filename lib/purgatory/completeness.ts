import type { Repositories, RepositoryRefs } from "../git/mod.ts";
import { declaresObjects, type State } from "../nostr/mod.ts";
import { Authority, type IdentifierView } from "../policy/mod.ts";

/** Where the objects of a state can be copied from: an owner whose repository holds all of them. */
export type Donors = ReadonlyMap<string, string>;

/** What the disk says about one identifier, read once per unit of work. */
export interface DiskFacts {
  /** Owners whose repository exists, the one with the newest data first. */
  readonly owners: readonly string[];
  /** Donor by state id: present exactly for the states whose data is complete here. */
  readonly donors: Donors;
  /** True when refs or HEAD of the owner's repository are not those of the state. */
  differs(owner: string, state: State): Promise<boolean>;
}

/**
 * Reads which repositories exist and which of the view's states (and `incoming`) are complete.
 * Only repositories of owners who trust a state's author may complete it, so that equal identifiers
 * of strangers never share data.
 *
 * @param first owner whose repository just received data; it is asked first
 */
export async function readDisk(
  repositories: Repositories,
  view: IdentifierView,
  incoming: State | undefined,
  first: string | undefined,
): Promise<DiskFacts> {
  const { identifier } = view;
  const authority = new Authority(view);
  const owners: string[] = [];
  for (const owner of inOrder(view, first)) {
    if (await repositories.exists({ owner, identifier })) owners.push(owner);
  }
  const snapshots = new Map<string, RepositoryRefs>();
  const snapshotOf = async (owner: string) => {
    const known = snapshots.get(owner) ?? await repositories.readRefs({ owner, identifier });
    snapshots.set(owner, known);
    return known;
  };
  const donors = new Map<string, string>();
  const states = [...view.waitingStates.map(({ state }) => state), ...view.storedStates];
  for (const state of incoming ? [incoming, ...states] : states) {
    if (!declaresObjects(state)) continue;
    const trusting = new Set(authority.ownersTrusting(state.author));
    for (const owner of owners.filter((candidate) => trusting.has(candidate))) {
      if (!await holdsAll(repositories, { owner, identifier }, state, await snapshotOf(owner))) continue;
      donors.set(state.event.id, owner);
      break;
    }
  }
  return { owners, donors, differs: async (owner, state) => isDifferent(await snapshotOf(owner), state) };
}

/** Compares branches, tags and HEAD; symbolic names of the state are left out. */
function isDifferent({ refs, head }: RepositoryRefs, state: State): boolean {
  const own = [...refs].filter(([name]) => /^refs\/(heads|tags)\//.test(name) && !state.symbolic.has(name));
  return own.length !== state.refs.size || own.some(([name, oid]) => state.refs.get(name) !== oid) ||
    (state.head !== undefined && state.head !== head);
}

/** Refs of a repository are complete by construction, so a state equal to them needs no walk. */
async function holdsAll(
  repositories: Repositories,
  repository: { owner: string; identifier: string },
  state: State,
  snapshot: RepositoryRefs,
): Promise<boolean> {
  const tips = new Set(snapshot.refs.values());
  const unproven = [...new Set(state.refs.values())].filter((oid) => !tips.has(oid));
  if (unproven.length === 0) return true;
  return (await repositories.complete(repository, unproven)).size === unproven.length;
}

function inOrder(view: IdentifierView, first: string | undefined): readonly string[] {
  const owners = [...new Set(view.announcements.map(({ announcement }) => announcement.owner))];
  return first !== undefined && owners.includes(first)
    ? [first, ...owners.filter((owner) => owner !== first)]
    : owners;
}
