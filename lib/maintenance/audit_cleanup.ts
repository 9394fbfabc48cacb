import { addressIdentifier, isPullRequest, KIND, type NostrEvent, parsePullRequest } from "../nostr/mod.ts";
import {
  type Effect,
  type IdentifierView,
  newestByAuthor,
  statesWithoutOwner,
  viewOf,
} from "../policy/mod.ts";
import {
  announcementPin,
  applyEffects,
  clearContribution,
  clearPullRequestRef,
  contributionsOf,
  pullRequestLock,
  relevantRepositories,
  repositoryPin,
} from "../purgatory/mod.ts";
import { AUDIT_MARK, auditDueAt, hasAuditMark } from "./audit_marks.ts";
import type { MaintenanceParts } from "./ports.ts";

/** Events removed in one run, and looked at in one query; the rest waits for the next run. */
const MAX_REMOVED = 2_000;
const PAGE = 500;

/** What one run came to. */
export interface AuditResult {
  readonly events: number;
  readonly repositories: number;
  /** Repositories with a push in flight: the next run looks again. */
  readonly postponed: number;
}

interface Tally {
  events: number;
  repositories: number;
  postponed: number;
}

/**
 * Removes events that their authors marked as a test, `ageMs` after they arrived, and the repositories
 * whose newest announcement is one of them. Events in purgatory are covered; nothing is remembered as
 * expired or deleted.
 */
export async function cleanUpAudits(parts: MaintenanceParts, ageMs: number): Promise<AuditResult> {
  const tally: Tally = { events: 0, repositories: 0, postponed: 0 };
  for (const event of await dueEvents(parts, ageMs)) {
    if (parts.signal.aborted) break;
    try {
      if (event.kind === KIND.announcement || event.kind === KIND.state) await removeOne(parts, event, tally);
      else await removeOther(parts, event, tally);
    } catch (error) {
      parts.log.error("an audit event could not be removed", { event_id: event.id, error: String(error) });
    }
  }
  return tally;
}

/** Marked events whose time has come: served ones in order of arrival, then waiting ones. */
async function dueEvents({ store, clock }: MaintenanceParts, ageMs: number): Promise<NostrEvent[]> {
  const now = clock.now();
  const due: NostrEvent[] = [];
  const consider = (event: NostrEvent, arrivedAt: number) => {
    if (hasAuditMark(event) && auditDueAt(event, arrivedAt, ageMs) <= now) due.push(event);
  };
  for (let afterSeq = 0; due.length < MAX_REMOVED;) {
    const page = { arrivedBefore: now - ageMs, afterSeq, limit: PAGE };
    const found = await store.taggedServed(AUDIT_MARK, page);
    for (const { event, arrivedAt } of found) consider(event, arrivedAt);
    const last = found.at(-1);
    if (!last || found.length < PAGE) break;
    afterSeq = last.seq;
  }
  const waiting = await store.waitingContaining(AUDIT_MARK, MAX_REMOVED);
  for (
    const { event, firstEnteredAt } of [
      ...waiting.announcements,
      ...waiting.states,
      ...waiting.pullRequests,
    ]
  ) consider(event, firstEnteredAt);
  return due.slice(0, MAX_REMOVED);
}

/** An announcement or a state, under the lock of its identifier; everything is read again. */
async function removeOne(parts: MaintenanceParts, event: NostrEvent, tally: Tally): Promise<void> {
  const identifier = addressIdentifier(event) ?? "";
  await parts.locks.run([identifier], async () => {
    const view = viewOf(identifier, await parts.store.readIdentifier(identifier));
    const plan = event.kind === KIND.state
      ? removeState(view, event)
      : removeAnnouncement(view, event, (owner) => isBusy(parts, owner, identifier));
    if (plan === "busy") tally.postponed++;
    if (plan === "busy" || plan.length === 0) return;
    const applied = await applyEffects(parts, identifier, plan);
    if (!applied.ok) throw new Error(applied.text);
    tally.events++;
    if (plan.some(({ type }) => type === "removeRepository")) tally.repositories++;
    parts.log.info("audit event removed", { event_id: event.id, kind: event.kind, repo: identifier });
  });
}

function isBusy({ repositories, pins }: MaintenanceParts, owner: string, identifier: string): boolean {
  const repository = { owner, identifier };
  return repositories.uses(repository) > 0 || pins.has(repositoryPin(repository)) ||
    pins.has(announcementPin(owner, identifier));
}

function removeState(view: IdentifierView, { id }: NostrEvent): Effect[] {
  if (view.storedStates.some(({ event }) => event.id === id)) return [{ type: "removeServed", id }];
  const waits = view.waitingStates.some(({ row }) => row.event.id === id);
  return waits ? [{ type: "dropState", id, reason: "deleted" }] : [];
}

/**
 * Events first, then the directory. Another announcement of the same owner protects the repository; if it
 * is marked too, its own time decides.
 */
function removeAnnouncement(
  view: IdentifierView,
  { id, pubkey: owner }: NostrEvent,
  busy: (owner: string) => boolean,
): Effect[] | "busy" {
  const known = view.announcements.find(({ announcement }) => announcement.event.id === id);
  if (!known || newestByAuthor(view).get(owner)?.event.id !== id) return [];
  if (known.hosted && busy(owner)) return "busy";
  const remaining = view.announcements.filter((other) => other !== known);
  const isLast = !remaining.some(({ announcement }) => announcement.owner === owner);
  const unauthorised = statesWithoutOwner({ ...view, announcements: remaining });
  return [
    known.waiting ? { type: "dropAnnouncement", owner, reason: "deleted" } : { type: "removeServed", id },
    ...unauthorised.map((state): Effect => ({ type: "dropState", id: state, reason: "unauthorised" })),
    ...(known.hosted && isLast ? [{ type: "removeRepository", owner, force: true } as const] : []),
  ];
}

/** Any other event, with the refs of a pull request. */
async function removeOther(parts: MaintenanceParts, event: NostrEvent, tally: Tally): Promise<void> {
  const parsed = isPullRequest(event.kind) ? parsePullRequest(event) : undefined;
  const pullRequest = parsed?.ok ? parsed.pullRequest : undefined;
  const identifiers = pullRequest?.targets.map(({ identifier }) => identifier) ?? [];
  await parts.locks.run([pullRequestLock(event.id), ...identifiers], async () => {
    if (pullRequest) {
      for (const target of await relevantRepositories(parts, pullRequest)) {
        await clearPullRequestRef(parts, target, event.id, undefined);
      }
      for (const source of await contributionsOf(parts, pullRequest)) {
        await clearContribution(parts, source, event.id);
      }
    }
    await parts.store.commit({ removeEvents: [event.id], removePullRequests: [event.id] });
    tally.events++;
  });
}
