import { blacklistRefusal, type Blacklists } from "./curation.ts";
import { Authority } from "./maintainers.ts";
import { operatorRefusal, pullRequestRefusal } from "./moderation.ts";
import type { IdentifierView } from "./view.ts";

/**
 * The picture without what waits and would be refused today: lists change while events wait. What is
 * served stays in it; what is left out expires like anything whose git data does not come.
 */
export function withoutBlacklisted(view: IdentifierView, rules: Blacklists): IdentifierView {
  const { repositoryBlacklist, eventBlacklist } = rules;
  if (repositoryBlacklist.length === 0 && eventBlacklist.size === 0) return view;
  const isBlacklisted = (owner: string) =>
    blacklistRefusal({ owner, identifier: view.identifier }, repositoryBlacklist) !== undefined;
  const authority = new Authority(view);
  return {
    ...view,
    announcements: view.announcements.filter(({ announcement, waiting }) =>
      waiting === undefined || operatorRefusal(announcement, rules) === undefined
    ),
    waitingStates: view.waitingStates.filter(({ state: { author } }) =>
      !eventBlacklist.has(author) &&
      !allOf(authority.ownersTrusting(author), isBlacklisted)
    ),
    waitingPullRequests: view.waitingPullRequests.filter(({ pullRequest }) =>
      pullRequestRefusal(pullRequest, rules) === undefined
    ),
  };
}

function allOf<T>(list: readonly T[], holds: (each: T) => boolean): boolean {
  return list.length > 0 && list.every(holds);
}
