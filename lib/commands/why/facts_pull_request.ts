import { encodeNpub, isOid, type NostrEvent, parsePullRequest, pullRequestRef } from "../../nostr/mod.ts";
import { relevantRepositories } from "../../purgatory/mod.ts";
import type { DataBeside } from "../beside.ts";
import { commandLog } from "../command_log.ts";
import { relationFact } from "./facts_relation.ts";
import { heldBy } from "./git_data.ts";
import type { Facts, Finding, Missing } from "./report.ts";

/** Facts about a pull request or update (kinds 1618 and 1619). */
export async function pullRequestFacts(data: DataBeside, event: NostrEvent): Promise<Facts> {
  const parsed = parsePullRequest(event);
  if (!parsed.ok) return { findings: [{ status: "no", topic: "form", text: parsed.text }], missing: [] };
  const { pullRequest } = parsed;
  const { store, repositories } = data;
  const findings: Finding[] = [await relationFact(data, event)];
  const missing: Missing[] = [];
  const relevant = await relevantRepositories({ store, repositories, log: commandLog("error") }, pullRequest);
  if (relevant.length === 0) {
    const named = pullRequest.targets.map(({ owner }) => encodeNpub(owner)).join(", ") || "nobody";
    const text = `no repository it names is served here (it names repositories of ${named})`;
    findings.push({ status: "no", topic: "repository", text });
  }
  if (!isOid(pullRequest.commit)) {
    findings.push({ status: "no", topic: "commit", text: "its c tag is no commit id" });
    return { findings, missing };
  }
  for (const repository of relevant) {
    const ref = pullRequestRef(event.id);
    const held = await heldBy(data, repository, new Map([[ref, pullRequest.commit]]));
    findings.push(held.finding);
    missing.push(...held.missing);
  }
  return { findings, missing };
}
