import {
  addressIdentifier,
  createVerifier,
  encodeNpub,
  eventHash,
  expirationOf,
  isPullRequest,
  KIND,
  type NostrEvent,
  quoted,
} from "../../nostr/mod.ts";
import { authorRefusal } from "../../policy/mod.ts";
import type { DataBeside } from "../beside.ts";
import { commandLog } from "../command_log.ts";
import { announcementFacts } from "./facts_announcement.ts";
import { pullRequestFacts } from "./facts_pull_request.ts";
import { stateFacts } from "./facts_state.ts";
import { relationFact } from "./facts_relation.ts";
import { type Facts, type Finding, span, time } from "./report.ts";

const NAMES: Readonly<Record<number, string>> = {
  [KIND.announcement]: "announcement",
  [KIND.state]: "state",
  [KIND.pullRequest]: "pull request",
  [KIND.pullRequestUpdate]: "pull request update",
  [KIND.deletion]: "deletion request",
};

/** One line that names an event. */
export function subjectLine(event: NostrEvent): string {
  const name = NAMES[event.kind] ?? `event of kind ${event.kind}`;
  const identifier = addressIdentifier(event);
  const of = identifier ? ` of ${quoted(identifier)}` : "";
  return `${name}${of} by ${encodeNpub(event.pubkey)}, ${time(event.created_at * 1000)}, id ${event.id}`;
}

/** Collects the facts that decide about an event, in the order in which the server looks at them. */
export async function factsOf(data: DataBeside, event: NostrEvent): Promise<Facts> {
  const general = [
    ...await proofFacts(event, data.config.secp256k1Library),
    authorFact(data, event),
    await deletionFact(data, event),
    ...timeFacts(data, event),
  ];
  const special = await specialFacts(data, event);
  return { findings: [...general, ...special.findings], missing: special.missing };
}

async function specialFacts(data: DataBeside, event: NostrEvent): Promise<Facts> {
  if (event.kind === KIND.announcement) return await announcementFacts(data, event);
  if (event.kind === KIND.state) return await stateFacts(data, event);
  if (isPullRequest(event.kind)) return await pullRequestFacts(data, event);
  if (event.kind === KIND.deletion) {
    const text = "deletion requests are always stored; they act on events of their own author only";
    return { findings: [{ status: "ok", topic: "relation", text }], missing: [] };
  }
  return { findings: [await relationFact(data, event)], missing: [] };
}

async function proofFacts(event: NostrEvent, library: string): Promise<Finding[]> {
  if (eventHash(event) !== event.id) {
    return [{ status: "no", topic: "id", text: "the id is not the hash of the event: it was changed" }];
  }
  const verifier = createVerifier({ workers: 0, library, log: commandLog("error") });
  try {
    const valid = await verifier.verify(event);
    const text = valid ? "the author signed it" : "the signature is not the author's";
    return [{ status: valid ? "ok" : "no", topic: "signature", text }];
  } finally {
    verifier.close();
  }
}

function authorFact({ rules }: DataBeside, event: NostrEvent): Finding {
  const refusal = authorRefusal(event.pubkey, rules);
  return refusal
    ? { status: "no", topic: "author", text: `${refusal.text} (NGIT_EVENT_BLACKLIST)` }
    : { status: "ok", topic: "author", text: "not on NGIT_EVENT_BLACKLIST" };
}

async function deletionFact({ store }: DataBeside, event: NostrEvent): Promise<Finding> {
  const isGone = event.kind !== KIND.deletion && await store.isTombstoned(event);
  return isGone
    ? {
      status: "no",
      topic: "deletion",
      text: "its author asked for its deletion, or took the repository away",
    }
    : { status: "ok", topic: "deletion", text: "nobody asked for its deletion" };
}

function timeFacts({ clock, config }: DataBeside, event: NostrEvent): Finding[] {
  const now = clock.now();
  const ahead = event.created_at * 1000 - now;
  const findings: Finding[] = [];
  const limit = config.maxEventFutureSecs;
  if (ahead > limit * 1000) {
    const text = `created ${span(ahead)}; NGIT_MAX_EVENT_FUTURE_SECS allows ${limit} s`;
    findings.push({ status: "no", topic: "time", text });
  } else findings.push({ status: "ok", topic: "time", text: `created ${span(ahead)}` });
  const expiration = expirationOf(event);
  if (expiration !== undefined) {
    const left = expiration * 1000 - now;
    const status = left <= 0 ? "no" : "note";
    findings.push({ status, topic: "expiration", text: `it expires by itself: ${span(left)} (NIP-40)` });
  }
  if (event.tags.some(([name]) => name === "-")) {
    findings.push({ status: "no", topic: "protection", text: "it is marked as protected (NIP-70)" });
  }
  return findings;
}
