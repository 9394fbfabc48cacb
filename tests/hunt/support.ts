import { encodeNpub, type NostrEvent, parsePullRequest } from "../../lib/nostr/mod.ts";
import type { KnownAnnouncement, KnownWaitingPullRequest } from "../../lib/policy/mod.ts";
import type { WaitingPullRequest } from "../../lib/store/types.ts";
import { event, KEYS, type Name, NOW, REPO, served } from "../policy/support.ts";

/** A served announcement with these clone URLs. */
export function hosted(
  owner: Name,
  clone: readonly string[],
  spec: { maintainers?: readonly Name[]; at?: number } = {},
): KnownAnnouncement {
  return served(event(owner, 30617, [
    ["d", REPO],
    ["clone", ...clone],
    ["relays", "wss://relay.example.com"],
    ["maintainers", ...(spec.maintainers ?? []).map((name) => KEYS[name])],
  ], spec.at ?? 1000));
}

/** A waiting pull request to `owners`' repositories. */
export function proposed(
  author: Name,
  owners: readonly Name[],
  commit: string,
  clone: readonly string[] = [],
  overrides: Partial<WaitingPullRequest> = {},
): KnownWaitingPullRequest {
  return rowOf(
    event(author, 1618, [
      ...owners.map((owner) => ["a", `30617:${KEYS[owner]}:${REPO}`]),
      ["c", commit],
      ...(clone.length > 0 ? [["clone", ...clone]] : []),
    ]),
    overrides,
  );
}

function rowOf(source: NostrEvent, overrides: Partial<WaitingPullRequest>): KnownWaitingPullRequest {
  const parsed = parsePullRequest(source);
  if (!parsed.ok) throw new Error(parsed.text);
  const { pullRequest } = parsed;
  return {
    pullRequest,
    row: {
      event: source,
      commit: pullRequest.declaredCommit,
      targets: pullRequest.targets,
      source: "direct",
      firstEnteredAt: NOW,
      enteredAt: NOW,
      deadlineAt: NOW + 1_800_000,
      ...overrides,
    },
  };
}

/** A GRASP-shaped clone URL. */
export function graspUrl(host: string, owner: Name): string {
  return `https://${host}/${encodeNpub(KEYS[owner])}/${REPO}.git`;
}
