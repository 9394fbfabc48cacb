import { addressIdentifier, KIND, type NostrEvent, parsePullRequest } from "../nostr/mod.ts";
import {
  decideDeletion,
  type DeletionRequest,
  names,
  parseDeletion,
  tombstonesOf,
  type Verdict,
  viewOf,
} from "../policy/mod.ts";
import { applyEffects, pullRequestLock } from "../purgatory/mod.ts";
import type { IntakeParts } from "./ports.ts";
import { storeVerdict } from "./verdicts.ts";

/** Kinds whose deletion concerns a repository and is decided per identifier. */
const REPOSITORY_KINDS: ReadonlySet<number> = new Set([KIND.announcement, KIND.state]);

/**
 * Judges a deletion request (NIP-09): always accepted, stored and broadcast, because it is the
 * durable record that keeps its targets from coming back. Targets of other authors are skipped.
 *
 * Removals come first and the request is stored last: after a crash in between the client, which got
 * no answer, sends it again.
 */
export async function admitDeletion(parts: IntakeParts, event: NostrEvent): Promise<Verdict> {
  const request = parseDeletion(event);
  const found = await targetsOf(parts, request);
  const identifiers = [...found.identifiers];
  return await parts.locks.run([...identifiers, ...found.locks], async () => {
    for (const identifier of identifiers) {
      const view = viewOf(identifier, await parts.store.readIdentifier(identifier));
      const applied = await applyEffects(parts, identifier, decideDeletion(view, request));
      if (!applied.ok) return applied;
    }
    const [verdict] = await parts.store.commit({
      insertEvents: [{ event }],
      // A pull request that waited may have been released before its locks were free.
      removeEvents: [...found.served, ...found.pullRequests],
      removePullRequests: found.pullRequests,
      putTombstones: tombstonesOf(request),
    });
    if (verdict === "stored") {
      parts.counters.stored(event.kind);
      parts.notify(event);
    }
    return storeVerdict(verdict!);
  });
}

/** Events the request names: repository events by their identifier, all others by id. */
async function targetsOf({ store }: IntakeParts, request: DeletionRequest) {
  const identifiers = new Set<string>();
  const served: string[] = [];
  const pullRequests: string[] = [];
  const locks: string[] = [];
  const consider = (event: NostrEvent | undefined) => {
    if (!event || !names(request, event, addressIdentifier(event) ?? "")) return;
    if (REPOSITORY_KINDS.has(event.kind)) identifiers.add(addressIdentifier(event) ?? "");
    else served.push(event.id);
  };
  for (const event of await store.get([...request.ids])) consider(event);
  for (const id of request.ids) {
    const waiting = await store.waitingEvent(id);
    if (waiting?.pubkey !== request.event.pubkey) continue;
    if (REPOSITORY_KINDS.has(waiting.kind)) identifiers.add(addressIdentifier(waiting) ?? "");
    else {
      pullRequests.push(id);
      const parsed = parsePullRequest(waiting);
      const targets = parsed.ok ? parsed.pullRequest.targets : [];
      locks.push(pullRequestLock(id), ...targets.map(({ identifier }) => identifier));
    }
  }
  for (const { kind, pubkey, identifier } of request.coordinates) {
    if (REPOSITORY_KINDS.has(kind)) identifiers.add(identifier);
    else consider(await store.currentVersion(kind, pubkey, identifier));
  }
  return { identifiers, served, pullRequests, locks };
}
