import type { RepositoryRef } from "../../git/mod.ts";
import {
  contributionIdentifiers,
  encodeNpub,
  isOid,
  type NostrEvent,
  parsePullRequest,
  type PullRequest,
  pullRequestRef,
} from "../../nostr/mod.ts";
import { contributionRef, relevantRepositories } from "../../purgatory/mod.ts";
import type { DataBeside } from "../beside.ts";
import { commandLog } from "../command_log.ts";
import { relationFact } from "./facts_relation.ts";
import { heldBy } from "./git_data.ts";
import type { Facts, Finding, Missing } from "./report.ts";

const WELCOME: Finding = {
  status: "ok",
  topic: "relation",
  text: "its author offers it in an own repository below /prs/ of this service (GRASP-06)",
};

/** Facts about a pull request or update (kinds 1618 and 1619). */
export async function pullRequestFacts(data: DataBeside, event: NostrEvent): Promise<Facts> {
  const parsed = parsePullRequest(event);
  if (!parsed.ok) return { findings: [{ status: "no", topic: "form", text: parsed.text }], missing: [] };
  const { pullRequest } = parsed;
  const { store, repositories } = data;
  const missing: Missing[] = [];
  const relevant = await relevantRepositories({ store, repositories, log: commandLog("error") }, pullRequest);
  const offered = offeredBelowPrs(data, pullRequest);
  const findings: Finding[] = [offered.length === 0 ? await relationFact(data, event) : WELCOME];
  if (relevant.length === 0 && offered.length === 0) {
    const named = pullRequest.targets.map(({ owner }) => encodeNpub(owner)).join(", ") || "nobody";
    const text = `no repository it names is served here (it names repositories of ${named})`;
    findings.push({ status: "no", topic: "repository", text });
  }
  if (!isOid(pullRequest.commit)) {
    findings.push({ status: "no", topic: "commit", text: "its c tag is no commit id" });
    return { findings, missing };
  }
  for (const repository of [...relevant, ...offered]) {
    const ref = pullRequestRef(event.id);
    const held = await heldBy(data, repository, new Map([[ref, pullRequest.commit]]));
    findings.push(held.finding);
    missing.push(...held.missing);
  }
  return { findings, missing };
}

/** The author's own repositories below `/prs/` that a pull request names (GRASP-06), existing or not. */
function offeredBelowPrs({ config, rules }: DataBeside, pullRequest: PullRequest): RepositoryRef[] {
  if (!config.grasp06Enable) return [];
  return contributionIdentifiers(pullRequest, rules.domain)
    .map((identifier) => contributionRef({ owner: pullRequest.event.pubkey, identifier }));
}
