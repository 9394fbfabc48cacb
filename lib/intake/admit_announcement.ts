import {
  type Announcement,
  KIND,
  type NostrEvent,
  parseAnnouncement,
  parseState,
  type State,
} from "../nostr/mod.ts";
import { classifyAnnouncement, decideAnnouncement, type Verdict, viewOf } from "../policy/mod.ts";
import { holdsRepository } from "../purgatory/mod.ts";
import type { RetiredRepository } from "../store/mod.ts";
import { type EventSource, type IntakeParts, waitingSource } from "./ports.ts";
import type { JudgeParts } from "./refused_memory.ts";
import { carryOut, noted, structuralRefusal } from "./verdicts.ts";

/** Judges an announcement (kind 30617). */
export async function admitAnnouncement(
  parts: JudgeParts,
  event: NostrEvent,
  source: EventSource,
): Promise<Verdict> {
  const parsed = parseAnnouncement(event);
  if (!parsed.ok) return noted(parts, event, source, structuralRefusal(parts, event, parsed));
  const { announcement } = parsed;
  const { identifier, owner } = announcement;
  const { store, rules, clock, locks } = parts;
  // A refusal is remembered under the lock, before another announcement can overturn it.
  return await locks.run([identifier], async () => {
    const view = viewOf(identifier, await store.readIdentifier(identifier));
    const last = await store.lastRetired(owner, identifier);
    const retired = last && holdsRepository(last) ? last : undefined;
    const decision = decideAnnouncement({
      announcement,
      classification: classifyAnnouncement(announcement, rules),
      source: waitingSource(source),
      adopts: source === "import",
      view,
      proven: await isProven(parts, owner, identifier),
      retired,
      retiredStates: await undeletedStates(parts, retired),
      expired: await store.isExpired(event.id),
      waitingOfAuthor: await store.waitingAnnouncementsOf(owner),
      waitingInTotal: (await store.waitingCounts()).active,
      now: clock.now(),
    });
    const verdict = await carryOut(parts, event, identifier, decision) ?? decision.verdict;
    if (verdict.ok && verdict.outcome !== "duplicate") warnOfKeys(parts, announcement);
    return noted(parts, event, source, verdict);
  });
}

/** Values that are no keys are passed over; the owner may want to know why a maintainer has no say. */
function warnOfKeys({ log }: IntakeParts, { event, identifier, maintainers }: Announcement): void {
  const listed = event.tags.find(([name]) => name === "maintainers")?.slice(1) ?? [];
  const skipped = listed.length - maintainers.length;
  if (skipped > 0) {
    log.warn("maintainer keys could not be read", { repo: identifier, event_id: event.id, skipped });
  }
}

/** States held back with a repository, without those their author deleted meanwhile. */
async function undeletedStates(
  { store }: IntakeParts,
  retired: RetiredRepository | undefined,
): Promise<State[]> {
  const states: State[] = [];
  for (const event of retired?.events ?? []) {
    const parsed = event.kind === KIND.state ? parseState(event) : undefined;
    if (parsed?.ok && !await store.isTombstoned(event)) states.push(parsed.state);
  }
  return states;
}

/** The repository holds a branch or tag, and refs are complete by construction. */
async function isProven({ repositories }: IntakeParts, owner: string, identifier: string): Promise<boolean> {
  const repository = { owner, identifier };
  if (!await repositories.exists(repository)) return false;
  const { refs } = await repositories.readRefs(repository);
  return [...refs.keys()].some((name) => /^refs\/(heads|tags)\//.test(name));
}
