import type { GitData, RepositoryRefs } from "../git/mod.ts";
import { compareNewestFirst, declaresObjects, type State } from "../nostr/mod.ts";
import { Authority, type IdentifierView, isReplaced } from "../policy/mod.ts";

/** Where the objects of a state can be copied from: an owner whose repository holds all of them. */
export type Donors = ReadonlyMap<string, string>;

/** What the disk says about one identifier, read once per unit of work. */
export interface DiskFacts {
  /** Owners whose repository exists, the one with the newest data first. */
  readonly owners: readonly string[];
  /** Donor by state id: of the states that may govern, exactly those whose data is complete here have one. */
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
  repositories: GitData,
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
  const known = [...view.waitingStates.map(({ state }) => state), ...view.storedStates];
  const states = (incoming ? [incoming, ...known] : known)
    .filter((state) => declaresObjects(state) && !isReplaced(state, view.storedStates));
  const isTrusted = ({ author }: State, owner: string) => authority.of(owner)?.has(author) === true;
  // A served state older than complete ones of all who rely on it governs nothing: nobody asks what is left of it.
  const isOutdone = (state: State) =>
    view.storedStates.includes(state) &&
    owners.filter((owner) => isTrusted(state, owner)).every((owner) =>
      states.some((other) =>
        donors.has(other.event.id) && isTrusted(other, owner) &&
        compareNewestFirst(other.event, state.event) < 0
      )
    );
  for (const owner of owners) {
    const isOpen = (state: State) =>
      !donors.has(state.event.id) && isTrusted(state, owner) && !isOutdone(state);
    if (!states.some(isOpen)) continue;
    const snapshot = await snapshotOf(owner);
    const tips = new Set(snapshot.refs.values());
    for (const state of states.filter(isOpen)) {
      // Refs are complete by construction, so a state equal to them needs no walk.
      if (untold(state, tips).length === 0) donors.set(state.event.id, owner);
    }
    const open = states.filter(isOpen);
    const held = open.length > 0 ? await heldBy(repositories, { owner, identifier }, open, tips) : [];
    for (const { event } of held) donors.set(event.id, owner);
  }
  return { owners, donors, differs: async (owner, state) => isDifferent(await snapshotOf(owner), state) };
}

/** Compares branches, tags and HEAD; symbolic names of the state are left out. */
function isDifferent({ refs, head }: RepositoryRefs, state: State): boolean {
  const own = [...refs].filter(([name]) => /^refs\/(heads|tags)\//.test(name) && !state.symbolic.has(name));
  return own.length !== state.refs.size || own.some(([name, oid]) => state.refs.get(name) !== oid) ||
    (state.head !== undefined && state.head !== head);
}

/** The objects of a state that are no `tips`. */
function untold({ refs }: State, tips: ReadonlySet<string>): string[] {
  return [...refs.values()].filter((oid) => !tips.has(oid));
}

/**
 * Those of `states`, each with other objects than `tips`, whose objects are all complete in a repository.
 * One look sorts out states whose objects are not there, however many wait.
 */
async function heldBy(
  repositories: GitData,
  repository: { owner: string; identifier: string },
  states: readonly State[],
  tips: ReadonlySet<string>,
): Promise<readonly State[]> {
  const asked = new Set(states.flatMap((state) => untold(state, tips)));
  const present = await repositories.present(repository, asked);
  const held: State[] = [];
  for (const state of states) {
    const unproven = new Set(untold(state, tips));
    if ([...unproven].some((oid) => !present.has(oid))) continue;
    if ((await repositories.complete(repository, unproven)).size === unproven.size) held.push(state);
  }
  return held;
}

function inOrder(view: IdentifierView, first: string | undefined): readonly string[] {
  const owners = [...new Set(view.announcements.map(({ announcement }) => announcement.owner))];
  return first !== undefined && owners.includes(first)
    ? [first, ...owners.filter((owner) => owner !== first)]
    : owners;
}
