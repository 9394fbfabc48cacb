import { type NostrEvent, parseAnnouncement } from "../nostr/mod.ts";
import { classifyAnnouncement, decideAnnouncement, type Verdict, viewOf } from "../policy/mod.ts";
import type { RetiredRepository } from "../store/mod.ts";
import { type EventSource, type IntakeParts, waitingSource } from "./ports.ts";
import { carryOut, structuralRefusal } from "./verdicts.ts";

/** An answer, and events held back earlier that are to be judged again because of it. */
export interface AnnouncementAnswer {
  readonly verdict: Verdict;
  readonly revived: readonly NostrEvent[];
}

/** Judges an announcement (kind 30617). */
export async function admitAnnouncement(
  parts: IntakeParts,
  event: NostrEvent,
  source: EventSource,
): Promise<AnnouncementAnswer> {
  const parsed = parseAnnouncement(event);
  if (!parsed.ok) return { verdict: structuralRefusal(parts, event, parsed), revived: [] };
  const { announcement } = parsed;
  const { identifier, owner } = announcement;
  const { store, rules, clock, locks } = parts;
  return await locks.run([identifier], async () => {
    const view = viewOf(identifier, await store.readIdentifier(identifier));
    const retired = newest(await store.retired(owner, identifier));
    const decision = decideAnnouncement({
      announcement,
      classification: classifyAnnouncement(announcement, rules),
      source: waitingSource(source),
      view,
      proven: await isProven(parts, owner, identifier),
      retired,
      expired: await store.isExpired(event.id),
      waitingOfAuthor: await store.waitingAnnouncementsOf(owner),
      waitingInTotal: (await store.waitingCounts()).active,
      now: clock.now(),
    });
    const verdict = await carryOut(parts, event, identifier, decision) ?? decision.verdict;
    const restored = verdict.ok && decision.effects.some(({ type }) => type === "restore");
    return { verdict, revived: restored ? retired!.events.filter(({ kind }) => kind !== event.kind) : [] };
  });
}

function newest(retired: readonly RetiredRepository[]): RetiredRepository | undefined {
  return [...retired].sort((a, b) => b.retiredAt - a.retiredAt)[0];
}

/** The repository holds a branch or tag, and refs are complete by construction. */
async function isProven({ repositories }: IntakeParts, owner: string, identifier: string): Promise<boolean> {
  const repository = { owner, identifier };
  if (!await repositories.exists(repository)) return false;
  const { refs } = await repositories.readRefs(repository);
  return [...refs.keys()].some((name) => /^refs\/(heads|tags)\//.test(name));
}
