import {
  expirationOf,
  KIND,
  kindClass,
  type NostrEvent,
  type Refusal,
  refusalMessage,
  refuse,
} from "../nostr/mod.ts";
import {
  ACCEPTED,
  authorRefusal,
  IN_PURGATORY_MESSAGE,
  NEWER_VERSION_MESSAGE,
  STORED_ALREADY_MESSAGE,
  type Verdict,
} from "../policy/mod.ts";
import type { EventStanding } from "../store/mod.ts";
import { nowSeconds } from "../world/mod.ts";
import { admitAnnouncement } from "./admit_announcement.ts";
import { admitDeletion } from "./admit_deletion.ts";
import { admitPullRequest } from "./admit_pull_request.ts";
import { admitState } from "./admit_state.ts";
import type { EventSource } from "./ports.ts";
import type { JudgeParts } from "./refused_memory.ts";
import { DELETED, noted, storeVerdict } from "./verdicts.ts";

/**
 * What became of an event. `rejected` is a matter of policy; `invalid` is what nobody should have sent
 * on: malformed, a wrong id, a bad signature, or too far in the future; `failed` says nothing about
 * the event: it could not be stored and should come again.
 */
export type AdmitResult = "saved" | "purgatory" | "duplicate" | "rejected" | "invalid" | "failed";

/** A verdict on an event, and what it means for whoever sent it on. */
export interface Judgement {
  readonly verdict: Verdict;
  readonly result: AdmitResult;
}

/** The judgement that `verdict` stands for; never `invalid`. */
export function judged(verdict: Verdict): Judgement {
  if (!verdict.ok) return { verdict, result: verdict.prefix === "error" ? "failed" : "rejected" };
  switch (verdict.outcome) {
    case "accepted":
      return { verdict, result: "saved" };
    case "held":
      return { verdict, result: "purgatory" };
    case "duplicate":
      return { verdict, result: verdict.message === IN_PURGATORY_MESSAGE ? "purgatory" : "duplicate" };
  }
}

/** The judgement on an event that nobody should have sent on. */
export function invalid(refusal: Refusal): Judgement {
  return { verdict: refusal, result: "invalid" };
}

/** Refused earlier, and nothing that could change this has become known since. */
const REFUSED_BEFORE = refuse("blocked", "other", "refused before");
const EXPIRED = refuse("invalid", "expired", "previously expired from purgatory without git data");

/**
 * The pipeline of the relay chapter, section 2.4, and of the sync chapter, section 7.1, for an event
 * whose id is right. Cheap checks come first, the signature last, and nothing about the event is
 * changed before it verified.
 */
export async function judge(parts: JudgeParts, event: NostrEvent, source: EventSource): Promise<Judgement> {
  const { rules, store, verifier, memory } = parts;
  const refused = (refusal: Refusal) => judged(noted(parts, event, source, refusal));
  const blacklisted = authorRefusal(event.pubkey, rules);
  if (blacklisted) return refused(blacklisted);
  const standing = await store.standing(event);
  if (standing.served) {
    return judged({ ok: true, outcome: "duplicate", message: STORED_ALREADY_MESSAGE });
  }
  if (source === "sync") {
    const known = knownToSync(event, standing);
    if (known) return judged(known);
  }
  // A deletion request cannot be deleted (NIP-09).
  if (event.kind !== KIND.deletion && standing.tombstoned) return refused(DELETED);
  const now = nowSeconds(parts.clock);
  const expiration = expirationOf(event);
  if (expiration !== undefined && expiration <= now) {
    return refused(refuse("invalid", "invalid", "event expired"));
  }
  if (event.created_at > now + parts.limits.maxEventFutureSecs) {
    return invalid(refuse("invalid", "invalid", "created_at too far in the future"));
  }
  if (event.tags.some((tag) => tag[0] === "-")) {
    return refused(
      refuse("blocked", "other", "event marked as protected, and this relay authenticates nobody"),
    );
  }
  if (!await verifier.verify(event)) return invalid(refuse("invalid", "signature", "bad signature"));
  const verdict = await byKind(parts, event, source);
  const isOld = verdict.ok && verdict.message === NEWER_VERSION_MESSAGE;
  if (isOld && source !== "client") memory.forget(event.id);
  return judged(verdict);
}

/** What needs no second judgement when another relay offers it. */
function knownToSync(event: NostrEvent, { refused, waiting, expired }: EventStanding): Verdict | undefined {
  if (refused) return REFUSED_BEFORE;
  if (waiting) return { ok: true, outcome: "duplicate", message: IN_PURGATORY_MESSAGE };
  // States and pull requests that expired are served once their data is here; announcements start over.
  return event.kind === KIND.announcement && expired ? EXPIRED : undefined;
}

async function byKind(parts: JudgeParts, event: NostrEvent, source: EventSource): Promise<Verdict> {
  switch (event.kind) {
    case KIND.announcement:
      return await admitAnnouncement(parts, event, source);
    case KIND.state:
      return await admitState(parts, event, source);
    case KIND.pullRequest:
    case KIND.pullRequestUpdate:
      return await orphanOnce(parts, event, source, () => admitPullRequest(parts, event, source));
    case KIND.deletion:
      return await admitDeletion(parts, event);
    default:
      return await orphanOnce(
        parts,
        event,
        source,
        async () => noted(parts, event, source, await admitOther(parts, event)),
      );
  }
}

/**
 * What an orphan refers to may be stored while it is being refused, too early to find it among the
 * remembered ones: so it is looked at once more after it has been remembered.
 */
async function orphanOnce(
  { store, memory }: JudgeParts,
  event: NostrEvent,
  source: EventSource,
  admit: () => Promise<Verdict>,
): Promise<Verdict> {
  const verdict = await admit();
  const isOrphan = !verdict.ok && verdict.reason === "orphan" && source !== "client";
  if (!isOrphan || !await store.isRelated(event)) return verdict;
  await memory.drop(event.id);
  return await admit();
}

/** Everything that is not about git data: accepted when it relates to what we serve. */
async function admitOther(parts: JudgeParts, event: NostrEvent): Promise<Verdict> {
  const { store, limits, notify, counters } = parts;
  const isOpen = event.kind === KIND.graspList && limits.openGraspLists;
  if (!isOpen && !await store.isRelated(event)) {
    return refuse(
      "blocked",
      "orphan",
      "Event event must reference an accepted repository or accepted event",
    );
  }
  if (kindClass(event.kind) === "ephemeral") {
    notify(event);
    return ACCEPTED;
  }
  const [verdict] = await store.commit({ insertEvents: [{ event }] });
  if (verdict === "stored") {
    counters.stored(event.kind);
    notify(event);
  }
  return storeVerdict(verdict!);
}

/** The text of the `OK` for a verdict. */
export function messageOf(verdict: Verdict): string {
  return verdict.ok ? verdict.message : refusalMessage(verdict);
}
