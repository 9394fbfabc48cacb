import { compareNewestFirst, declaresObjects, type NostrEvent, type State } from "../nostr/mod.ts";
import { Authority } from "./maintainers.ts";
import { isReplaced, untracksRefs } from "./state.ts";
import { type IdentifierView, servedAnnouncement } from "./view.ts";

/** One repository and the state its refs and HEAD have to equal. */
export interface Alignment {
  readonly owner: string;
  readonly state: State;
}

/** What a look at all waiting events of one identifier found, before git work is done. */
export interface ReleasePlan {
  /** The governing state of each owner that has a repository. */
  readonly alignments: readonly Alignment[];
  /** Waiting states whose data is complete and that no newer version of their author replaces. */
  readonly releasable: readonly State[];
  /** Waiting states that a newer complete or served state of the same author replaces (ids). */
  readonly superseded: readonly string[];
  /** Waiting states nobody authorises any more (ids). */
  readonly unauthorised: readonly string[];
}

/** What becomes of the identifier once repositories are aligned: the database half of a release. */
export interface ReleaseOutcome {
  /** Announcements to serve, their owners. */
  readonly promote: readonly { readonly owner: string; readonly event: NostrEvent }[];
  /** States to serve, oldest first. */
  readonly serve: readonly State[];
}

const newestFirst = (a: State, b: State) => compareNewestFirst(a.event, b.event);

/**
 * Plans what the git data at hand releases (purgatory chapter, "processing").
 *
 * @param complete ids of states all of whose objects are complete in a repository that may be used
 * @param withRepository owners whose repository exists on disk
 */
export function planRelease(
  view: IdentifierView,
  complete: ReadonlySet<string>,
  withRepository: ReadonlySet<string>,
): ReleasePlan {
  const authority = new Authority(view);
  const waiting = view.waitingStates.map(({ state }) => state);
  const isTrusted = (state: State) => authority.ownersTrusting(state.author).length > 0;
  const applicable = waiting.filter((state) => isTrusted(state) && complete.has(state.event.id));
  const newestOfAuthor = new Map<string, State>();
  for (const state of [...view.storedStates, ...applicable].sort(newestFirst)) {
    if (!newestOfAuthor.has(state.author)) newestOfAuthor.set(state.author, state);
  }
  const alignments = [...withRepository].flatMap((owner): Alignment[] => {
    const members = authority.of(owner);
    const [state] = [...view.storedStates, ...applicable]
      .filter((candidate) => members?.has(candidate.author) && declaresObjects(candidate))
      .filter((candidate) => !isReplaced(candidate, view.storedStates)).sort(newestFirst);
    // A served state whose data is lost still governs: refs never move to an older one.
    return state && complete.has(state.event.id) ? [{ owner, state }] : [];
  });
  return {
    alignments,
    releasable: applicable.filter((state) => newestOfAuthor.get(state.author) === state),
    superseded: waiting.filter((state) => {
      const newest = newestOfAuthor.get(state.author);
      return newest !== undefined && newest !== state && newestFirst(newest, state) < 0;
    }).map((state) => state.event.id),
    unauthorised: waiting.filter((state) => !isTrusted(state)).map((state) => state.event.id),
  };
}

/**
 * Decides what is served after alignment.
 *
 * @param aligned owners whose repository now equals the governing state of the plan
 */
export function settleRelease(
  view: IdentifierView,
  plan: ReleasePlan,
  aligned: ReadonlySet<string>,
): ReleaseOutcome {
  const promote = view.announcements.flatMap(({ announcement, waiting }) =>
    waiting?.phase === "active" && aligned.has(announcement.owner)
      ? [{ owner: announcement.owner, event: announcement.event }]
      : []
  );
  const authority = new Authority(view);
  const promoted = new Set(promote.map(({ owner }) => owner));
  const serve = plan.releasable.filter((state) => {
    const governed = plan.alignments.filter((alignment) => alignment.state === state);
    return governed.length === 0 || governed.some(({ owner }) => aligned.has(owner));
  });
  const untracked = view.waitingStates.map(({ state }) => state).filter((state) =>
    untracksRefs(state) && !serve.includes(state) &&
    authority.ownersTrusting(state.author).some((owner) =>
      promoted.has(owner) || servedAnnouncement(view, owner)?.hosted
    )
  );
  return { promote, serve: [...serve, ...untracked].sort((a, b) => newestFirst(b, a)) };
}
