import type { NostrEvent } from "./event.ts";
import { identifierProblem } from "./identifier.ts";
import { decodeNpub } from "./npub.ts";
import type { PullRequest } from "./pull_request.ts";
import { authorityOf } from "./service.ts";
import { tagsNamed } from "./tags.ts";

/** A contributor's repository below `/prs/` (GRASP-06). */
export interface ContributionEndpoint {
  /** Public key in 64 lower-case hex digits. */
  readonly owner: string;
  readonly identifier: string;
}

/**
 * The contributor's repository that a `clone` value names on the service `domain` (normalised):
 * `http(s)://<domain>/prs/<npub>/<identifier>.git`, slashes at the end allowed. Undefined for
 * anything else; the path is read as written, never normalised.
 */
export function parseContributionUrl(value: string, domain: string): ContributionEndpoint | undefined {
  const match = /^https?:\/\/([^/?#@\\]+)(\/[^?#\\]*)$/i.exec(value.trim());
  if (!match || authorityOf(value, ["http", "https"]) !== domain) return undefined;
  return parseContributionPath(match[2]!.replace(/\/+$/, ""));
}

function parseContributionPath(path: string): ContributionEndpoint | undefined {
  const [, npub, repository] = /^\/prs\/([^/]+)\/([^/]+)$/.exec(path) ?? [];
  const owner = npub === undefined ? undefined : decodeNpub(npub);
  const name = repository === undefined ? undefined : decoded(repository);
  if (owner === undefined || !name?.endsWith(".git")) return undefined;
  const identifier = name.slice(0, -".git".length);
  return identifierProblem(identifier) === undefined ? { owner, identifier } : undefined;
}

function decoded(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}

/**
 * The identifiers under which a pull request opts in to being offered below `/prs/` of this service: its
 * `clone` tags name the signer's own repository there, and one of its targets has the identifier
 * (GRASP-06). Empty when it does not.
 */
export function contributionIdentifiers(
  { event, targets }: Pick<PullRequest, "event" | "targets">,
  domain: string,
): readonly string[] {
  const addressed = new Set(targets.map(({ identifier }) => identifier));
  return [...contributionsNamed(event, domain)].filter((identifier) => addressed.has(identifier));
}

/** Identifiers of the signer's own repositories below `/prs/` that the `clone` tags name. */
export function contributionsNamed(event: NostrEvent, domain: string): ReadonlySet<string> {
  const named = tagsNamed(event, "clone").flatMap((tag) => tag.slice(1))
    .map((value) => parseContributionUrl(value, domain))
    .filter((endpoint) => endpoint?.owner === event.pubkey);
  return new Set(named.map((endpoint) => endpoint!.identifier));
}
